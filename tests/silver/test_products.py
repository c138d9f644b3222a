"""The product master; newest-wins and blanks: tests/golden/products."""

from jobs.kit import gate
from jobs.kit.contracts import load
from tests.frames import make, rows_of


def test_an_identifier_that_matches_nothing_is_set_aside(spark):
    good = [{"product_id": str(n), "brand": "National"} for n in range(200)]
    verdict = gate.judge(make(spark, "products", [*good, {"product_id": " 7", "brand": None}]), load("silver.products"))
    assert (verdict.passed, verdict.rows_refused) == (True, 1)
    assert verdict.refused is not None
    assert rows_of(verdict.refused, "product_id") == [(" 7",)]
