"""Registrations in one way of writing; each rule by example: tests/golden/accounts."""

from datetime import date

import pytest

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.accounts import build
from tests.frames import make, rows_of

INPUTS = ("erp_members", "crm_members", "app_users", "tmall_orders", "jd_orders", "social_interactions")


def built(spark, **rows):
    return build(*[make(spark, name, rows.get(name, [])) for name in INPUTS])


@pytest.mark.parametrize(
    ("phone", "whole", "fragment"),
    [
        ("14100000001", "14100000001", "141****0001"),
        ("(+86) 141 0000 0001", "14100000001", "141****0001"),
        ("+8614100000001", "14100000001", "141****0001"),
        ("141****0001", None, "141****0001"),
        ("13800138000", None, None),
        ("16666666666", None, None),
        ("12345678901", None, None),
        ("0000000", None, None),
        ("123", None, None),
        ("none", None, None),
        (None, None, None),
    ],
)
def test_a_phone_is_somebodys_or_none(spark, phone, whole, fragment):
    found = built(spark, erp_members=[{"member_id": "M1", "phone": phone}])
    assert rows_of(found, "phone", "phone_fragment") == [(whole, fragment)]


def test_the_first_day_is_that_of_the_facts_whatever_came_first(spark):
    orders = [
        {"buyer_nick": "tb", "order_date": date(2025, 3, 1), "modified": "2025-03-01 10:00:00", "receiver_name": "甲"},
        {"buyer_nick": "tb", "order_date": date(2025, 1, 1), "modified": "2025-01-01 10:00:00", "receiver_name": "丙丁",
         "_file_date": date(2026, 1, 1)},
    ]  # fmt: skip
    for rows in (orders, orders[::-1], [*orders, *orders]):
        found = built(spark, tmall_orders=rows)
        assert rows_of(found, "account_id", "first_seen_date", "name") == [("tb", date(2025, 1, 1), "甲")]


def test_an_account_from_before_there_were_computers_is_set_aside(spark):
    rows = [{"account_system": "erp", "account_id": str(n), "first_seen_date": date(2024, 1, 1)} for n in range(200)]
    old = {"account_system": "erp", "account_id": "old", "first_seen_date": date(1900, 1, 1)}
    verdict = gate.judge(make(spark, "accounts", [*rows, old]), load("silver.accounts"))
    assert (verdict.passed, verdict.rows_refused) == (True, 1)
