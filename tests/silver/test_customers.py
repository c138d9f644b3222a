"""Survivorship; each rule by example: tests/golden/customers."""

from datetime import date

from jobs.silver.customers import build
from tests.frames import make, rows_of


def known(spark, *phones):
    accounts = [
        {"account_system": system, "account_id": str(n), "first_seen_date": date(2024, 1, day), "phone": phone}
        for n, (system, day, phone) in enumerate(phones)
    ]
    owners = [
        {"account_system": a["account_system"], "account_id": a["account_id"], "customer_id": "C1"} for a in accounts
    ]
    return rows_of(build(make(spark, "accounts", accounts), make(spark, "identities", owners)), "phone")


def test_agreement_before_trust_before_youth(spark):
    assert known(spark, ("app", 5, "1"), ("tmall", 1, "2"), ("jd", 2, "2")) == [("2",)]
    assert known(spark, ("app", 1, "1"), ("tmall", 5, "2")) == [("1",)]
    assert known(spark, ("app", 1, "1"), ("app", 5, "2")) == [("2",)]
    assert known(spark, ("app", 5, None), ("social", 1, None)) == [(None,)]
