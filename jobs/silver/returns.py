"""One row per line that came back, over all channels, with the order that it was bought in and why it came back."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, clean, keep_newest


def build(order_lines: DataFrame, pos_tickets: DataFrame, refund_lines: DataFrame) -> DataFrame:
    """Return lines, and what the ticket or the refund says of them."""
    tickets = pos_tickets.transform(keep_newest, "order_id", "order_date").select(
        "order_id", "order_date", clean("original_order_id")
    )
    refunds = refund_lines.select(
        F.col("refund_id").alias("order_id"), "order_date", "original_order_id", "return_reason"
    )
    # Many lines to at most one: an order is a ticket or a refund.
    said = tickets.unionByName(refunds, allowMissingColumns=True)
    return (
        order_lines.where("line_type = 'return'")
        .join(said, on=["order_id", "order_date"], how="left")
        .select(
            *COLUMNS,
            (-F.col("quantity")).alias("returned_unit_count"),
            (-F.col("net_amount")).cast(MONEY).alias("refunded_amount"),
        )
    )


COLUMNS = (
    "order_id",
    "line_number",
    "order_date",
    "channel",
    "store_id",
    "account_system",
    "account_id",
    "product_id",
    "original_order_id",
    "return_reason",
)
