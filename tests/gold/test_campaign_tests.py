"""Effects of campaigns; who counts where by example: tests/golden/campaign_tests."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from jobs.gold.campaign_tests import Z, build
from tests.frames import make, rows_of

START = date(2017, 3, 1)


def compared(spark, *campaigns: tuple[list[float], list[float]]) -> list[tuple]:
    """Of each campaign what its treated and its held out customers bought for; who bought for nothing did not buy."""
    days = {"start_date": START, "end_date": START + timedelta(days=9)}
    touches, orders, cards = [], [], []
    for n, groups in enumerate(campaigns):
        for group, amounts in zip("tc", groups, strict=True):
            for m, net in enumerate(amounts):
                who = f"{n:04}{group}{m}"
                touches.append({"campaign_id": f"{n:04}", "member_id": who, "is_control": group == "c", **days})
                cards.append({"account_system": "erp", "account_id": who, "customer_id": who})
                order = {"order_id": who, "customer_id": who, "order_date": START, "is_purchase": True}
                orders += [order | {"net_amount": Decimal(str(round(net, 2)))}] if net else []
    tables = (
        make(spark, *x) for x in (("campaign_touches", touches), ("customer_orders", orders), ("identities", cards))
    )
    built = build(*tables, as_of=START + timedelta(days=30))
    return rows_of(built, "effect_amount", "effect_error_amount", "effect_low_amount", "effect_high_amount")


def test_the_effect_and_its_interval_are_those_of_two_samples(spark):
    draw = np.random.default_rng(5)
    treated = [round(x, 2) for x in draw.gamma(2, 30, 60)] + [0.0] * 15
    control = [round(x, 2) for x in draw.gamma(2, 25, 9)] + [0.0] * 3
    ((effect, error, low, high),) = compared(spark, (treated, control))
    wanted = np.mean(treated) - np.mean(control)
    freedom = len(treated) + len(control) - 2
    squares = sum(np.var(group, ddof=1) * (len(group) - 1) for group in (treated, control))
    deviation = np.sqrt(squares / freedom * (1 / len(treated) + 1 / len(control)))
    found = [float(x) for x in (effect, error, low, high)]
    assert found == pytest.approx([wanted, deviation, wanted - Z * deviation, wanted + Z * deviation], abs=0.006)


def test_a_campaign_that_does_nothing_seems_to_do_something_once_in_twenty_times(spark):
    """With few held out and few who buy; by Welch's error it would be every third."""
    draw = np.random.default_rng(7)

    def bought(n: int) -> np.ndarray:
        return np.round(draw.gamma(1.2, 90, n) * (draw.random(n) < 0.1), 2)

    campaigns = [(bought(100), bought(10)) for _ in range(300)]
    found = compared(spark, *((t.tolist(), c.tolist()) for t, c in campaigns))
    false_alarms = np.mean([float(low) > 0 or float(high) < 0 for _, _, low, high in found])
    errors = [np.sqrt(t.var(ddof=1) / len(t) + c.var(ddof=1) / len(c)) for t, c in campaigns]
    by_welch = np.mean([abs(t.mean() - c.mean()) > Z * e for (t, c), e in zip(campaigns, errors, strict=True)])
    assert false_alarms < 0.1 and by_welch > 0.25


def test_a_small_group_has_an_effect_and_no_interval(spark):
    ((effect, *interval),) = compared(spark, ([10.0] * 50, [4.0] * 9))
    assert float(effect) == 6 and interval == [None, None, None]
    ((_, *interval),) = compared(spark, ([10.0] * 50, [4.0] * 10))
    assert [float(x) for x in interval] == [0, 6, 6], "all alike: no spread"


def test_no_campaigns_are_no_rows(spark):
    assert compared(spark) == []
