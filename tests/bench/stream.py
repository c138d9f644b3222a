"""Events a second that a drain of a topic takes into bronze: Kafka to landing, then landing to bronze.

    python -m tests.bench.stream --events 200000

On a broker, engine and lake of its own. A first drain is of few events: a cold engine is not what is measured.
"""

import argparse
import os
import tempfile
import time
from datetime import date
from pathlib import Path

DAY = date(2025, 4, 1)


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    said.add_argument("--events", type=int, default=200_000)
    args = said.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["SHOPLAKE_HOME"] = folder
        measure(Path(folder), args.events)


def measure(folder: Path, events: int) -> None:
    from jobs.demo.live import events as live
    from jobs.kit import services
    from jobs.kit.contracts import load
    from jobs.kit.run import run
    from jobs.kit.session import session
    from jobs.kit.settings import settings
    from jobs.landing import stream
    from tests.landing.test_stream import EVENTS, event

    def seconds(what: str, work, number: int) -> None:
        begun, cpu = time.monotonic(), os.getloadavg()[0]
        work()
        took = time.monotonic() - begun
        print(f"{what}: {number:,} events, {took:.1f} s, {number / took:,.0f}/s (load {cpu:.1f})", flush=True)

    try:
        services.up(settings(), ["kafka", "engine"], say=lambda line: None)
        address = os.environ["SHOPLAKE_SOURCES__APP"] = live.start()
        settings.cache_clear()
        drop = folder / "files" / "app" / "app_events"
        drop.mkdir(parents=True)
        for name, first, last in (("2025-03-31", 0, 1000), ("2025-04-01", 1000, 1000 + events)):
            lines = (event(n, device={"platform": "ios", "app_version": "5.1.0"}) for n in range(first, last))
            (drop / f"app_events_{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        live.feed(folder / "files", address, date(2025, 3, 31), [EVENTS])
        run(EVENTS, DAY)
        seconds("fed", lambda: live.feed(folder / "files", address, DAY, [EVENTS]), events)
        seconds("landed", lambda: stream.drain(load(EVENTS), address, as_of=DAY), events)
        seconds("loaded", lambda: run(EVENTS, DAY), events)
        seconds("nothing new", lambda: run(EVENTS, DAY), 0)
        session().stop()
    finally:
        services.down(settings(), say=lambda line: None)


if __name__ == "__main__":
    main()
