"""One row per order (a basket at the till), its returns and discounts netted."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import sum_money


def build(order_lines: DataFrame) -> DataFrame:
    """Lines summed to their order."""
    is_return = F.col("line_type") == "return"
    return order_lines.groupBy("order_id", "order_date").agg(
        # One order has one store, member and time; should a till disagree with itself, its lowest line speaks.
        *[F.min_by(column, "line_number").alias(column) for column in ("ordered_at", "store_id", "member_id")],
        F.count("*").alias("line_count"),
        F.sum("quantity").alias("unit_count"),
        *[sum_money(column, column) for column in AMOUNTS],
        sum_money(F.when(is_return, -F.col("net_amount")), "returned_amount"),
        F.max(is_return).alias("has_return"),
    )


AMOUNTS = (
    "list_amount",
    "net_amount",
    "paid_amount",
    "retail_discount_amount",
    "coupon_discount_amount",
    "coupon_match_amount",
)
