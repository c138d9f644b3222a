"""Campaign touches; repeats and unknown campaigns by example: tests/golden/campaign_touches."""

from datetime import date

from jobs.kit import gate
from jobs.kit.contracts import load
from tests.frames import make, rows_of


def test_a_campaign_that_ends_before_it_starts_is_set_aside(spark):
    touches = [
        {"campaign_id": "1", "member_id": "1", "start_date": date(2017, 2, 1), "end_date": date(2017, 1, 1)},
        {"campaign_id": "2", "member_id": "1", "start_date": date(2017, 2, 1), "end_date": date(2017, 2, 1)},
        {"campaign_id": "3", "member_id": "1"},
    ]
    verdict = gate.judge(make(spark, "campaign_touches", touches), load("silver.campaign_touches"))
    assert verdict.passed
    assert rows_of(verdict.accepted, "campaign_id") == [("2",), ("3",)]
