"""Coupon redemptions."""

from datetime import date

from jobs.silver.coupon_redemptions import build
from tests.frames import differences, make


def test_a_redemption_sent_twice_counts_once_and_the_next_day_is_another(spark):
    event = {"member_id": "900", "coupon_id": "c", "campaign_id": "1"}
    days = [date(2017, 1, 1), date(2017, 1, 1), date(2017, 1, 2)]
    sent = [event | {"member_id": " 900 "} | {"redemption_date": day, "_file_id": str(n)} for n, day in enumerate(days)]
    wanted = [event | {"redemption_date": day} for day in days[1:]]
    assert differences(build(make(spark, "coupon_events", sent)), "coupon_redemptions", wanted) == {}
