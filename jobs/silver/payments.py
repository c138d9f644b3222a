"""One row per payment of an order, or refund: at tills one or two means a ticket, online one.

`order_date` is that of the order, so that a day's orders and their payments are found together; a refund's is its own.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.platforms import PAID
from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_newest


def build(pos_payments: DataFrame, online_orders: DataFrame, refund_lines: DataFrame) -> DataFrame:
    """Payments of tills, of paid online orders, and refunds."""
    till = pos_payments.transform(with_types).transform(keep_newest, "order_date", "order_id", "payment_number")
    online = online_orders.where(F.col("order_status").isin(*PAID)).transform(as_payments)
    refunds = refund_lines.transform(as_refunds)
    return till.select(*COLUMNS, *ORIGIN).unionByName(online.unionByName(refunds), allowMissingColumns=True)


COLUMNS = ("order_id", "payment_number", "order_date", "paid_at", "channel", "payment_method", "payment_amount")


def with_types(pos_payments: DataFrame) -> DataFrame:
    """Received text as types."""
    return pos_payments.withColumns(
        {
            "order_id": clean("order_id"),
            "payment_number": as_typed("payment_number", "int"),
            "paid_at": as_typed("paid_at", "timestamp"),
            "channel": F.lit("pos"),
            "payment_method": F.lower(clean("method")),
            "payment_amount": as_typed("amount", MONEY),
        }
    )


def as_payments(online_orders: DataFrame) -> DataFrame:
    """A platform takes the whole amount at once."""
    return online_orders.select(
        "order_id",
        F.lit(1).alias("payment_number"),
        "order_date",
        # A platform that sends only later states never says when it was paid: it was by then.
        F.coalesce("paid_at", "updated_at").alias("paid_at"),
        "channel",
        "payment_method",
        F.col("stated_amount").alias("payment_amount"),
    )


def as_refunds(refund_lines: DataFrame) -> DataFrame:
    """Money back for a line."""
    return refund_lines.select(
        F.col("refund_id").alias("order_id"),
        F.lit(1).alias("payment_number"),
        "order_date",
        F.col("ordered_at").alias("paid_at"),
        "channel",
        F.lit("refund").alias("payment_method"),
        (-F.col("refunded_amount")).cast(MONEY).alias("payment_amount"),
    )
