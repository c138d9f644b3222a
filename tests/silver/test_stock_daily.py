"""The books of the shelves; openings, counts, gaps: tests/golden/stock_daily."""

import random
from datetime import date, timedelta

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.stock_daily import build
from tests.frames import make

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 31)


def shelves(spark, lost: int = 0):
    """200 shelves of one store over a January; of the first `lost` one sale was never told."""
    dice, moves, counts = random.Random(3), [], []
    for n in range(200):
        key = {"store_id": "S1", "product_id": f"P{n}", "month_start_date": FIRST}
        there = 20
        counts.append(key | {"count_date": FIRST - timedelta(1), "counted_unit_count": there})
        for day in range(1, 20, 3):
            kind, units = dice.choice(
                [("receipt", 4), ("sale", -1), ("spoilage", -2), ("adjustment", dice.choice([-1, 1]))]
            )
            there += units
            at = FIRST + timedelta(day)
            moves.append(key | {"movement_date": at, "movement_type": kind, "moved_unit_count": units})
        counts.append(key | {"count_date": LAST, "counted_unit_count": there - (n < lost)})
    return build(make(spark, "stock_movements", moves), make(spark, "stock_counts", counts))


def test_every_row_opens_with_what_the_row_before_closed_with(spark):
    closing: dict[str, int] = {}
    for row in sorted(shelves(spark).collect(), key=lambda row: row["stock_date"]):
        product = row["product_id"]
        assert row["opening_unit_count"] == closing.get(product, 20)
        closing[product] = row["closing_unit_count"]
        if row["stock_date"] == LAST:
            assert (row["counted_unit_count"], row["count_difference_unit_count"]) == (closing[product], 0)


def test_a_shelf_that_the_books_cannot_explain_is_shown_and_many_publish_nothing(spark):
    contract = load("silver.stock_daily")
    few = gate.judge(shelves(spark, lost=2), contract)
    assert (few.passed, few.rows_refused) == (True, 0), "they stay in the table, to be looked at"
    assert list(gate.judge(shelves(spark, lost=3), contract).failures) == ["counts_agree_with_books"]


def test_a_closing_that_does_not_follow_publishes_nothing(spark):
    rows = [{"product_id": "P1", "opening_unit_count": 1, "sold_unit_count": 1, "closing_unit_count": 1}]
    assert list(gate.judge(make(spark, "stock_daily", rows), load("silver.stock_daily")).failures) == ["books_add_up"]
