"""Categories bought together; what counts as what by example: tests/golden/store_affinity."""

import random
from datetime import date

import pytest

from jobs.gold.store_affinity import build
from jobs.parameters import MIN_PAIR_ORDERS
from tests.frames import make

AS_OF = date(2025, 12, 31)


def test_counts_are_those_of_the_baskets(spark):
    dice = random.Random(6)
    baskets = [{c for c in "ABCD" if dice.random() < 0.5} for _ in range(100)]
    lines = [
        {"order_id": str(n), "product_id": c, "order_date": AS_OF, "line_type": "sale", "quantity": 1}
        for n, basket in enumerate(baskets)
        for c in basket
    ]
    products = [{"product_id": c, "category": c} for c in "ABCD"]
    built = build(make(spark, "order_lines", lines), make(spark, "products", products), as_of=AS_OF).collect()
    together = {(a, b): sum({a, b} <= basket for basket in baskets) for a in "ABCD" for b in "ABCD" if a != b}
    assert {(r["category"], r["other_category"]): r["pair_order_count"] for r in built} == {
        pair: count for pair, count in together.items() if count >= MIN_PAIR_ORDERS
    }
    lifts = {(r["category"], r["other_category"]): r["lift"] for r in built}
    assert lifts and lifts == {(a, b): pytest.approx(lifts[b, a]) for a, b in lifts}, "chance has no direction"
