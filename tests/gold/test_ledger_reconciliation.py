"""Sales against finance; which sides are compared by example: tests/golden/ledger_reconciliation."""

from datetime import date

import pytest

from jobs.gold.ledger_reconciliation import build
from jobs.kit import gate
from jobs.kit.contracts import load
from tests.frames import make


@pytest.mark.parametrize(("wrong", "is_accepted"), [(3, True), (4, False)])
def test_a_few_wrong_bookings_are_shown_and_many_stop_the_run(spark, wrong, is_accepted):
    days = [date(2024, 1, 1), date(2024, 1, 31)]
    stores = [f"S{n}" for n in range(100)]
    sales = [{"order_date": days[0], "store_id": s, "net_amount": "10.00"} for s in stores]
    entries = [
        {
            "entry_id": s, "posting_date": days[1], "store_id": s, "ledger_account": "6001",
            "entry_amount": "-110.00" if n < wrong else "-10.00",
        }
        for n, s in enumerate(stores)
    ]  # fmt: skip
    built = build(
        make(spark, "sales_daily", sales), make(spark, "finance_ledger", entries), make(spark, "store_results")
    )
    shown = [row.ledger_difference_amount for row in built.where("NOT is_reconciled").collect()]
    assert shown == [100] * wrong
    failures = gate.judge(built, load("gold.ledger_reconciliation")).failures
    assert (not failures) == is_accepted
