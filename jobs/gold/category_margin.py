"""One row per month, channel, store, department and category in which anything was sold or returned.

**Cost of goods** is units sold at today's unit cost of the product master, which has no history. What comes back is not
sold again, so a return lowers the sales and saves no cost: finance's workbook counts alike. Sales of products without a
known cost stand in `net_amount` and in no margin; `costed_net_amount` is what the margin is of.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.gold.sales_daily import with_category
from jobs.verbs import as_money, share_of, sum_money


def build(order_lines: DataFrame, products: DataFrame) -> DataFrame:
    """Lines with their cost, summed."""
    sold = F.when(F.col("line_type") == "sale", F.col("quantity")).otherwise(0)
    cost, net = F.col("unit_cost_amount"), F.col("net_amount")
    return (
        order_lines.transform(with_category, products, "unit_cost_amount")
        .groupBy(F.trunc("order_date", "month").alias("month_start_date"), *KEY)
        .agg(
            F.sum(sold).alias("sold_unit_count"),
            sum_money("list_amount", "list_amount"),
            sum_money("net_amount", "net_amount"),
            sum_money(F.when(cost.isNotNull(), net), "costed_net_amount"),
            sum_money(sold * cost, "goods_cost_amount"),
        )
        .withColumn("margin_amount", as_money(F.col("costed_net_amount") - F.col("goods_cost_amount")))
        .withColumn(
            "margin_rate",
            F.when(F.col("costed_net_amount") > 0, share_of(F.col("margin_amount"), F.col("costed_net_amount"))),
        )
    )


KEY = ("channel", "store_id", "department", "category")
