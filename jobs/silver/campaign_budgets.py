"""One row per campaign and touch channel: what may be spent on it and the discount it grants, as last announced."""

from pyspark.sql import DataFrame

from jobs.silver.campaign_touches import keep_campaigns
from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_newest


def build(campaign_plans: DataFrame, campaign_list: DataFrame) -> DataFrame:
    """Plans with their campaign's type and dates."""
    # Many plans to at most one campaign. One that is not listed yet stays, without dates, until it is.
    return campaign_plans.transform(keep_plans).join(
        campaign_list.transform(keep_campaigns), on="campaign_id", how="left"
    )


def keep_plans(campaign_plans: DataFrame) -> DataFrame:
    """The newest word on each campaign and channel."""
    keys = {"campaign_id": clean("campaign_id"), "touch_channel": clean("channel")}
    return (
        campaign_plans.withColumns(keys)
        .transform(keep_newest, *keys)
        .select(
            *keys,
            clean("name_zh").alias("campaign_name_zh"),
            clean("name_en").alias("campaign_name_en"),
            as_typed("budget", MONEY).alias("budget_amount"),
            as_typed("discount_share", "double"),
            *ORIGIN,
        )
    )
