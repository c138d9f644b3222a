"""Campaigns by channel; counting by example: tests/golden/campaign_channels. Here: what the gate holds."""

from datetime import date

import pytest

from jobs.gold.campaign_channels import build
from jobs.kit import gate
from jobs.kit.contracts import load
from tests.frames import make, rows_of

DAY = date(2025, 3, 1)
SENT = {"campaign_id": "C", "touch_channel": "sms", "touch_date": DAY, "sent_date": DAY, "send_cost": "0.0450"}
UNSENT = SENT | {"sent_date": None, "send_cost": None, "touch_id": "unsent", "member_id": "1"}


def channels(spark, touches: list[dict], targets: int = 3):
    rows = [SENT | {"touch_id": str(n), "member_id": str(n)} | t for n, t in enumerate(touches)]
    targeted = [{"campaign_id": "C", "member_id": str(n)} for n in range(targets)]
    tables = (make(spark, "touches", rows), make(spark, "campaign_budgets"), make(spark, "campaign_touches", targeted))
    return build(*tables, as_of=DAY)


def judged(spark, touches: list[dict], targets: int = 3) -> set[str]:
    return set(gate.judge(channels(spark, touches, targets), load("gold.campaign_channels")).failures)


def test_touches_that_reconcile_with_their_sends_pass(spark):
    assert judged(spark, [{}, {"exposed_date": DAY}, {"exposed_date": DAY, "clicked_date": DAY}]) == set()


@pytest.mark.parametrize("event", ["exposed_date", "clicked_date"])
def test_an_exposure_or_click_without_its_send_publishes_nothing(spark, event):
    assert "every_exposure_and_click_has_its_send" in judged(spark, [{}, UNSENT | {event: DAY}])


def test_more_recipients_than_targets_publish_nothing_but_a_reminder_passes(spark):
    assert judged(spark, [{}] * 4) == {"sent_to_targeted_members"}
    assert judged(spark, [{"member_id": "1"}] * 4) == set()


def test_more_exposures_than_sends_and_more_clicks_than_exposures_publish_nothing(spark):
    assert "exposed_of_sent" in judged(spark, [{"exposed_date": DAY}, UNSENT | {"exposed_date": DAY}])
    assert judged(spark, [{"clicked_date": DAY}]) == {"clicked_of_exposed"}


def test_pushes_below_a_cent_are_summed_before_they_are_rounded(spark):
    built = channels(spark, [{"send_cost": "0.0005"}] * 100, targets=100)
    assert [str(cost) for (cost,) in rows_of(built, "cost_amount")] == ["0.05"]
