"""Messages; their events by example: tests/golden/touches."""

import itertools
from decimal import Decimal

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.touches import build
from tests.frames import make, rows_of

SENT = {"touch_id": "X", "campaign_id": "C", "channel": "sms", "member_id": "M", "event": "send", "cost": "0.0450"}
SENT |= {"event_at": "2025-03-01T10:00:00+08:00"}
SEEN = SENT | {"event": "exposure", "event_at": "2025-03-01T11:00:00+08:00", "cost": "0.0"}


def touches(spark, *rows: dict):
    return build(make(spark, "marketing_touches", rows))


def test_the_events_of_a_message_are_one_row_in_whatever_order_they_come(spark):
    again = SENT | {"_file_id": "f2", "cost": "0.0500"}
    found = [
        rows_of(touches(spark, *order), "touch_id", "sent_at", "exposed_at", "send_cost")
        for order in itertools.permutations([SENT, again, SEEN])
    ]
    assert all(rows == found[0] for rows in found)
    assert [row[3] for row in found[0]] == [Decimal("0.0500")]


def test_a_message_seen_before_it_was_sent_is_set_aside_and_one_without_a_send_stays(spark):
    rows = [told | {"touch_id": str(n)} for n in range(200) for told in (SENT, SEEN)]
    early, unsent = {"event_at": "2025-03-01T09:00:00+08:00", "touch_id": "7"}, {"touch_id": "unsent"}
    verdict = gate.judge(touches(spark, *rows, SEEN | early, SEEN | unsent), load("silver.touches"))
    assert verdict.passed
    assert verdict.refused_by_rule == {"pair_values_a_to_be_greater_than_b(exposed_at, sent_at)": 1}
    assert verdict.rows_out == 200


def test_costs_that_do_not_read_stop_the_day(spark):
    verdict = gate.judge(touches(spark, *[SENT | {"cost": "0,045"}] * 3), load("silver.touches"))
    assert "known_cost" in verdict.failures
