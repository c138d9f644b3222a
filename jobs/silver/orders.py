"""One row per order over all channels, its returns and discounts netted, at its latest known state.

An online order that nobody has paid has no lines and amounts of zero. A refund of an online line, or a till's return
ticket, is an order of its own.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import sum_money


def build(order_lines: DataFrame, online_orders: DataFrame) -> DataFrame:
    """Lines summed to their order, beside what the platforms say of it."""
    told = online_orders.select("order_id", "order_date", *HEADER, "order_status")
    # One to at most one: a till tells no state, an unpaid order has no lines.
    both = (
        order_lines.transform(total_lines).alias("l").join(told.alias("t"), on=["order_id", "order_date"], how="full")
    )
    return both.select(
        "order_id",
        "order_date",
        *[F.coalesce(f"l.{column}", f"t.{column}").alias(column) for column in HEADER],
        F.coalesce("order_status", F.lit("completed")).alias("order_status"),
        *[F.coalesce(column, F.lit(0)).cast("bigint").alias(column) for column in COUNTS],
        *[F.coalesce(column, F.lit(0)).cast("decimal(18,2)").alias(column) for column in (*AMOUNTS, "returned_amount")],
        *[F.coalesce(column, F.lit(False)).alias(column) for column in FLAGS],
    )


HEADER = ("ordered_at", "channel", "store_id", "account_system", "account_id", "member_id")
COUNTS = ("line_count", "unit_count")
AMOUNTS = (
    "list_amount",
    "net_amount",
    "paid_amount",
    "retail_discount_amount",
    "coupon_discount_amount",
    "coupon_match_amount",
)
FLAGS = ("has_return", "is_purchase")


def total_lines(order_lines: DataFrame) -> DataFrame:
    """One row per order with lines."""
    is_return = F.col("line_type") == "return"
    return order_lines.groupBy("order_id", "order_date").agg(
        # One order has one store, buyer and time; should a till disagree with itself, its lowest line speaks.
        *[F.min_by(column, "line_number").alias(column) for column in HEADER],
        F.count("*").alias("line_count"),
        F.sum("quantity").alias("unit_count"),
        *[sum_money(column, column) for column in AMOUNTS],
        sum_money(F.when(is_return, -F.col("net_amount")), "returned_amount"),
        F.max(is_return).alias("has_return"),
        F.max(~is_return).alias("is_purchase"),
    )
