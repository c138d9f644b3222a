"""Daily sales; grain and UNKNOWN by example: tests/golden/sales_daily."""

import random
from decimal import Decimal

from pyspark.sql import functions as F

from jobs.gold.sales_daily import build
from tests.frames import make


def test_no_cent_is_lost_whatever_the_master_knows(spark):
    dice = random.Random(5)
    lines = [
        {
            "order_id": str(dice.randrange(50)), "line_number": n, "product_id": str(dice.randrange(20)),
            "store_id": str(dice.randrange(3)), "line_type": dice.choice(["sale", "return"]),
            "net_amount": Decimal(dice.randrange(-9999, 99999)) / 100,
        }
        for n in range(400)
    ]  # fmt: skip
    known = [{"product_id": str(p), "category": dice.choice(["A", None]), "department": "D"} for p in range(10)]
    built = build(make(spark, "order_lines", lines), make(spark, "products", known))
    total = built.agg(F.sum("net_amount"), F.sum("line_count")).first()
    assert tuple(total) == (sum(line["net_amount"] for line in lines), 400)
