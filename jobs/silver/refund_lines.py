"""One row per refund of a line of an online order, with the store and the buyer of that order.

A refund of an order that no platform has told of yet counts for store UNKNOWN, so that its money is not lost, until the
order comes.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, ORIGIN, UNKNOWN, as_typed, clean, keep_newest


def build(refunds: DataFrame, online_orders: DataFrame) -> DataFrame:
    """Refunds, each once, beside their order."""
    orders = online_orders.select(
        F.col("order_id").alias("original_order_id"), "store_id", "account_system", "account_id", "member_id"
    )
    # Many refunds to at most one order.
    return (
        refunds.transform(keep_newest, "refund_id")
        .transform(with_types)
        .join(orders, on="original_order_id", how="left")
        .fillna(UNKNOWN, ["store_id"])
    )


def with_types(refunds: DataFrame) -> DataFrame:
    """Received text as types."""
    return refunds.select(
        "refund_id",
        F.col("refund_date").alias("order_date"),
        as_typed("refunded_at", "timestamp").alias("ordered_at"),
        F.lower(clean("platform")).alias("channel"),
        clean("order_no").alias("original_order_id"),
        as_typed("line_no", "int").alias("line_number"),
        clean("sku").alias("product_id"),
        as_typed("qty", "int").alias("quantity"),
        as_typed("amount", MONEY).alias("refunded_amount"),
        clean("reason").alias("return_reason"),
        *ORIGIN,
    )
