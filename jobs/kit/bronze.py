"""One run of a bronze table: land → door → gate → append. The scope of a run is a set of files.

Every delivery is accounted for in `ops.files`, rows in = accepted + refused. Bronze holds the newest version of each
file name: a corrected file replaces the rows of the first in the same commit. The commit's stamp names its files, so
a run that was killed between the commit and the ledger is put right by the next one.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from jobs.kit import door_file, drift, gate, lake, quality, quarantine, vault
from jobs.kit.contracts import Contract
from jobs.kit.run import Result, fingerprint
from jobs.kit.settings import settings
from jobs.landing import files as landing
from jobs.landing import pulls, stream
from jobs.landing.files import LandedFile

FILES = pa.schema(
    [
        ("table", pa.string()), ("file_id", pa.string()), ("name", pa.string()), ("file_date", pa.date32()),
        ("bytes", pa.int64()), ("arrived_at", pa.timestamp("us", "UTC")), ("verdict", pa.string()),
        ("rule", pa.string()), ("detail", pa.string()), ("rows_in", pa.int64()), ("rows_accepted", pa.int64()),
        ("rows_refused", pa.int64()), ("run_id", pa.string()), ("recorded_at", pa.timestamp("us", "UTC")),
    ]
)  # fmt: skip

CAME_BY_FILE, CAME_BY_STREAM = CAME = ("row:came_by_file", "row:came_by_stream")  # known: nothing is to be repaired
CAME_BY = "file:partly_known"


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
    """Ask the source if it can be asked, land what it dropped up to `as_of`, and load what is not loaded yet.

    A changed contract or expectation reads everything again from landing, where every byte is kept.
    """
    conf = settings()
    if contract.source in conf.sources:
        address = conf.sources[contract.source].get_secret_value()
        if stream.is_streamed(address):
            stream.drain(contract, address, as_of=as_of)
        else:
            pulls.pull(contract, address, conf.drop, conf.landing, as_of=as_of, zone=conf.zone)
    landing.land(contract, conf.drop, conf.landing, as_of=as_of)
    code, last = fingerprint(contract), lake.stamp(contract.name)
    again = full or (bool(last) and last.get("code") != code)
    accounted = _ledger(contract, last)
    known = {} if again else accounted
    deliveries = [*landing.landed(contract, conf.landing), *stream.landed(contract, accounted)]
    results: list[Result] = []
    while pending := _pending(deliveries, known):
        results += _Load(contract, as_of, run_id, code, again and not results, pending, known).run()
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
    return results or [
        Result(
            contract.name, as_of, run_id, "nothing new", version=lake.version(contract.name), note=_standing(contract)
        )
    ]


def is_due(contract: Contract, as_of: date) -> bool:
    """Whether a run as of that day could find something to do; without Spark, and what was dropped is landed by it.

    Of a source that can be asked nobody knows before it is.
    """
    conf = settings()
    if contract.source in conf.sources:
        return True
    last = lake.stamp(contract.name)
    if not last:  # a first load lands by itself
        return bool(landing.dropped(contract, conf.drop) or landing.landed(contract, conf.landing))
    landing.land(contract, conf.drop, conf.landing, as_of=as_of)
    known = _ledger(contract, last)
    return last.get("code") != fingerprint(contract) or any(
        file.file_id not in known for file in landing.landed(contract, conf.landing)
    )


def _standing(contract: Contract) -> str:
    """Files that still are not as agreed, so that a run with nothing new does not hide them."""
    files = [f for f in refused_files(contract.name) if drift.is_drift(f["rule"])]
    return f"still refused: {drift.summed((f['name'], f['detail']) for f in files)}" if files else ""


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
    verdicts: dict[str, door_file.FileVerdict] = field(default_factory=dict)  # of files that were let in, by file id
    rules: Counter[str] = field(default_factory=Counter)  # what they have more or less than the contract says

    def run(self) -> list[Result]:
        """Door, gate, quarantine, publish, ledger: in this order, so that a kill in between loses nothing.

        A second Result tells of files that are not as agreed any more, where others were loaded.
        """
        from jobs.kit import arrivals
        from jobs.kit.session import session

        batches = [f for f in self.pending if isinstance(f, stream.Batch)]
        files = [f for f in self.pending if f not in batches]
        checked = arrivals.check(files, self.contract)
        refused = [_Account(f, "refused", v.rule, v.detail) for f, v in checked if not v.accepted]
        readable = [f for f, v in checked if v.accepted]
        self.verdicts = {f.file_id: v for f, v in checked if v.accepted}
        spark = session()
        if not readable and not batches:
            return self._finish(spark, refused, None, None, None, {})
        frames = [arrivals.rows(spark, readable, self.contract)] if readable else []
        frames += [stream.rows(spark, batches, self.contract)] if batches else []
        read = reduce(DataFrame.unionByName, frames).persist()
        rows = self._each_once(spark, read)
        rows = rows if rows is read else rows.persist()
        try:
            return self._load(spark, rows, [*readable, *batches], refused)
        finally:
            rows.unpersist()
            read.unpersist()

    def _each_once(self, spark: SparkSession, rows: DataFrame) -> DataFrame:
        """Refuse rows that the other route brought: what was streamed, in a file that replays its day; or the reverse.

        Known is a row that is the same in every column, once for each time that it came there. Rows of one route are
        never compared: what a source sends twice stays twice.
        """
        routes = {f.name: isinstance(f, stream.Batch) for f in self.pending}
        routes |= {r["name"]: stream.is_batch(r["name"]) for r in self.known.values() if r["verdict"] == "loaded"}
        if len(set(routes.values())) < 2:
            return rows
        names = [c.name for c in self.contract.columns]
        streamed, where = F.col("_source_file").startswith("kafka/"), ["_file_id", "_source_file", "_row_number"]

        def numbered(frame: DataFrame) -> DataFrame:
            content = F.sha2(F.to_json(F.struct(*names)), 256).alias("content")
            frame = frame.select(content, streamed.alias("streamed"), *where)
            copies = Window.partitionBy("content", "streamed").orderBy(*where)
            return frame.withColumn("copy", F.row_number().over(copies))

        new = numbered(vault.seal(spark, rows.where(F.col("_rule").isNull()), self.contract))
        others = new.where("streamed")  # of both at once the stream counts, as if it had come first
        if not self.again and lake.version(self.contract.name) is not None:
            anew = [f.name for f in self.pending]  # what these brought before is replaced
            before = lake.read(spark, self.contract.name).where(~F.col("_source_file").isin(anew))
            if day := self.contract.partition:
                first, last = rows.agg(F.min(day), F.max(day)).first() or (None, None)
                before = before.where(F.col(day).between(F.lit(first), F.lit(last)))
            others = others.unionByName(numbered(before))
        others = others.select("content", "copy", (~F.col("streamed")).alias("streamed"))
        known = new.join(others, on=["content", "copy", "streamed"], how="left_semi").select(*where, "streamed")
        rule = F.when(F.col("streamed"), F.lit(CAME_BY_FILE)).when(~F.col("streamed"), F.lit(CAME_BY_STREAM))
        marked = rows.join(known, on=where, how="left").withColumn("_rule", F.coalesce("_rule", rule))
        return marked.select(*rows.columns)

    def _load(
        self, spark: SparkSession, rows: DataFrame, files: list[LandedFile], refused: list[_Account]
    ) -> list[Result]:
        # A batch is never refused whole: nobody will send it again, and its size says nothing of how bad it is.
        streamed = {f.file_id for f in files if isinstance(f, stream.Batch)}
        read, row_rules, known, extra = Counter[str](), Counter[str](), Counter[str](), set[str]()
        bad_rows: dict[str, Counter[str]] = defaultdict(Counter)
        counts = rows.groupBy("_file_id", "_rule").agg(F.count(F.lit(1)), F.count("_extra"))
        for file_id, rule, count, with_extra in counts.collect():
            read[file_id] += count
            extra |= {file_id} if with_extra else set()
            if rule is not None:
                row_rules[rule] += count
                if rule in CAME:
                    known[file_id] += count
                else:
                    bad_rows[file_id][rule] += count
        names = _extra_names(rows, extra)
        loaded = []
        for file in files:
            n, bad, came = read[file.file_id], bad_rows[file.file_id], known[file.file_id]
            if bad.total() > self.contract.max_refused_share * n and file.file_id not in streamed:
                refused.append(self._too_many(rows, file, bad, n, like=len(refused) < drift.TOLD))
                continue
            rules, said = drift.news(self.verdicts.get(file.file_id, door_file.FINE), names[file.file_id])
            self.rules.update(rules)
            if came:
                said = "; ".join(filter(None, [f"{came} of {n} rows had come by the other route", said]))
            rule = CAME_BY if came else None
            loaded.append(_Account(file, "loaded", rule, said or None, n, n - bad.total() - came))
        ids = [a.file.file_id for a in loaded]
        candidate = rows.where(F.col("_rule").isNull() & F.col("_file_id").isin(ids)).drop("_rule", "_raw")
        verdict = gate.judge(candidate, self.contract, any_share=bool(streamed))
        shares = gate.over_share(candidate, self.contract, "_file_id") if verdict.refused_by_rule else {}
        if over := {file_id: said for file_id, said in shares.items() if file_id not in streamed}:
            refused += [
                _Account(a.file, "refused", "file:too_many_refused_rows", over[a.file.file_id], a.rows_in)
                for a in loaded
                if a.file.file_id in over
            ]
            loaded = [a for a in loaded if a.file.file_id not in over]
            candidate = candidate.where(~F.col("_file_id").isin([*over]))
            verdict = gate.judge(candidate, self.contract, any_share=bool(streamed))
        if verdict.rows_refused and verdict.refused is not None:
            by_file = {r["_file_id"]: r["count"] for r in verdict.refused.groupBy("_file_id").count().collect()}
            for account in loaded:
                account.rows_accepted -= by_file.get(account.file.file_id, 0)
        return self._finish(spark, refused, loaded, verdict, rows, dict(row_rules))

    def _too_many(self, rows: DataFrame, file: LandedFile, bad: Counter[str], n: int, *, like: bool) -> _Account:
        """The account of a file of whose `n` rows more are `bad` (by rule) than may be; `like`: with examples."""
        share, (rule, most) = self.contract.max_refused_share, bad.most_common(1)[0]
        name = rule.removeprefix("row:type:")
        if name == rule or most <= share * n:
            detail = f"{bad.total()} of {n} rows refused, {most} by {rule}, the contract allows {share:.1%}"
            return _Account(file, "refused", "file:too_many_refused_rows", detail, n)
        column = self.contract.column(name)
        detail = f"{column.received_as} is no {column.logical} in {most} of {n} rows, the contract allows {share:.1%}"
        if like:
            some = rows.where((F.col("_file_id") == file.file_id) & (F.col("_rule") == rule)).select(name).limit(100)
            values = list(dict.fromkeys(drift.shown(row[0], column) for row in some.collect()))
            detail += f"; there is {', '.join(values[: drift.TOLD])}"
        return _Account(file, "refused", f"file:changed_type:{name}", detail, n)

    def _finish(
        self,
        spark: SparkSession,
        refused: list[_Account],
        loaded: list[_Account] | None,
        verdict: gate.Verdict | None,
        rows: DataFrame | None,
        row_rules: dict[str, int],
    ) -> list[Result]:
        stopped = [a for a in refused if drift.is_drift(a.rule)]
        every = [*refused, *(loaded or [])]
        if lost := self._lost(stopped):
            note = "nothing was published, since files that were loaded before do not meet the contract as it is now: "
            return [replace(self._result("refused", every, lost), rows_out=0, note=note + self._sentence(lost))]
        if loaded and stopped:
            result = self._result("published", [a for a in every if a not in stopped], refused)
            beside = [self._result("refused", stopped, stopped)]
        else:
            result, beside = self._result("published" if loaded else "refused", every, refused), []
        if verdict is not None:
            gate.save(verdict, self.run_id)
            newest = max((a.file.file_date for a in loaded or [] if a.file.file_date), default=None)
            before = sum(a.rows_in for a in every) - verdict.rows_in
            quality.record(verdict, self.contract, self.as_of, self.run_id, refused_before=before, newest=newest)
            if loaded and not verdict.passed:  # where no file is left, there is no candidate to hold
                where = quarantine.keep_candidate(spark, verdict.accepted, verdict, self.contract, self.run_id)
                return [replace(
                    result, verdict="refused", rows_out=0, rows_refused=result.rows_in, note=where,
                    rules={**result.rules, **verdict.failures},
                ), *beside]  # fmt: skip
        self._quarantine(spark, every, verdict, rows if row_rules else None)
        judged = verdict.refused_by_rule if verdict else {}
        result = replace(result, rules={**result.rules, **self.rules, **row_rules, **judged})
        if loaded and verdict is not None:
            version = self._publish(spark, verdict, loaded)
            quarantine.forget_candidate(self.contract)
            result = replace(result, version=version)
        _record(every, self.run_id)
        return [replace(r, version=result.version) for r in (result, *beside)]

    def _lost(self, stopped: list[_Account]) -> list[_Account]:
        """Of files that a changed contract stops, those that the published version has: their rows would be gone."""
        if not self.again or not stopped:
            return []
        before = {r["file_id"] for r in ledger(self.contract.name).values() if r["verdict"] == "loaded"}
        return [a for a in stopped if a.file.file_id in before]

    def _result(self, verdict: str, accounts: list[_Account], refused: list[_Account]) -> Result:
        """What became of these files; `refused` are told of first."""
        n_in, n_out = sum(a.rows_in for a in accounts), sum(a.rows_accepted for a in accounts)
        refused = [a for a in refused if a in accounts]
        loaded = [a for a in accounts if a not in refused]
        rules = Counter(a.rule for a in refused if a.rule)
        said = [(a.file.name, a.detail) for a in loaded if a.detail]
        notes = [self._sentence(refused)] if refused else []
        notes += [f"{drift.summed(said)}. See: shoplake contract diff {self.contract.name}"] if said else []
        return Result(
            self.contract.name, self.as_of, self.run_id, verdict, n_in, n_out, n_in - n_out,
            scope=f"{len(loaded)} files" + (f", {len(refused)} refused" if refused else ""),
            version=lake.version(self.contract.name), rules={str(k): v for k, v in rules.items()},
            note=". ".join(notes),
        )  # fmt: skip

    def _sentence(self, refused: list[_Account]) -> str:
        """Which files were refused for what and, where they are not as agreed any more, what to do."""
        said = drift.summed((a.file.name, a.detail or str(a.rule)) for a in refused)
        if not any(drift.is_drift(a.rule) for a in refused):
            return said
        return f"{said}. Have it sent as agreed, or mend the contract: shoplake contract diff {self.contract.name}"

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
            "contract": self.contract.version,
            "files": [json.loads(json.dumps(a.row(self.run_id), default=_iso)) for a in loaded],
        }
        return lake.publish(
            spark, vault.seal(spark, verdict.accepted, self.contract), self.contract, said, rows=verdict.rows_out,
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
                rows.where(F.col("_rule").isNotNull() & ~F.col("_rule").isin(*CAME)).select(
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
        if self.contract.identifiers:
            frames = [vault.seal_columns(spark, frame, ["row"], keep_tokens=False) for frame in frames]
        names, ids = [a.file.name for a in every], [a.file.file_id for a in every]
        quarantine.refuse_files(spark, self.contract, frames, names, ids, everything=self.again)


def _extra_names(rows: DataFrame, file_ids: set[str]) -> dict[str, set[str]]:
    """The columns that the contract does not name, by file id: of JSON any line may have one."""
    found: dict[str, set[str]] = defaultdict(set)
    if file_ids:
        names = rows.where("_extra IS NOT NULL").select("_file_id", F.explode(F.json_object_keys("_extra")))
        for file_id, name in names.distinct().collect():
            found[file_id].add(name)
    return found


def _iso(value: Any) -> str:
    return str(value.isoformat())
