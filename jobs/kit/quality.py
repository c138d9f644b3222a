"""Quality scores: how good what a run judged was, in five dimensions, kept as history in `ops.quality`.

The dimensions are those of DAMA UK's white paper (2013) that one can count in a table, each from 0 to 1:

- **completeness**: the share of values that are there, the mean over the contract's columns. A column that may be empty
  lowers it for good reason, so a table is held against itself: what alarms is a fall below what is usual for it;
- **validity**: the share of rows that no rule on a single column refuses, nor, in bronze, the door;
- **uniqueness**: the share of rows whose key is theirs alone;
- **consistency**: the share of rows that agree with themselves in rules over two columns, times the share of sums,
  means and reconciliations that hold;
- **timeliness**: 1 while the newest day in a bronze table is no older than its source promises, then ever less:
  promised days over days.

Scores are of what a run judged, say of one day's rows, so a bad day shows as one. A dimension of which a table promises
nothing has no score.
"""

from collections.abc import Iterable
from datetime import date
from statistics import median
from typing import Any

import pyarrow as pa

from jobs.kit import lake
from jobs.kit.contracts import Contract, all_contracts
from jobs.kit.gate import Verdict

DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness")
ROWS = pa.schema(
    [
        ("table", pa.string()), ("source", pa.string()), ("as_of", pa.date32()), ("run_id", pa.string()),
        ("dimension", pa.string()), ("score", pa.float64()), ("rows", pa.int64()),
        ("measured_at", pa.timestamp("us", "UTC")),
    ]
)  # fmt: skip


def record(
    verdict: Verdict,
    contract: Contract,
    as_of: date,
    run_id: str,
    *,
    refused_before: int = 0,
    newest: date | None = None,
) -> dict[str, float]:
    """Write a verdict's scores to `ops.quality` and return them.

    `refused_before`: rows that the door refused, which the gate never saw. `newest`: the newest day that was received.
    """
    scores = dict(verdict.scores)
    rows = verdict.rows_in + refused_before
    if refused_before:
        scores["validity"] = scores.get("validity", 1.0) * verdict.rows_in / rows
    if newest and contract.promised_days is not None:
        late = (as_of - newest).days
        scores["timeliness"] = 1.0 if late <= contract.promised_days else contract.promised_days / late
    said = {"table": contract.name, "source": contract.source, "as_of": as_of, "run_id": run_id, "rows": rows}
    now = lake.now()
    lake.append_ops(
        "quality", [{**said, "dimension": d, "score": s, "measured_at": now} for d, s in scores.items()], ROWS
    )
    return scores


def history(tables: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Every score, oldest first; of these tables, or of all."""
    found = lake.read_ops("quality")
    rows = [] if found is None else found.to_pylist()
    wanted = None if tables is None else set(tables)
    return sorted((r for r in rows if wanted is None or r["table"] in wanted), key=lambda r: r["measured_at"])


def latest(tables: Iterable[str] | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """Of each table the last row of each dimension."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in history(tables):
        found.setdefault(row["table"], {})[row["dimension"]] = row
    return found


def alarms(as_of: date, threshold: float) -> list[str]:
    """One sentence for each score below the threshold, and for each table whose source is later than it promises.

    Completeness is too low below `threshold` times its median in earlier runs; a first run has none to fall below.
    """
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in history():
        known.setdefault((row["table"], row["dimension"]), []).append(row)
    said = []
    for (table, dimension), rows in sorted(known.items()):
        *before, last = rows
        usual = 1.0
        if dimension == "completeness":
            usual = median(r["score"] for r in before) if before else 0.0
        if last["score"] < threshold * usual and dimension != "timeliness":
            told = f", usually {usual:.3f}" if usual < 1 else ""
            said.append(f"{table}: {dimension} is {last['score']:.3f} of what came as of {last['as_of']}{told}")
    ledger = lake.read_ops("files")
    arrived = [r for r in ([] if ledger is None else ledger.to_pylist()) if r["verdict"] == "loaded" and r["file_date"]]
    newest: dict[str, date] = {}
    for row in arrived:
        newest[row["table"]] = max(row["file_date"], newest.get(row["table"], date.min))
    for contract in all_contracts():
        if contract.promised_days is not None and contract.table in newest:
            late = (as_of - newest[contract.table]).days
            if late > contract.promised_days:
                promised = f"{contract.source} promises {contract.promised_days}"
                said.append(f"{contract.name}: the newest file is {late} days old, {promised}")
    return said
