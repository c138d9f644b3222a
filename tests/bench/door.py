"""Rows a second (CPU time, one core, best of four) that the door reads of an app's events as JSON lines.

    python -m tests.bench.door --rows 100000

Beside it what a reader cannot do without, Python's `json`, and Arrow's JSON reader, which loses digits.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pyarrow import json as arrow_json

from jobs.kit import door, door_json

COLUMNS = ("event_id", "member_id", "at", "kind", "amount", "ok", "device", "items", "session")


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    said.add_argument("--rows", type=int, default=100_000)
    args = said.parse_args()
    rng = random.Random(1)
    events = [event(rng, i) for i in range(args.rows)]
    compact = [json.dumps(e, separators=(",", ":")) for e in events]
    print(f"{sum(map(len, compact)) / len(compact):.0f} bytes a line")
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as folder:
        path = Path(folder) / "events.jsonl"
        path.write_text("\n".join(compact))
        measure("the door", args.rows, lambda: read(path))
        measure("Python's json, values thrown away", args.rows, lambda: sum(not json.loads(e) for e in compact))
        measure(
            "Arrow's reader", args.rows, lambda: arrow_json.read_json(path, arrow_json.ReadOptions(use_threads=False))
        )
        path.write_text("\n".join(line[:-9] if i % 100 == 0 else line for i, line in enumerate(compact)))
        measure("the door, one line of 100 broken", args.rows, lambda: read(path))
        path.write_text(
            "\n".join(json.dumps({f"k{i % 10}": i, **e}, separators=(",", ":")) for i, e in enumerate(events))
        )
        measure("the door, ten kinds of events", args.rows, lambda: read(path))
        path.write_text("\n".join(compact))
        door_json.SHAPES = 0
        measure("the door, every line exactly", args.rows, lambda: read(path))


def event(rng: random.Random, number: int) -> dict:
    """An app's event, nested, some 250 bytes."""
    return {
        "event_id": f"e{number:010}",
        "member_id": f"m{rng.randrange(10**6)}",
        "at": f"2025-03-01T12:{rng.randrange(60):02}:{rng.randrange(60):02}+08:00",
        "kind": rng.choice(["view", "cart", "buy"]),
        "amount": round(rng.random() * 100, 2),
        "ok": True,
        "device": {"os": "ios", "version": f"17.{rng.randrange(9)}", "lat": round(rng.random() * 90, 5)},
        "items": [{"sku": f"p{rng.randrange(10**5)}", "qty": rng.randrange(1, 5)}],
        "session": f"{rng.randrange(16**32):032x}",
    }


def read(path: Path) -> None:
    for _ in door.parse(str(path), door.Layout(COLUMNS, format="jsonl")):
        pass


def measure(what: str, rows: int, work: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(4):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    print(f"{what}: {rows / best:,.0f} rows/s", flush=True)


if __name__ == "__main__":
    main()
