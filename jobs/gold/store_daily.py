"""One row per business day, channel and store with an order: how many bought, how much each time, and what came back.

Orders add up over stores, channels and days here, as they do not over the categories of `gold.sales_daily`: net_amount
over order_count is the average basket. Returns count on the day and in the store in which they came back.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import sum_money


def build(orders: DataFrame) -> DataFrame:
    """Orders summed to day, channel and store."""
    is_purchase = F.col("is_purchase")
    return orders.groupBy("order_date", "channel", "store_id").agg(
        F.count_if(is_purchase).alias("order_count"),
        F.count_if(is_purchase & F.col("account_id").isNotNull()).alias("member_order_count"),
        F.count_if(~is_purchase & F.col("has_return")).alias("return_count"),
        F.sum("unit_count").alias("unit_count"),
        sum_money("net_amount", "net_amount"),
        sum_money(F.when(is_purchase & F.col("account_id").isNotNull(), F.col("net_amount")), "member_net_amount"),
        sum_money("returned_amount", "returned_amount"),
    )
