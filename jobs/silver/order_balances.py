"""One row per order with lines or a stated total: do its lines, its total as stated and its payments agree?

The **reconciliation** of lines to orders and of orders to payments and refunds, to the cent. A side that has not come
(or that the retailer does not have) is null and judged by nobody: files of one day may come hours apart.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.platforms import PAID
from jobs.verbs import MONEY, as_typed, keep_newest, sum_money


def build(orders: DataFrame, pos_tickets: DataFrame, online_orders: DataFrame, payments: DataFrame) -> DataFrame:
    """The three sides of every order, and their differences."""
    lines = orders.where("line_count > 0").select(
        "order_id", "order_date", F.col("paid_amount").alias("lines_amount"), "line_count"
    )
    paid = payments.groupBy("order_id", "order_date").agg(sum_money("payment_amount", "payments_amount"))
    stated = tickets_stated(pos_tickets).unionByName(
        online_orders.where(F.col("order_status").isin(*PAID)).select(
            "order_id", "order_date", "stated_amount", F.col("line_count").alias("stated_line_count")
        )
    )
    key = ["order_id", "order_date"]
    # One to at most one, twice.
    return (
        lines.join(stated, on=key, how="full")
        .join(paid, on=key, how="full")
        .withColumns(
            {
                "lines_difference_amount": (F.col("lines_amount") - F.col("stated_amount")).cast(MONEY),
                "payments_difference_amount": (
                    F.col("payments_amount") - F.coalesce("stated_amount", "lines_amount")
                ).cast(MONEY),
            }
        )
    )


def tickets_stated(pos_tickets: DataFrame) -> DataFrame:
    """What each ticket says of itself."""
    return pos_tickets.transform(keep_newest, "order_id", "order_date").select(
        "order_id",
        "order_date",
        as_typed("total_amount", MONEY).alias("stated_amount"),
        as_typed("line_count", "bigint").alias("stated_line_count"),
    )
