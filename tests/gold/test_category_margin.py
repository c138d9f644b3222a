"""Margins of categories; returns and unknown costs by example: tests/golden/category_margin."""

import random
from datetime import date
from decimal import Decimal

from pyspark.sql import functions as F

from jobs.gold.category_margin import build
from tests.frames import make


def test_no_cent_of_sales_or_cost_is_lost_whatever_the_master_knows(spark):
    dice = random.Random(7)
    lines = [
        {
            "order_id": str(n), "line_number": 1, "order_date": date(2024, dice.randint(1, 3), dice.randint(1, 28)),
            "product_id": str(dice.randrange(20)), "line_type": "sale", "quantity": dice.randrange(5),
            "net_amount": Decimal(dice.randrange(99999)) / 100,
        }
        for n in range(300)
    ]  # fmt: skip
    cost = {str(p): Decimal(dice.randrange(1, 9999)) / 100 for p in range(10)}
    known = [{"product_id": p, "category": dice.choice(["A", None]), "unit_cost_amount": cost[p]} for p in cost]
    built = build(make(spark, "order_lines", lines), make(spark, "products", known))
    total = built.agg(F.sum("net_amount"), F.sum("margin_amount")).first()
    margins = [
        row["net_amount"] - row["quantity"] * cost[row["product_id"]] for row in lines if row["product_id"] in cost
    ]
    assert tuple(total) == (sum(row["net_amount"] for row in lines), sum(margins))
