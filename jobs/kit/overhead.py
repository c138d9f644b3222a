"""A task's fixed cost, measured as whole processes: what a run costs beyond its work."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def measure(table: str, times: int) -> Iterator[tuple[str, list[float]]]:
    """Seconds of each kind of run: the bare command, a run with nothing new, and a whole rebuild of a small table."""
    command = str(Path(sys.executable).with_name("shoplake"))
    kinds = {
        "shoplake --help (start of Python and the command line)": [command, "--help"],
        f"run {table}, nothing new (no Spark)": [command, "run", table],
        f"run {table} --full (session, build, gate, publish)": [command, "run", table, "--full"],
    }
    for what, words in kinds.items():
        yield what, [_seconds(words) for _ in range(times)]


def _seconds(words: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    return time.monotonic() - start
