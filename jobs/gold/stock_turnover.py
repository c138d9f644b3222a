"""One row per store, month, department and category with known stock: how fast it turns, and how often it is bought.

**Mean stock** is the mean over the evenings of the month, each shelf at what its books closed with on the last day on
which anything happened to it; a month that is not over is taken up to the last day on which the store's books know
anything. Turnover is the cost of the units sold over the cost of the mean stock, days of supply how long the mean stock
would last. Shelves without an opening count have no books: neither their stock nor their sales are in here. Cost is
that of the product master today.

**Purchase rate** is the share of the store's orders that hold the category.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.gold.sales_daily import with_category
from jobs.verbs import as_money, share_of, sum_money


def build(stock_daily: DataFrame, order_lines: DataFrame, products: DataFrame) -> DataFrame:
    """Stock over the month beside sales and orders."""
    # What carries no unit takes nothing from a shelf; so each product bought has its row in stock_daily (see `reach`).
    bought = order_lines.where("line_type = 'sale' AND quantity <> 0").select(
        F.trunc("order_date", "month").alias("month_start_date"), "store_id", "order_id", "product_id"
    )
    stock = stock_daily.transform(with_unit_days).transform(with_category, products, "unit_cost_amount")
    # One to at most one, twice: what nobody bought was in no order.
    return (
        stock.transform(sum_stock)
        .join(bought.transform(with_category, products).transform(count_orders, *GROUP), on=list(GROUP), how="left")
        .join(bought.transform(count_orders, *STORE, named="store_order_count"), on=list(STORE), how="left")
        .fillna(0, ["order_count", "store_order_count"])
        .withColumn("purchase_rate", share_of(F.col("order_count"), F.col("store_order_count")))
    )


STORE = ("month_start_date", "store_id")
GROUP = (*STORE, "department", "category")


def with_unit_days(stock_daily: DataFrame) -> DataFrame:
    """Each day's closing stock times the days for which it stood; before the first day the opening stood."""
    days = Window.partitionBy(*STORE, "product_id").orderBy("stock_date")
    after = F.lead("stock_date").over(days)
    is_first = F.lag("stock_date").over(days).isNull()
    until = F.date_add(F.max("stock_date").over(Window.partitionBy(*STORE)), 1)
    stood = F.col("closing_unit_count") * F.datediff(F.coalesce(after, until), "stock_date")
    before = F.col("opening_unit_count") * F.datediff("stock_date", "month_start_date")
    return (
        stock_daily.withColumn("days", F.datediff(until, "month_start_date"))
        .withColumn("unit_days", stood + F.when(is_first, before).otherwise(0))
        .where("opening_unit_count IS NOT NULL")
    )


def sum_stock(shelves: DataFrame) -> DataFrame:
    """Stock and sales of a category."""
    cost, days = F.col("unit_cost_amount"), F.max("days")
    sold, stock = (F.col(column).cast("double") for column in ("sold_cost_amount", "mean_stock_cost_amount"))
    return (
        shelves.groupBy(*GROUP)
        .agg(
            F.sum("sold_unit_count").alias("sold_unit_count"),
            sum_money(F.col("sold_unit_count") * cost, "sold_cost_amount"),
            (F.sum("unit_days") / days).alias("mean_stock_unit_count"),
            as_money(F.coalesce(F.sum(F.col("unit_days") * cost), F.lit(0)) / days).alias("mean_stock_cost_amount"),
            days.alias("days"),
        )
        .withColumns(
            {
                "turnover_rate": F.try_divide(sold, stock),
                "supply_days": F.try_divide(stock * F.col("days"), sold),
            }
        )
        .drop("days")
    )


def count_orders(bought: DataFrame, *group: str, named: str = "order_count") -> DataFrame:
    """Orders of a store or of a category in it."""
    return bought.groupBy(*group).agg(F.countDistinct("order_id").alias(named))
