"""Permissions of a day; strictness and periods by example: tests/golden/contact_permissions."""

from datetime import date, timedelta

from jobs.gold import contact_permissions
from tests.frames import make, rows_of

DAY = date(2025, 2, 10)


def test_what_is_said_later_changes_no_earlier_day(spark):
    said = {"account_system": "crm", "account_id": "K1", "touch_channel": "sms", "purpose": "marketing"}
    first = said | {"is_given": True, "valid_from": DAY, "is_current": True}
    ended = first | {"valid_to": DAY + timedelta(days=1), "is_current": False}
    then = said | {"is_given": False, "valid_from": DAY + timedelta(days=1), "is_current": True}

    def permissions(rows, day):
        built = contact_permissions.build(make(spark, "consents", rows), make(spark, "identities"), as_of=day)
        return rows_of(built, "customer_id", "is_allowed", "record_count")

    assert permissions([first], DAY) == permissions([ended, then], DAY)
    assert [allowed for _, allowed, _ in permissions([ended, then], DAY + timedelta(days=1))] == [False]
    assert permissions([first], DAY - timedelta(days=1)) == []


def test_of_nobody_asked_there_is_no_row(spark):
    empty = contact_permissions.build(make(spark, "consents"), make(spark, "identities"), as_of=DAY)
    assert rows_of(empty) == []
