"""One row per event of the app or the mini-program, however often it was sent.

What tells one of two sendings from the other is their file alone: an event that is sent again keeps its id and the
server's time, and so its date. From app 5.0.1 (1 March 2025) on an article is called `sku_id`, before it was `sku`.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import ORIGIN, clean, keep_newest


def build(app_events: DataFrame) -> DataFrame:
    """Received events, each once, their nested parts as columns."""
    return (
        app_events.withColumn("event_id", clean("event_id"))
        # event_date is in the key so that a day can be rebuilt alone.
        .transform(keep_newest, "event_date", "event_id")
        .withColumns({column: F.from_json(column, schema) for column, schema in NESTED.items()})
        .select(
            "event_id",
            "event_date",
            as_instant("server_ts").alias("occurred_at"),
            as_instant("client_ts").alias("client_at"),
            clean("event").alias("event_type"),
            F.lit("app").alias("account_system"),
            clean("user_info.openid").alias("account_id"),
            clean("context.session_id").alias("session_id"),
            clean("context.campaign_id").alias("campaign_id"),
            clean("context.source").alias("source"),
            clean("device.platform").alias("platform"),
            clean("device.app_version").alias("app_version"),
            F.coalesce(clean("props.sku_id"), clean("props.sku")).alias("product_id"),
            clean("props.keyword").alias("keyword"),
            clean("props.order_no").alias("order_id"),
            *ORIGIN,
        )
    )


NESTED = {
    "user_info": "openid string",
    "device": "platform string, app_version string",
    "context": "session_id string, campaign_id string, source string",
    "props": "sku string, sku_id string, keyword string, order_no string",
}


def as_instant(column: str) -> Column:
    """Milliseconds since 1970 as an instant; null if they are none, or so many that Spark's clock runs over."""
    millis = clean(column).try_cast("bigint")
    return F.timestamp_millis(F.when(millis.between(0, 10**14), millis))
