"""One row per coupon, product it is good for, and campaign that issued it."""

from pyspark.sql import DataFrame


def build(coupon_list: DataFrame) -> DataFrame:
    """Pairs sent twice are one."""
    # All of it is key, so a repeated row has nothing to win by; keys stay as received.
    return coupon_list.select("coupon_id", "product_id", "campaign_id").distinct()
