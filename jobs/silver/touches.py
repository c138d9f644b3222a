"""One row per message of a campaign to a member: when it was sent, first seen and first clicked, and what it cost.

A message of which only an exposure or a click came so far is there too, without a send, so that the tables that count
messages can tell that one is missing.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import PRECEDENCE, as_typed, clean


def build(marketing_touches: DataFrame) -> DataFrame:
    """The events of a message side by side."""
    told = marketing_touches.select(
        # As received: a run finds the rows to rebuild by it.
        "touch_id",
        clean("campaign_id"),
        clean("channel").alias("touch_channel"),
        clean("member_id"),
        clean("event"),
        as_typed("event_at", "timestamp"),
        "touch_date",
        as_typed("cost", FINE_MONEY).alias("send_cost"),
        F.struct(*PRECEDENCE).alias("_place"),
    )
    times = {
        name: F.min(F.when(F.col("event") == event, F.col(column)))
        for event, (day, instant) in EVENTS.items()
        for name, column in ((day, "touch_date"), (instant, "event_at"))
    }
    return told.groupBy("touch_id").agg(
        *[take_newest(column) for column in ("campaign_id", "touch_channel", "member_id")],
        F.min("touch_date").alias("touch_date"),
        *[time.alias(name) for name, time in times.items()],
        # A message sent again under its id is one: it costs what was told last.
        take_newest("send_cost", F.col("event") == "send"),
    )


FINE_MONEY = "decimal(18,4)"  # a push costs a twentieth of a cent
EVENTS = {
    "send": ("sent_date", "sent_at"),
    "exposure": ("exposed_date", "exposed_at"),
    "click": ("clicked_date", "clicked_at"),
}


def take_newest(column: str, among: Column | None = None) -> Column:
    """What the newest row says, of those `among` which it is looked for."""
    place = F.col("_place") if among is None else F.when(among, F.col("_place"))
    return F.max_by(column, place).alias(column)
