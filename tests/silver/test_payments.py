"""Payments of all channels; repeats, split tickets, refunds: tests/golden/payments."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.payments import build
from tests.frames import make

PAID = {"payment_number": "1", "method": "cash", "paid_at": "2025-03-01T12:00:00+08:00"}


def test_a_negative_payment_that_is_no_refund_is_set_aside(spark):
    odd = [{"amount": "-1.00"}, {"amount": "-1.00", "method": "refund"}, {"payment_number": "0", "amount": "1.00"}]
    rows = [PAID | {"order_id": str(n)} | (odd[n] if n < 3 else {"amount": "1.00"}) for n in range(200)]
    none = (make(spark, "online_orders"), make(spark, "refund_lines"))
    verdict = gate.judge(build(make(spark, "pos_payments", rows), *none), load("silver.payments"))
    assert (verdict.passed, verdict.rows_refused) == (True, 2)
