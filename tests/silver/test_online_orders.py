"""Online orders; states, times and repeats of the three platforms: tests/golden/online_orders."""

import pytest

from jobs import platforms
from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.online_orders import build
from tests.frames import make, rows_of

KNOWN = {"created_at": "2025-03-01T10:00:00+08:00", "updated_at": "2025-03-01T10:00:00+08:00"}
KNOWN |= {"buyer": '{"openid": "o"}', "items": '[{"line_no": 1, "sku": "P", "qty": 1}]', "amounts": '{"paid": 1}'}


def app(spark, *changed: dict):
    rows = [KNOWN | {"order_no": str(n), "status": "paid"} | change for n, change in enumerate(changed)]
    return build(make(spark, "app_orders", rows), make(spark, "tmall_orders"), make(spark, "jd_orders"))


@pytest.mark.parametrize("states", [platforms.APP, platforms.TMALL, platforms.JD])
def test_every_platform_has_all_five_states(states):
    assert set(states.values()) == {"placed", "paid", "shipped", "completed", "cancelled"}


def test_an_unknown_state_and_an_order_without_lines_are_set_aside(spark):
    rows = app(spark, *[{}] * 1500, {"status": "on_hold"}, {"items": "[]"})
    verdict = gate.judge(rows, load("silver.online_orders"))
    assert (verdict.passed, verdict.refused_by_rule) == (True, {"known_state": 1, "be_between(line_count)": 1})


def test_nested_fields_that_no_longer_read_stop_the_day(spark):
    for broken in ({"items": "not json"}, {"amounts": '{"paid_total": 1}'}, {"buyer": "{}"}):
        assert not gate.judge(app(spark, *[broken] * 20), load("silver.online_orders")).passed, broken


def test_the_newest_state_counts_in_whatever_order_they_come(spark):
    paid, shipped = {"order_no": "1"}, {"order_no": "1", "status": "shipped", "updated_at": "2025-03-02T10:00:00+08:00"}
    for order in ([paid, shipped], [shipped, paid]):
        assert rows_of(app(spark, *order), "order_status") == [("shipped",)]
