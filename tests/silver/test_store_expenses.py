"""Expenses; restatements: tests/golden/store_expenses."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.store_expenses import build
from tests.frames import make

EXPENSE = {"account": "rent", "amount": "10"}


def test_expenses_of_an_unknown_kind_or_below_zero_are_set_aside(spark):
    bad = [{"account": "gifts"}, {"amount": "-10"}]
    rows = [EXPENSE | {"store_id": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(200)]
    verdict = gate.judge(build(make(spark, "finance_expenses", rows)), load("silver.store_expenses"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))
