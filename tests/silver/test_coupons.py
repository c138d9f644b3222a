"""Coupons."""

from jobs.silver.coupons import build
from tests.frames import differences, make


def test_a_pair_sent_twice_is_one_and_a_coupon_may_serve_many_products_and_campaigns(spark):
    pairs = [("c", "7", "1"), ("c", "7", "1"), ("c", "8", "1"), ("c", "7", "2")]
    rows = [dict(zip(("coupon_id", "product_id", "campaign_id"), pair, strict=True)) for pair in pairs]
    assert differences(build(make(spark, "coupon_list", rows)), "coupons", rows[1:]) == {}
