"""Campaigns; windows and who counts by example: tests/golden/campaign_performance."""

from datetime import date

from jobs.gold.campaign_performance import build
from tests.frames import make, rows_of


def test_one_row_per_campaign_begun_even_if_nobody_bought(spark):
    touches = [
        {"campaign_id": c, "member_id": m, "start_date": start, "end_date": end}
        for c, start, end in (
            ("1", date(2017, 3, 1), date(2017, 3, 31)),
            ("2", date(2017, 3, 1), None),
            ("3", date(2017, 3, 10), date(2017, 3, 31)),
            ("4", date(2017, 3, 11), date(2017, 3, 31)),
        )
        for m in "ab"
    ]
    names = ("coupons", "coupon_redemptions", "customer_orders", "order_lines", "products", "identities")
    empty = [make(spark, name) for name in names]
    built = build(make(spark, "campaign_touches", touches), *empty, as_of=date(2017, 3, 10))
    found = rows_of(built, "campaign_id", "window_days", "is_finished", "targeted_member_count", "is_comparable")
    # Without an end date a campaign runs on; without any sale nothing can be compared.
    assert found == [("1", 10, False, 2, False), ("2", 10, False, 2, False), ("3", 1, False, 2, False)]
