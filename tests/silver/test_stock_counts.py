"""Counts; the months that they speak of: tests/golden/stock_counts."""

from datetime import date

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.stock_counts import build
from tests.frames import make

COUNT = {"on_hand": "0", "count_date": date(2017, 1, 15)}


def test_less_than_nothing_is_set_aside(spark):
    bad = [{"on_hand": "-1"}]
    rows = [COUNT | {"product_id": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(200)]
    verdict = gate.judge(build(make(spark, "stock_snapshots", rows)), load("silver.stock_counts"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))
