"""Deliveries; repeats, order of events, ways: tests/golden/deliveries."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.deliveries import build
from tests.frames import make


def test_a_delivery_that_ends_before_it_begins_or_never_ends_is_set_aside(spark):
    ends = {0: "2024-01-01T11:59:00+08:00", 1: "2024-06-01T12:00:00+08:00"}
    rows = [
        {"delivery_id": f"D{n}", "event": event, "event_at": at}
        for n in range(200)
        for event, at in (
            ("picked_up", "2024-01-01T12:00:00+08:00"),
            ("delivered", ends.get(n, "2024-01-01T13:00:00+08:00")),
        )
    ]
    verdict = gate.judge(
        build(make(spark, "delivery_events", rows), make(spark, "gps_points")), load("silver.deliveries")
    )
    assert (verdict.passed, verdict.rows_refused) == (True, 2)


def test_an_unknown_event_is_set_aside_as_long_as_nothing_else_is_known(spark):
    rows = [{"delivery_id": f"D{n}", "event": "delivered", "event_at": "2024-01-01T13:00:00+08:00"} for n in range(200)]
    rows[0] |= {"event": "eaten"}
    verdict = gate.judge(
        build(make(spark, "delivery_events", rows), make(spark, "gps_points")), load("silver.deliveries")
    )
    assert (verdict.passed, verdict.rows_refused) == (True, 1)
