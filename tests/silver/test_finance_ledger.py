"""The ledger; repeats and signs: tests/golden/finance_ledger."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.finance_ledger import build
from tests.frames import make


def ledger(spark, *entries: tuple[str, str]):
    rows = [{"entry_id": str(n), "debit": debit, "credit": credit} for n, (debit, credit) in enumerate(entries)]
    return gate.judge(build(make(spark, "ledger_entries", rows)), load("silver.finance_ledger"))


def test_a_ledger_out_of_balance_publishes_nothing(spark):
    assert ledger(spark, ("5.00", "0"), ("0", "3.00"), ("0", "2.00")).passed
    assert not ledger(spark, ("5.00", "0"), ("0", "3.00")).passed


def test_an_entry_on_both_sides_publishes_nothing(spark):
    assert not ledger(spark, ("5.00", "5.00")).passed
