"""One run of a bronze table: land → door → gate → append. The scope of a run is a set of files.

Every delivery is accounted for in `ops.files`, rows in = accepted + refused. Bronze holds the newest version of each
file name: a corrected file replaces the rows of the first in the same commit. The commit's stamp names its files, so
a run that was killed between the commit and the ledger is put right by the next one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import gate, lake, quarantine
from jobs.kit.contracts import Contract
from jobs.kit.run import Result, fingerprint
from jobs.kit.settings import settings
from jobs.landing import files as landing
from jobs.landing.files import LandedFile

FILES = pa.schema(
    [
        ("table", pa.string()), ("file_id", pa.string()), ("name", pa.string()), ("file_date", pa.date32()),
        ("bytes", pa.int64()), ("arrived_at", pa.timestamp("us", "UTC")), ("verdict", pa.string()),
        ("rule", pa.string()), ("detail", pa.string()), ("rows_in", pa.int64()), ("rows_accepted", pa.int64()),
        ("rows_refused", pa.int64()), ("run_id", pa.string()), ("recorded_at", pa.timestamp("us", "UTC")),
    ]
)  # fmt: skip


@dataclass
class _Account:
    """What became of one delivery in this run: one row of ops.files."""

    file: LandedFile
    verdict: str  # loaded | refused | duplicate | superseded
    rule: str | None = None
    detail: str | None = None
    rows_in: int = 0
    rows_accepted: int = 0

    def row(self, run_id: str) -> dict[str, Any]:
        """As ops.files has it."""
        f = self.file
        return {
            "table": f.table, "file_id": f.file_id, "name": f.name, "file_date": f.file_date, "bytes": f.bytes,
            "arrived_at": f.arrived_at, "verdict": self.verdict, "rule": self.rule, "detail": self.detail,
            "rows_in": self.rows_in, "rows_accepted": self.rows_accepted,
            "rows_refused": self.rows_in - self.rows_accepted, "run_id": run_id, "recorded_at": lake.now(),
        }  # fmt: skip


def run(contract: Contract, as_of: date, run_id: str, *, full: bool = False) -> list[Result]:
    """Land what the source dropped up to `as_of`, and load what is not loaded yet.

    A changed contract or expectation reads everything again from landing, where every byte is kept.
    """
    landing.land(contract, settings().drop, settings().landing, as_of=as_of)
    deliveries = landing.landed(contract, settings().landing)
    code, last = fingerprint(contract), lake.stamp(contract.name)
    again = full or (bool(last) and last.get("code") != code)
    known = {} if again else _ledger(contract, last)
    results: list[Result] = []
    while pending := _pending(deliveries, known):
        results.append(_Load(contract, as_of, run_id, code, again and not results, pending, known).run())
        ours = {k: r for k, r in ledger(contract.name).items() if not again or r["run_id"] == run_id}
        if ours == known:  # the gate held: nothing is accounted for, the next run judges it again
            break
        known = ours
    else:
        known = known or ledger(contract.name)
        rest = [f for f in deliveries if f.file_id not in known]
        _record([_Account(f, _REST.get(f.verdict, f.verdict), f.rule, f.detail) for f in rest], run_id)
        if said := [f for f in rest if f.verdict == "refused"]:
            note = "; ".join(f"{f.name}: {f.detail}" for f in said[:3])
            rules = {str(k): v for k, v in Counter(f.rule for f in said).items()}
            version = lake.version(contract.name)
            results.append(Result(contract.name, as_of, run_id, "nothing new", version=version, rules=rules, note=note))
    return results or [Result(contract.name, as_of, run_id, "nothing new", version=lake.version(contract.name))]


_REST = {"landed": "superseded"}  # what is landed and not read has a newer, accepted version of its name


def _pending(deliveries: Sequence[LandedFile], known: dict[str, dict[str, Any]]) -> list[LandedFile]:
    """Of each name the newest delivery that is not refused, if it is not accounted for yet.

    A newer delivery that the door refuses must not hide the good one before it.
    """
    found, settled = [], set[str]()
    for file in sorted(deliveries, key=lambda f: f.arrived_at, reverse=True):
        if file.verdict != "landed" or file.name in settled:
            continue
        account = known.get(file.file_id)
        if account is None:
            found.append(file)
        if account is None or account["verdict"] != "refused":
            settled.add(file.name)
    return found[::-1]


def refused_files(table: str) -> list[dict[str, Any]]:
    """Whole files that stand refused: no later delivery of the name was loaded."""
    by_name: dict[str, dict[str, Any]] = {}
    for row in sorted(ledger(table).values(), key=lambda r: r["arrived_at"]):
        if row["verdict"] in ("loaded", "refused"):
            by_name[row["name"]] = row
    return [r for r in by_name.values() if r["verdict"] == "refused"]


def ledger(table: str) -> dict[str, dict[str, Any]]:
    """The last account of every delivery of a bronze table, by file id."""
    known = lake.read_ops("files")
    rows = [] if known is None else [r for r in known.to_pylist() if r["table"] == table.split(".")[1]]
    return {r["file_id"]: r for r in sorted(rows, key=lambda r: r["recorded_at"])}


def _ledger(contract: Contract, last: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The ledger, put right first if the run that published last was killed before it wrote there."""
    known = ledger(contract.name)
    lost = [r for r in last.get("files", []) if r["file_id"] not in known]
    if lost:
        lake.append_ops("files", [{**r, **_dates(r)} for r in lost], FILES)
        known = ledger(contract.name)
    return known


def _dates(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "file_date": date.fromisoformat(row["file_date"]) if row["file_date"] else None,
        "arrived_at": datetime.fromisoformat(row["arrived_at"]),
        "recorded_at": datetime.fromisoformat(row["recorded_at"]),
    }


def _record(accounts: Sequence[_Account], run_id: str) -> None:
    lake.append_ops("files", [a.row(run_id) for a in accounts], FILES)


@dataclass
class _Load:
    """One load of pending files into one table."""

    contract: Contract
    as_of: date
    run_id: str
    code: str
    again: bool
    pending: list[LandedFile]
    known: dict[str, dict[str, Any]]

    def run(self) -> Result:
        """Door, gate, quarantine, publish, ledger: in this order, so that a kill in between loses nothing."""
        from jobs.kit import arrivals
        from jobs.kit.session import session

        checked = arrivals.check(self.pending, self.contract)
        refused = [_Account(f, "refused", v.rule, v.detail) for f, v in checked if not v.accepted]
        readable = [f for f, v in checked if v.accepted]
        spark = session()
        if not readable:
            return self._finish(spark, refused, None, None, None, {})
        rows = arrivals.rows(spark, readable, self.contract).persist()
        try:
            return self._load(spark, rows, readable, refused)
        finally:
            rows.unpersist()

    def _load(self, spark: SparkSession, rows: DataFrame, files: list[LandedFile], refused: list[_Account]) -> Result:
        read, bad_rows, row_rules = Counter[str](), Counter[str](), Counter[str]()
        for file_id, rule, count in rows.groupBy("_file_id", "_rule").count().collect():
            read[file_id] += count
            if rule is not None:
                bad_rows[file_id] += count
                row_rules[rule] += count
        loaded = []
        for file in files:
            n, bad = read[file.file_id], bad_rows[file.file_id]
            if bad > self.contract.max_refused_share * n:
                detail = f"{bad} of {n} rows refused, the contract allows {self.contract.max_refused_share:.1%}"
                refused.append(_Account(file, "refused", "file:too_many_refused_rows", detail, n))
            else:
                loaded.append(_Account(file, "loaded", rows_in=n, rows_accepted=n - bad))
        ids = [a.file.file_id for a in loaded]
        candidate = rows.where(F.col("_rule").isNull() & F.col("_file_id").isin(ids)).drop("_rule", "_raw")
        verdict = gate.judge(candidate, self.contract)
        if verdict.refused_by_rule and (over := gate.over_share(candidate, self.contract, "_file_id")):
            refused += [
                _Account(a.file, "refused", "file:too_many_refused_rows", over[a.file.file_id], a.rows_in)
                for a in loaded
                if a.file.file_id in over
            ]
            loaded = [a for a in loaded if a.file.file_id not in over]
            candidate = candidate.where(~F.col("_file_id").isin([*over]))
            verdict = gate.judge(candidate, self.contract)
        if verdict.rows_refused and verdict.refused is not None:
            by_file = {r["_file_id"]: r["count"] for r in verdict.refused.groupBy("_file_id").count().collect()}
            for account in loaded:
                account.rows_accepted -= by_file.get(account.file.file_id, 0)
        return self._finish(spark, refused, loaded, verdict, rows, dict(row_rules))

    def _finish(
        self,
        spark: SparkSession,
        refused: list[_Account],
        loaded: list[_Account] | None,
        verdict: gate.Verdict | None,
        rows: DataFrame | None,
        row_rules: dict[str, int],
    ) -> Result:
        rules = Counter(a.rule for a in refused if a.rule)
        every = [*refused, *(loaded or [])]
        n_in, n_out = sum(a.rows_in for a in every), sum(a.rows_accepted for a in every)
        result = Result(
            self.contract.name, self.as_of, self.run_id, "published" if loaded else "refused",
            n_in, n_out, n_in - n_out,
            scope=f"{len(loaded or [])} files" + (f", {len(refused)} refused" if refused else ""),
            version=lake.version(self.contract.name), rules={str(k): v for k, v in rules.items()},
            note="; ".join(f"{a.file.name}: {a.detail or a.rule}" for a in refused[:3]),
        )  # fmt: skip
        if verdict is not None:
            gate.save(verdict, self.run_id)
            if not verdict.passed:
                where = quarantine.keep_candidate(verdict.accepted, verdict, self.contract, self.run_id)
                return replace(
                    result, verdict="refused", rows_out=0, rows_refused=n_in, note=where,
                    rules={**result.rules, **verdict.failures},
                )  # fmt: skip
        self._quarantine(spark, every, verdict, rows if row_rules else None)
        judged = verdict.refused_by_rule if verdict else {}
        result = replace(result, rules={**result.rules, **row_rules, **judged})
        if loaded and verdict is not None:
            version = self._publish(spark, verdict, loaded)
            quarantine.forget_candidate(self.contract)
            result = replace(result, version=version)
        _record(every, self.run_id)
        return result

    def _publish(self, spark: SparkSession, verdict: gate.Verdict, loaded: list[_Account]) -> int:
        """Append; where a name was loaded before with other content, its rows are replaced in the same commit."""
        before = {r["name"] for r in self.known.values() if r["verdict"] == "loaded"}
        replaced = sorted({a.file.name for a in loaded} & before)
        names = ", ".join("'" + n.replace("'", "''") + "'" for n in sorted({a.file.name for a in loaded}))
        said = {
            "run_id": self.run_id,
            "as_of": self.as_of.isoformat(),
            "code": self.code,
            "batch": self._batch(loaded),
            "files": [json.loads(json.dumps(a.row(self.run_id), default=_iso)) for a in loaded],
        }
        return lake.publish(
            spark, verdict.accepted, self.contract, said, rows=verdict.rows_out,
            append=not self.again and not replaced,
            replace=f"_source_file IN ({names})" if replaced and not self.again else None,
        )  # fmt: skip

    def _batch(self, loaded: list[_Account]) -> str:
        text = json.dumps([sorted(a.file.file_id for a in loaded), self.code, lake.version(self.contract.name)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _quarantine(
        self,
        spark: SparkSession,
        every: list[_Account],
        verdict: gate.Verdict | None,
        rows: DataFrame | None,
    ) -> None:
        """Replace the refused rows of these file names by what is refused now (whole files stand in ops.files).

        `rows`: what the door read, where it refused any of them.
        """
        frames = []
        if rows is not None:
            frames.append(
                rows.where(F.col("_rule").isNotNull()).select(
                    F.array("_rule").alias("rules"),
                    F.col("_file_id").alias("scope"),
                    F.col("_source_file").alias("source_file"),
                    F.col("_row_number").alias("row_number"),
                    F.col("_raw").alias("row"),
                    F.lit(self.run_id).alias("run_id"),
                )
            )
        if verdict is not None and verdict.refused is not None and verdict.rows_refused:
            frames.append(
                verdict.refused.select(
                    F.col(gate.RULES).alias("rules"),
                    F.col("_file_id").alias("scope"),
                    F.col("_source_file").alias("source_file"),
                    F.col("_row_number").alias("row_number"),
                    F.to_json(F.struct(*[c.name for c in self.contract.columns])).alias("row"),
                    F.lit(self.run_id).alias("run_id"),
                )
            )
        quarantine.refuse_files(spark, self.contract, frames, [a.file.name for a in every], everything=self.again)


def _iso(value: Any) -> str:
    return str(value.isoformat())
