"""Sessions; counting by example: tests/golden/sessions."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.sessions import COUNTED, build
from tests.frames import make, rows_of


def test_no_event_is_lost_or_counted_twice(spark):
    dice = random.Random(5)
    kinds = ["launch", *COUNTED.values()]
    begin = datetime(2025, 3, 1, 12, tzinfo=UTC)
    events = [
        {
            "event_id": str(n), "session_id": str(dice.randrange(30)), "event_type": dice.choice(kinds),
            "occurred_at": begin + timedelta(seconds=dice.randrange(40_000)), "event_date": date(2025, 3, 1),
        }
        for n in range(400)
    ]  # fmt: skip
    built = build(make(spark, "events", events)).collect()
    assert sum(s.event_count for s in built) == 400
    wanted = Counter((e["session_id"], e["event_type"]) for e in events)
    found = {(s.session_id, kind): s[name] for s in built for name, kind in COUNTED.items()}
    assert {k: v for k, v in found.items() if v} == {k: v for k, v in wanted.items() if k[1] != "launch"}


def test_a_late_event_moves_the_beginning_back_whenever_it_comes(spark):
    one = {"session_id": "s", "event_id": "1", "event_date": date(2025, 3, 2), "platform": "ios"}
    late = one | {"event_id": "0", "event_date": date(2025, 3, 1), "platform": "android"}
    one["occurred_at"], late["occurred_at"] = datetime(2025, 3, 2, tzinfo=UTC), datetime(2025, 3, 1, 23, tzinfo=UTC)
    for order in ([one, late], [late, one]):
        built = build(make(spark, "events", order))
        assert rows_of(built, "session_date", "platform", "duration_s") == [(date(2025, 3, 1), "android", 3600)]


def test_an_identifier_that_a_phone_never_renews_is_set_aside(spark):
    begin = datetime(2025, 3, 1, tzinfo=UTC)
    events = [{"event_id": f"{n}", "session_id": f"s{n}", "occurred_at": begin} for n in range(1500)]
    events.append({"event_id": "late", "session_id": "s0", "occurred_at": begin + timedelta(days=3)})
    verdict = gate.judge(build(make(spark, "events", events)), load("silver.sessions"))
    assert (verdict.passed, verdict.refused_by_rule) == (True, {"be_between(duration_s)": 1})
