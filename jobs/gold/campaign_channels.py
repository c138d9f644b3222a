"""One row per campaign and touch channel that had begun by `as_of`: messages, what became of them, cost against budget.

It had begun if its plan says so, or if anything of it was sent, seen or clicked: what was done without a plan is shown
without a budget. A message that was seen or clicked but, for all that is known, never sent counts in `unsent_count`;
the gate holds it at zero, as it holds each count below the one that it is part of.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import as_money, keep_until, share_of


def build(touches: DataFrame, campaign_budgets: DataFrame, campaign_touches: DataFrame, *, as_of: date) -> DataFrame:
    """Counts of messages, beside plan and targets."""
    planned = campaign_budgets.transform(keep_until, "start_date", as_of).select(*KEY, "budget_amount")
    described = campaign_budgets.groupBy("campaign_id").agg(*[F.max(column).alias(column) for column in DESCRIBED])
    sent_to = campaign_touches.where("not is_control")
    targeted = sent_to.groupBy("campaign_id").agg(F.countDistinct("member_id").alias("targeted_member_count"))
    # One to at most one on either side; then many channels to at most one description and one target group.
    return (
        touches.transform(count_messages, as_of)
        .join(planned, on=list(KEY), how="full")
        .join(described, on="campaign_id", how="left")
        .join(targeted, on="campaign_id", how="left")
        .fillna(0, [*COUNTS, "targeted_member_count"])
        .transform(with_rates)
        .withColumn("as_of_date", F.lit(as_of))
    )


KEY = ("campaign_id", "touch_channel")
DESCRIBED = ("campaign_name_zh", "campaign_name_en", "start_date", "end_date")
COUNTS = ("sent_member_count", "sent_count", "exposed_count", "clicked_count", "unsent_count")


def count_messages(touches: DataFrame, as_of: date) -> DataFrame:
    """One row per campaign and channel, as it was known at the end of `as_of`."""
    sent, exposed, clicked = (
        F.coalesce(F.col(day) <= F.lit(as_of), F.lit(False)) for day in ("sent_date", "exposed_date", "clicked_date")
    )
    return (
        touches.transform(keep_until, "touch_date", as_of)
        .groupBy(*KEY)
        .agg(
            F.countDistinct(F.when(sent, F.col("member_id"))).alias("sent_member_count"),
            F.count_if(sent).alias("sent_count"),
            F.count_if(exposed).alias("exposed_count"),
            F.count_if(clicked).alias("clicked_count"),
            F.count_if((exposed | clicked) & ~sent).alias("unsent_count"),
            F.sum(F.when(sent, F.col("send_cost"))).alias("cost"),
        )
    )


def with_rates(channels: DataFrame) -> DataFrame:
    """Rates between the steps, and cost by click and budget: summed first, then rounded to the cent."""
    cost, budget, clicks = F.coalesce("cost", F.lit(0)), F.col("budget_amount"), F.col("clicked_count")
    return channels.withColumns(
        {
            "exposure_rate": share_of(F.col("exposed_count"), F.col("sent_count")),
            "click_rate": share_of(clicks, F.col("exposed_count")),
            "cost_amount": as_money(cost),
            "budget_use": F.when(budget > 0, cost.cast("double") / budget.cast("double")),
            "cost_per_click": F.when(clicks > 0, cost / clicks).cast("decimal(18,4)"),
        }
    ).drop("cost")
