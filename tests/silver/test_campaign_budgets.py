"""Budgets; reading by example: tests/golden/campaign_budgets."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.campaign_budgets import build
from tests.frames import make

PLAN = {"budget": "10", "discount_share": "0.1", "channel": "sms"}


def test_a_plan_without_an_amount_is_set_aside_and_many_stop_the_day(spark):
    listed = make(spark, "campaign_list")
    for bad, passed in ((1, True), (9, False)):
        rows = [PLAN | {"campaign_id": f"C{n}"} | ({"budget": "tbd"} if n < bad else {}) for n in range(40)]
        verdict = gate.judge(build(make(spark, "campaign_plans", rows), listed), load("silver.campaign_budgets"))
        assert (verdict.passed, verdict.refused_by_rule) == (passed, {"known_budget": bad})


def test_a_share_in_percent_is_set_aside(spark):
    rows = [PLAN | {"campaign_id": f"C{n}"} for n in range(40)] + [PLAN | {"campaign_id": "D", "discount_share": "15"}]
    built = build(make(spark, "campaign_plans", rows), make(spark, "campaign_list"))
    assert gate.judge(built, load("silver.campaign_budgets")).refused_by_rule == {"be_between(discount_share)": 1}
