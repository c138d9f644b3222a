"""One row per campaign and member whom it is meant for: sent it or held out, with the campaign's type and dates.

Who is held out (`is_control`) is sent nothing, so that the others can be compared with somebody. Where a target is sent
again, its newest word counts; a source that tests nothing holds nobody out.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import as_typed, clean, keep_newest


def build(campaign_targets: DataFrame, campaign_list: DataFrame) -> DataFrame:
    """Targets with their campaign's dates."""
    # Many targets to one campaign. A target whose campaign is not listed yet stays, without dates, until it is.
    return campaign_targets.transform(keep_targets).join(
        campaign_list.transform(keep_campaigns), on="campaign_id", how="left"
    )


def keep_targets(campaign_targets: DataFrame) -> DataFrame:
    """The newest word on each target."""
    # Keys as received: a run finds the rows to rebuild by them.
    return campaign_targets.transform(keep_newest, "campaign_id", "member_id").select(
        "campaign_id",
        "member_id",
        F.coalesce(F.lower(clean("test_group")) == CONTROL, F.lit(False)).alias("is_control"),
    )


CONTROL = "control"


def keep_campaigns(campaign_list: DataFrame) -> DataFrame:
    """The newest word on each campaign."""
    return campaign_list.transform(keep_newest, "campaign_id").select(
        "campaign_id",
        clean("campaign_type"),
        as_typed("start_date", "date"),
        as_typed("end_date", "date"),
    )
