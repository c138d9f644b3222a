"""CPU and wall seconds of building bronze, silver and gold once from cold and again warm, table by table: no Airflow.

    python -m tests.bench.build --rounds 2

The first round pays for what a cold engine loads and compiles, the later ones rebuild everything (`full`). To compare
two sets of Java options, run it once with each in JDK_JAVA_OPTIONS; what comes there last, wins.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    said.add_argument("--rounds", type=int, default=2)
    said.add_argument("--data", default="slice", choices=("slice", "tiny", "full"))
    said.add_argument("--tables", nargs="*", default=[], help="build these only; name their inputs too")
    args = said.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as home:
        os.environ["SHOPLAKE_HOME"] = home
        measure(args.rounds, args.data, set(args.tables))


def measure(rounds: int, data: str, only: set[str]) -> None:
    """Print a line for each table and round, then where the engine's CPU time went."""
    import psutil

    from jobs.demo import complete_journey
    from jobs.kit import engine, lineage
    from jobs.kit.run import run
    from jobs.kit.settings import settings

    conf = settings()
    complete_journey.write(conf.drop, data)
    as_of = complete_journey.CUTS[data].last
    tables = [n for n in lineage.order() if n.split(".")[0] in ("bronze", "silver", "gold") and (not only or n in only)]
    begun = time.monotonic()
    started = engine.start(conf)
    process = psutil.Process(started.pid)
    try:
        say("engine up", time.monotonic() - begun, cpu(process))
        for i in range(rounds):
            whole, spent = time.monotonic(), cpu(process)
            for table in tables:
                begun, before = time.monotonic(), cpu(process)
                run(table, as_of, full=i > 0)
                say(table, time.monotonic() - begun, cpu(process) - before)
            say(f"round {i + 1}", time.monotonic() - whole, cpu(process) - spent)
        print("Engine threads that still live, CPU s:", *(f"{n} {s:.0f}" for n, s in threads(process).most_common(8)))
    finally:
        engine.stop(conf)


def say(what: str, wall: float, spent: float) -> None:
    print(f"{what:32s} wall {wall:7.1f} s   engine CPU {spent:7.1f} s", flush=True)


def cpu(process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def threads(process) -> Counter[str]:
    """CPU seconds by thread name, numbers left out (Linux: elsewhere nothing)."""
    found: Counter[str] = Counter()
    ticks = os.sysconf("SC_CLK_TCK")
    for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it ended meanwhile
            continue
        name, _, rest = text[text.index("(") + 1 :].rpartition(")")
        user, system = rest.split()[11:13]
        found[name.rstrip("0123456789-# ")] += (int(user) + int(system)) / ticks
    return found


if __name__ == "__main__":
    main()
