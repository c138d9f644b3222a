"""Pull a million rows out of a PostgreSQL of its own: seconds, and the peak memory of the process that pulls.

    python -m tests.bench.pull [ROWS]

The rows are till lines with twelve columns (text with Chinese and quotes, numeric, timestamptz), asked for in one run.
Then once more, of which one row in a thousand changed; and the keys of all, of which one in a thousand was deleted.
Memory is the peak resident set of a process that does nothing else (Linux: KB, and that of Python with psycopg2 and,
for the keys, pyarrow and Spark's client is in it).
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from jobs.demo.live import database
from jobs.kit.contracts import load
from jobs.kit.settings import CHECKOUT
from jobs.landing import files, pulls

FIRST, SECOND = date(2025, 4, 1), date(2025, 4, 2)
FILL = """
INSERT INTO pos.lines OVERRIDING SYSTEM VALUE
SELECT n, 'T' || lpad(n::text, 10, '0'), n % 9 + 1, 'S0001', nullif('M' || n % 700, 'M0'),
    'P' || n % 500, timestamptz '2025-04-01 00:00+08' + n * interval '50 ms',
    CASE WHEN n % 100 = 0 THEN '退"货"' ELSE 'sale' END, n % 5, n % 10000 / 100.0, 0.10, 0.00, 0.00,
    timestamptz '2025-04-01 00:00+08' + n * interval '50 ms'
FROM generate_series(1, {rows}) n"""
CARDS = """
INSERT INTO erp.cards SELECT 'M' || n, '名', NULL, NULL, NULL, NULL, NULL, '2025-04-01', '2025-04-01 09:00+08'
FROM generate_series(1, {rows}) n"""


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        addresses = database.start(home / "none", home)
        try:
            run(home, FILL.format(rows=rows))
            told("all rows", home, addresses["pos"], "pos_lines", FIRST)
            run(home, "UPDATE pos.lines SET quantity = 7, updated_at = '2025-04-02 09:00+08' WHERE line_id % 1000 = 0")
            told("what changed", home, addresses["pos"], "pos_lines", SECOND)
            run(home, CARDS.format(rows=rows))
            told("all keys", home, addresses["erp"], "erp_members", FIRST)
            run(home, "DELETE FROM erp.cards WHERE member_id LIKE '%000'")
            told("what was deleted", home, addresses["erp"], "erp_deletions", SECOND)
        finally:
            database.stop(home)


def run(home: Path, statement: str) -> None:
    with database._cursor(home) as cursor:
        cursor.execute(statement)


def told(what: str, home: Path, *words: object) -> None:
    command = [sys.executable, "-m", "tests.bench.pull", "--pull", str(home), *map(str, words)]
    said = json.loads(subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE).stdout)
    print(f"{what:17}{said['lines'] - 1:>10,} rows {said['bytes'] / 1e6:>7.1f} MB {said['seconds']:>6.1f} s "
          f"peak {said['peak_mb']:.0f} MB")  # fmt: skip


def pull(home: str, address: str, table: str, day: str) -> None:
    """One pull and its landing, in this process; the time is of the pull alone."""
    contract, as_of, begun = load(f"bronze.{table}"), date.fromisoformat(day), time.monotonic()
    where = contract, Path(home) / "drop", Path(home) / "landing"
    (path,) = pulls.pull(contract, address, *where[1:], as_of=as_of, zone=ZoneInfo("Asia/Shanghai"))
    seconds = time.monotonic() - begun
    files.land(*where, as_of=as_of)
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"lines": lines, "bytes": path.stat().st_size, "seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pull"]:
        pull(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
