"""The history of consents; each rule by example: tests/golden/consents."""

import random
from datetime import date, timedelta

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.consents import build
from tests.frames import make, rows_of


def test_on_any_day_the_history_says_what_the_last_change_by_then_said(spark):
    dice = random.Random(11)
    changes = []
    for n in range(150):
        day, hour = date(2025, 1, 1) + timedelta(days=dice.randrange(20)), dice.randrange(24)
        changes.append({
            "crm_id": str(dice.randrange(12)), "channel": dice.choice(["sms", "email"]), "purpose": "marketing",
            "is_given": dice.choice("YN"), "change_date": day, "changed_at": f"{day}T{hour:02}:00:00+08:00",
            "_row_number": n,
        })  # fmt: skip
    periods = rows_of(
        build(make(spark, "consent_changes", changes)),
        "account_id", "touch_channel", "valid_from", "valid_to", "is_given",
    )  # fmt: skip
    for who, channel in {(c["crm_id"], c["channel"]) for c in changes}:
        for offset in range(25):
            day = date(2025, 1, 1) + timedelta(days=offset)
            told = [c for c in changes if (c["crm_id"], c["channel"]) == (who, channel) and c["change_date"] <= day]
            last = max(told, key=lambda c: (c["changed_at"], c["_row_number"]), default=None)
            said = [p[4] for p in periods if p[:2] == (who, channel) and p[2] <= day and (p[3] is None or day < p[3])]
            assert said == ([last["is_given"] == "Y"] if last else [])


def test_a_word_that_is_neither_is_no_consent(spark):
    row = {"crm_id": "1", "channel": "sms", "purpose": "marketing", "is_given": "ja", "change_date": date(2025, 1, 1)}
    verdict = gate.judge(build(make(spark, "consent_changes", [row])), load("silver.consents"))
    assert verdict.failures == {"known_answer": 1}
