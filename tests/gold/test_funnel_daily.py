"""The funnel: by example in tests/golden/funnel_daily, and against the files of a small simulated retailer."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from jobs.demo import retailer
from jobs.demo.retailer.world import Scale
from jobs.gold import funnel_daily
from jobs.silver import events, sessions
from tests.frames import make

SHANGHAI = timezone(timedelta(hours=8))


@pytest.fixture(scope="module")
def received(tmp_path_factory) -> list[dict]:
    """Every line of the app's files, repeated ones included."""
    home = tmp_path_factory.mktemp("retailer")
    retailer.write(home / "drop", home / "truth", Scale(0.001))
    files = sorted((home / "drop/app/app_events").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_sums_are_the_distinct_events_of_the_files(spark, received):
    def row(n: int, e: dict) -> dict:
        day = datetime.fromtimestamp(e["server_ts"] / 1000, UTC).astimezone(SHANGHAI).date()
        texts = {"user_info": e["user"], "device": e["device"], "context": e["context"], "props": e["props"]}
        plain = {"event_id": e["event_id"], "event": e["event"], "server_ts": str(e["server_ts"])}
        return plain | {k: json.dumps(v) for k, v in texts.items()} | {"event_date": day, "_row_number": n}

    once = {e["event_id"]: e for e in received}
    assert len(once) < len(received), "some are to be sent twice"
    landed = make(spark, "app_events", [row(n, e) for n, e in enumerate(received)])
    built = funnel_daily.build(sessions.build(events.build(landed))).collect()

    def total(column: str) -> int:
        return sum(r[column] for r in built)

    kinds = Counter(e["event"] for e in once.values())
    step = {k: len({e["context"]["session_id"] for e in once.values() if e["event"] == k}) for k in kinds}
    assert {
        "event_count": total("event_count"),
        "sessions": total("session_count"),
        **{k: total(f"{name}_count") for k, name in KINDS.items()},
        **{f"sessions with {k}": total(f"{name}_session_count") for k, name in STEPS.items()},
    } == {
        "event_count": len(once),
        "sessions": len({e["context"]["session_id"] for e in once.values()}),
        **{k: kinds[k] for k in KINDS},
        **{f"sessions with {k}": step[k] for k in STEPS},
    }


KINDS = {"product_view": "product_view", "add_to_cart": "cart_add", "checkout": "checkout", "pay": "payment"}
STEPS = {"product_view": "view", "add_to_cart": "cart", "checkout": "checkout", "pay": "payment"}
