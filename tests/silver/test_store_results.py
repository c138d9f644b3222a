"""Finance's results by store and department; restatements: tests/golden/store_results."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.store_results import build
from tests.frames import make

RESULT = {"category": "Fresh", "revenue": "-1", "cost": "2"}


def test_a_cost_below_zero_is_set_aside(spark):
    bad = [{"cost": "-2"}]
    rows = [RESULT | {"store_id": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(100)]
    verdict = gate.judge(build(make(spark, "finance_monthly", rows)), load("silver.store_results"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))
