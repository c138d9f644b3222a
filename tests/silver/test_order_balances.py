"""The reconciliation of lines, tickets and payments; who is judged and who is not: tests/golden/order_balances."""

import pytest

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.order_balances import build
from tests.frames import make

TICKET = {"line_count": "1", "total_amount": "1.00"}


def balances(spark, broken: int, side: str):
    ids = [str(n) for n in range(200)]
    paid = [{"order_id": i, "paid_amount": "1.00", "line_count": 1} for i in ids]
    sums = [{"order_id": i, "payment_number": 1, "payment_amount": "1.00"} for i in ids]
    for row in (paid if side == "paid_amount" else sums)[:broken]:
        row[side] = "0.99"
    tickets = make(spark, "pos_tickets", [TICKET | {"order_id": i} for i in ids])
    return build(make(spark, "orders", paid), tickets, make(spark, "online_orders"), make(spark, "payments", sums))


@pytest.mark.parametrize("side", ["paid_amount", "payment_amount"])
def test_a_cent_in_few_orders_is_shown_and_in_many_publishes_nothing(spark, side):
    contract = load("silver.order_balances")
    few = gate.judge(balances(spark, 2, side), contract)
    assert (few.passed, few.rows_out) == (True, 200), "the unbalanced stay in the table, to be looked at"
    many = gate.judge(balances(spark, 3, side), contract)
    assert list(many.failures) == [
        "lines_add_up_to_orders" if side == "paid_amount" else "orders_add_up_to_payments",
    ]
