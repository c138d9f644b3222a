"""One row per day on which sessions began, platform and source: how many there were, and how far they went.

A session without a platform or source counts under UNKNOWN, so that sums over all rows are sums over all sessions. Each
rate compares a step with the one before among the sessions that did both, for a session may put into the cart what it
did not look at.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import UNKNOWN, share_of


def build(sessions: DataFrame) -> DataFrame:
    """Sessions counted by the steps that they took."""
    viewed, carted, checked_out, paid = (F.col(flag) for flag in STEPS.values())
    both = {"cart_rate": viewed & carted, "checkout_rate": carted & checked_out, "payment_rate": checked_out & paid}
    steps = [F.count_if(F.col(flag)).alias(name) for name, flag in STEPS.items()]
    return (
        sessions.fillna(UNKNOWN, ["platform", "source"])
        .groupBy("session_date", "platform", "source")
        .agg(
            F.count("*").alias("session_count"),
            F.countDistinct("account_system", "account_id").alias("account_count"),
            *steps,
            *[F.sum(column).alias(column) for column in EVENTS],
            *[F.count_if(took).alias(rate) for rate, took in both.items()],
        )
        .withColumns(
            {rate: share_of(F.col(rate), F.col(whole)) for rate, whole in zip(both, STEPS, strict=False)}
            | {"conversion_rate": share_of(F.col("payment_session_count"), F.col("session_count"))}
        )
    )


STEPS = {
    "view_session_count": "has_product_view",
    "cart_session_count": "has_cart",
    "checkout_session_count": "has_checkout",
    "payment_session_count": "has_payment",
}
EVENTS = ("event_count", "product_view_count", "cart_add_count", "checkout_count", "payment_count")
