"""Refunds; repeats, unknown orders, broken amounts: tests/golden/refund_lines."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.refund_lines import build
from tests.frames import make

REFUND = {"platform": "app", "order_no": "SO1", "line_no": "1", "qty": "1", "amount": "1.00"}
REFUND |= {"refunded_at": "2025-03-09T09:00:00+08:00"}


def test_refunds_that_take_money_or_name_no_platform_are_set_aside(spark):
    bad = [{"amount": "-1.00"}, {"qty": "0"}, {"platform": "pinduoduo"}]
    rows = [REFUND | {"refund_id": str(n)} | (bad[n] if n < 3 else {}) for n in range(300)]
    verdict = gate.judge(build(make(spark, "refunds", rows), make(spark, "online_orders")), load("silver.refund_lines"))
    assert (verdict.passed, verdict.rows_refused) == (True, 3)
