"""One row per member, coupon, campaign and day on which the member redeemed it.

The source has no event number, so a redemption sent twice and two redemptions of one coupon on one day look the same:
they count once.
"""

from pyspark.sql import DataFrame

from jobs.verbs import clean


def build(coupon_events: DataFrame) -> DataFrame:
    """Redemptions sent twice are one."""
    return coupon_events.select(
        clean("member_id"), clean("coupon_id"), clean("campaign_id"), "redemption_date"
    ).distinct()
