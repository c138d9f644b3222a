"""One row per member; what counts by when by example: tests/golden/customer_360."""

import random
from datetime import date

from jobs.gold.customer_360 import build
from tests.frames import make, rows_of


def test_no_join_loses_or_doubles_a_member(spark):
    dice = random.Random(11)
    day = date(2017, 1, 1)
    twice, thrice = (1, 2), (1, 2, 3)

    def some() -> list[str]:
        return [str(m) for m in dice.sample(range(60), 30)]

    crm, tills, targets, redeemers = some(), some(), some(), some()
    built = build(
        make(spark, "members", [{"member_id": m, "valid_from": day, "is_current": True} for m in crm]),
        make(spark, "orders", [
            {"order_id": f"{m}-{n}", "member_id": m, "order_date": day} for m in tills for n in twice
        ]),
        make(spark, "campaign_touches", [
            {"member_id": m, "campaign_id": str(c), "start_date": day} for m in targets for c in twice
        ]),
        make(spark, "coupon_redemptions", [
            {"member_id": m, "coupon_id": str(c), "redemption_date": day} for m in redeemers for c in thrice
        ]),
        as_of=day,
    )  # fmt: skip
    wanted = {
        (m, m in crm, 2 * (m in tills), 2 * (m in targets), 3 * (m in redeemers))
        for m in {*crm, *tills, *targets, *redeemers}
    }
    found = rows_of(built, "member_id", "is_in_crm", "order_count", "campaign_count", "redemption_count")
    assert found == sorted(wanted, key=repr)
