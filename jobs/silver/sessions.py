"""One row per session of the app or the mini-program: what was done in it, in order of the server's time.

A session that crosses midnight is of the day on which it began. What does not change within a session (who, on what,
where from) is taken from its first event; should a campaign lead into a session that is open, the first one counts.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def build(events: DataFrame) -> DataFrame:
    """Events summed to their session."""
    first, last = F.min("occurred_at"), F.max("occurred_at")
    return (
        events.where("session_id is not null")
        .groupBy("session_id")
        .agg(
            F.min("event_date").alias("session_date"),
            first.alias("first_event_at"),
            last.alias("last_event_at"),
            (F.unix_seconds(last) - F.unix_seconds(first)).alias("duration_s"),
            *[take_first(column) for column in OF_SESSION],
            F.count("*").alias("event_count"),
            *[F.count_if(F.col("event_type") == kind).alias(name) for name, kind in COUNTED.items()],
            F.countDistinct("order_id").alias("order_count"),
        )
        .withColumns({flag: F.col(count) > 0 for flag, count in STEPS.items()})
    )


OF_SESSION = ("account_system", "account_id", "platform", "app_version", "source", "campaign_id")
COUNTED = {
    "page_view_count": "page_view",
    "search_count": "search",
    "product_view_count": "product_view",
    "cart_add_count": "add_to_cart",
    "cart_remove_count": "remove_from_cart",
    "checkout_count": "checkout",
    "payment_count": "pay",
    "share_count": "share",
}
STEPS = {
    "has_product_view": "product_view_count",
    "has_cart": "cart_add_count",
    "has_checkout": "checkout_count",
    "has_payment": "payment_count",
}


def take_first(column: str) -> Column:
    """The value in the first event that has one; of two at one instant the lower id is the first."""
    place = F.when(F.col(column).isNotNull(), F.struct("occurred_at", "event_id"))
    return F.min_by(column, place).alias(column)
