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


def test_what_costs_nothing_is_set_aside_and_a_master_of_it_publishes_nothing(spark):
    def costing(*free: int):
        costs = [{"product_id": str(n), "unit_cost_amount": "0.00" if n in free else "1.00"} for n in range(200)]
        return gate.judge(make(spark, "products", costs), load("silver.products"))

    assert (costing(7).passed, costing(7).rows_refused) == (True, 1)
    assert not costing(*range(3)).passed
