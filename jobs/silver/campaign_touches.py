"""One row per campaign and member whom it targets, with the campaign's type and dates."""

from pyspark.sql import DataFrame

from jobs.verbs import as_typed, clean, keep_newest


def build(campaign_targets: DataFrame, campaign_list: DataFrame) -> DataFrame:
    """Targets with their campaign's dates."""
    # Many targets to one campaign. A target whose campaign is not listed yet stays, without dates, until it is.
    return campaign_targets.transform(keep_distinct_targets).join(
        campaign_list.transform(keep_campaigns), on="campaign_id", how="left"
    )


def keep_distinct_targets(campaign_targets: DataFrame) -> DataFrame:
    """A target sent twice is one."""
    # Keys as received: a run finds the rows to rebuild by them.
    return campaign_targets.select("campaign_id", "member_id").distinct()


def keep_campaigns(campaign_list: DataFrame) -> DataFrame:
    """The newest word on each campaign."""
    return campaign_list.transform(keep_newest, "campaign_id").select(
        "campaign_id",
        clean("campaign_type"),
        as_typed("start_date", "date"),
        as_typed("end_date", "date"),
    )
