"""Channels by day; what counts as what by example: tests/golden/channel_daily."""

import random
from decimal import Decimal

from pyspark.sql import functions as F

from jobs.gold.channel_daily import build
from tests.frames import make


def test_no_cent_is_lost_between_orders_and_channels(spark):
    dice = random.Random(8)
    orders = [
        {
            "order_id": str(n), "channel": dice.choice(["pos", "app", "jd"]), "line_count": dice.randrange(3),
            "is_purchase": dice.random() < 0.9, "net_amount": Decimal(dice.randrange(-9999, 99999)) / 100,
        }
        for n in range(300)
    ]  # fmt: skip
    balances = [{"order_id": str(n)} for n in range(0, 300, 2)]
    built = build(make(spark, "orders", orders), make(spark, "order_balances", balances))
    assert built.agg(F.sum("net_amount")).first()[0] == sum(o["net_amount"] for o in orders)
