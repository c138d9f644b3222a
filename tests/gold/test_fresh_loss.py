"""Losses of fresh goods; what counts as what by example: tests/golden/fresh_loss."""

import random

from pyspark.sql import functions as F

from jobs.gold.fresh_loss import build
from tests.frames import make

SIGNS = {"receipt": 1, "sale": -1, "spoilage": -1}


def test_no_unit_of_what_is_fresh_is_lost_whatever_its_category(spark):
    dice = random.Random(4)
    moves = [
        {
            "store_id": str(dice.randrange(3)), "product_id": str(dice.randrange(9)),
            "movement_type": (kind := dice.choice(list(SIGNS))), "moved_unit_count": SIGNS[kind] * dice.randrange(1, 9),
        }
        for _ in range(200)
    ]  # fmt: skip
    products = [
        {"product_id": str(n), "category": dice.choice(["A", "B", None]), "shelf_life_days": 5 if n < 5 else 365}
        for n in range(9)
    ]
    built = build(make(spark, "stock_movements", moves), make(spark, "products", products))
    total = built.agg(*[F.sum(f"{name}_unit_count") for name in ("received", "sold", "spoiled")]).first()
    fresh = [m for m in moves if int(m["product_id"]) < 5]
    assert tuple(total) == tuple(
        sum(abs(m["moved_unit_count"]) for m in fresh if m["movement_type"] == kind) for kind in SIGNS
    )
