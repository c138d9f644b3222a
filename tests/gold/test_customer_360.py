"""One row per customer; what counts by when by example: tests/golden/customer_360."""

import hashlib
import random
from datetime import date

from jobs.gold.customer_360 import build
from tests.frames import make, rows_of


def test_no_join_loses_or_doubles_a_customer(spark):
    dice = random.Random(11)
    day = date(2017, 1, 1)
    twice, thrice = (1, 2), (1, 2, 3)

    def some() -> list[str]:
        return [str(m) for m in dice.sample(range(60), 30)]

    crm, tills, targets, redeemers, accounts = some(), some(), some(), some(), some()
    who = {m: f"C{dice.randrange(40)}" for m in map(str, range(60))}  # many have two cards or more
    built = build(
        make(spark, "identities", [
            {"account_system": s, "account_id": m, "customer_id": who[m] if s == "erp" else f"{s} of {m}",
             "first_seen_date": day}
            for m in accounts for s in ("erp", "app")
        ]),
        make(spark, "members", [{"member_id": m, "valid_from": day, "is_current": True} for m in crm]),
        make(spark, "customer_orders", [
            {"order_id": f"{m}-{n}", "customer_id": who[m], "order_date": day, "is_purchase": True}
            for m in tills for n in twice
        ]),
        make(spark, "campaign_touches", [
            {"member_id": m, "campaign_id": f"{m}-{c}", "start_date": day} for m in targets for c in twice
        ]),
        make(spark, "coupon_redemptions", [
            {"member_id": m, "coupon_id": str(c), "redemption_date": day} for m in redeemers for c in thrice
        ]),
        as_of=day,
    )  # fmt: skip
    counts = ("erp_account_count", "app_account_count", "order_count", "campaign_count", "redemption_count")
    rows = rows_of(built, "customer_id", "is_in_crm", *counts)
    assert len({row[0] for row in rows}) == len(rows)
    sums = [sum(row[i] for row in rows) for i in range(2, 7)]
    assert sums == [30, 30, 2 * 30, 2 * 30, 3 * 30]
    holders = {who[m] if m in accounts else own(m) for m in crm}
    assert sum(row[1] for row in rows) == len(holders)


def own(card: str) -> str:
    return "C" + hashlib.sha256(f"erp|{card}".encode()).hexdigest()[:16]
