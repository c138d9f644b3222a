"""One row per store that ever sold, with the days between which it did."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def build(orders: DataFrame) -> DataFrame:
    """Every store that the orders name."""
    # No source has a store master: a store is known by its sales (every store with placements has some).
    return orders.groupBy("store_id").agg(
        F.min("order_date").alias("first_order_date"),
        F.max("order_date").alias("last_order_date"),
        F.countDistinct("order_date").alias("trading_day_count"),
    )
