"""Stores by day; what counts as what by example: tests/golden/store_daily."""

import random
from decimal import Decimal

from pyspark.sql import functions as F

from jobs.gold.store_daily import build
from tests.frames import make


def test_no_cent_and_no_order_is_lost_between_orders_and_stores(spark):
    dice = random.Random(8)
    orders = [
        {
            "order_id": str(n), "channel": dice.choice(["pos", "app", "jd"]), "store_id": f"S{dice.randrange(9)}",
            "is_purchase": dice.random() < 0.9, "net_amount": Decimal(dice.randrange(-9999, 99999)) / 100,
        }
        for n in range(300)
    ]  # fmt: skip
    built = build(make(spark, "orders", orders))
    assert built.agg(F.sum("net_amount"), F.sum("order_count")).first()[:] == (
        sum(o["net_amount"] for o in orders),
        sum(o["is_purchase"] for o in orders),
    )
