"""Orders from suppliers; repeats and corrections: tests/golden/supplier_orders."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.supplier_orders import build
from tests.frames import make

ORDER = {"units": "2", "unit_cost": "1.50", "due_on": "2017-01-02"}


def test_orders_of_nothing_for_nothing_or_due_before_they_were_made_are_set_aside(spark):
    bad = [{"units": "0"}, {"unit_cost": "0"}, {"due_on": "2016-12-31"}]
    rows = [ORDER | {"purchase_order_id": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(300)]
    verdict = gate.judge(build(make(spark, "purchase_orders", rows)), load("silver.supplier_orders"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))
