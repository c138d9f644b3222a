"""Promotions; merging and correction by example: tests/golden/promotions."""

from datetime import date

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.promotions import build
from tests.frames import make, rows_of


def test_the_order_of_rows_does_not_matter(spark):
    rows = [
        {"product_id": "1", "display_location": code, "mailer_location": "0", "_file_id": file, "_row_number": n}
        for n, (code, file) in enumerate([("9", "a"), ("3", "b"), ("1", "b")])
    ]
    week = {"store_id": "1", "week_start_date": date(2017, 1, 2), "week": "2"}
    for order in (rows, rows[::-1]):
        built = build(make(spark, "promotion_placements", [row | week for row in order]))
        assert rows_of(built, "display_location", "has_display", "has_mailer") == [("3", True, False)]


def test_a_shifted_column_is_held(spark):
    placements = make(
        spark, "promotions", [{"product_id": "1", "week": 2, "display_location": "10", "mailer_location": "A"}]
    )
    assert not gate.judge(placements, load("silver.promotions")).passed
