"""Effects of campaigns; who counts where by example: tests/golden/campaign_tests."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from jobs.gold.campaign_tests import Z, build
from tests.frames import make, rows_of

START = date(2017, 3, 1)


def compared(spark, treated: list[float], control: list[float]) -> list[tuple]:
    """One campaign whose customers bought for these amounts; who bought for nothing did not buy."""
    groups = [(f"t{n}", net, False) for n, net in enumerate(treated)] + [
        (f"c{n}", n_, True) for n, n_ in enumerate(control)
    ]
    days = {"start_date": START, "end_date": START + timedelta(days=9)}
    touches = [{"campaign_id": "1", "member_id": m, "is_control": c, **days} for m, _, c in groups]
    orders = [
        {"order_id": m, "customer_id": m, "order_date": START, "is_purchase": True, "net_amount": Decimal(str(net))}
        for m, net, _ in groups
        if net
    ]
    cards = [{"account_system": "erp", "account_id": m, "customer_id": m} for m, *_ in groups]
    tables = (
        make(spark, "campaign_touches", touches),
        make(spark, "customer_orders", orders),
        make(spark, "identities", cards),
    )
    built = build(*tables, as_of=START + timedelta(days=30))
    return rows_of(built, "effect_amount", "effect_error_amount", "effect_low_amount", "effect_high_amount")


def test_the_effect_and_its_interval_are_those_of_two_samples(spark):
    draw = np.random.default_rng(5)
    treated = [round(x, 2) for x in draw.gamma(2, 30, 60)] + [0.0] * 15
    control = [round(x, 2) for x in draw.gamma(2, 25, 9)] + [0.0] * 3
    ((effect, error, low, high),) = compared(spark, treated, control)
    wanted = np.mean(treated) - np.mean(control)
    deviation = np.sqrt(np.var(treated, ddof=1) / len(treated) + np.var(control, ddof=1) / len(control))
    found = [float(x) for x in (effect, error, low, high)]
    assert found == pytest.approx([wanted, deviation, wanted - Z * deviation, wanted + Z * deviation], abs=0.006)


def test_a_small_group_has_an_effect_and_no_interval(spark):
    ((effect, *interval),) = compared(spark, [10.0] * 50, [4.0] * 9)
    assert float(effect) == 6 and interval == [None, None, None]
    ((_, *interval),) = compared(spark, [10.0] * 50, [4.0] * 10)
    assert [float(x) for x in interval] == [0, 6, 6], "all alike: no spread"


def test_no_campaigns_are_no_rows(spark):
    assert compared(spark, [], []) == []
