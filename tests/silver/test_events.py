"""Events of the app; reading by example: tests/golden/events."""

import pytest

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.events import build
from tests.frames import make, rows_of

SEEN = {"event": "product_view", "server_ts": "1740844800000", "user_info": '{"openid": "o"}', "props": '{"sku": "P"}'}
SEEN |= {"device": '{"platform": "ios"}', "context": '{"session_id": "s", "source": "direct"}'}


def events(spark, *changed: dict):
    return build(make(spark, "app_events", [SEEN | {"event_id": f"e{n}"} | c for n, c in enumerate(changed)]))


def test_an_event_sent_again_is_one_in_whatever_order_its_files_come(spark):
    first, again = {"event_id": "e", "_file_id": "a"}, {"event_id": "e", "_file_id": "b"}
    for order in ([first, again], [again, first]):
        assert rows_of(events(spark, *order), "event_id", "product_id") == [("e", "P")]


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"props": '{"item": "P"}'}, "known_product"),
        ({"user_info": '{"open_id": "o"}'}, "known_account"),
        ({"context": "not json"}, "known_session"),
        ({"event": "pay", "props": "{}"}, "known_order"),
    ],
)
def test_a_field_renamed_once_is_set_aside_and_renamed_everywhere_stops_the_day(spark, changed, rule):
    contract = load("silver.events")
    verdict = gate.judge(
        events(spark, *[{}] * 200, *[{"event": "pay", "props": '{"order_no": "1"}'}] * 200, changed), contract
    )
    assert (verdict.passed, verdict.refused_by_rule) == (True, {rule: 1})
    assert rule in gate.judge(events(spark, *[changed] * 20), contract).failures


def test_a_time_that_is_none_publishes_nothing(spark):
    verdict = gate.judge(events(spark, {"server_ts": "today"}), load("silver.events"))
    assert verdict.failures == {"not_be_null(occurred_at)": 1}


def test_a_phone_that_counts_too_far_stops_nothing(spark):
    rows = events(spark, *[{"client_ts": strange} for strange in ("9" * 18, "9" * 40, "-1", "1e3", "[1]")])
    assert rows_of(rows, "client_at") == [(None,)] * 5
