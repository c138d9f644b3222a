"""One run of one table: read inputs → build → gate → publish. The same with Airflow and without.

A run rebuilds the **scopes** that changed inputs touch and replaces just those: dates (`partition`), keys (`upsert`,
`history`), files (`append`, see jobs/kit/bronze.py) or all of it (`snapshot`, kept per as_of where `build` takes one).
Which scopes, is read from the change feed of the inputs between the versions stamped on the last publish and now.
Because `build` restricted to a scope equals the whole build restricted to it, any split of the input into runs ends
in the same content as one full build: tests/kit/test_increments.py holds that for every table.
"""

import hashlib
import importlib
import json
import time
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import gate, lake, lineage, process, quality, quarantine, vault
from jobs.kit.contracts import Contract, load
from jobs.kit.scope import Scope
from jobs.kit.settings import CHECKOUT, settings

ALL = "all"  # the stamp of a table that is not kept per as_of
KEPT_STAMPS = 800  # as_ofs whose inputs a stamp remembers; older ones are rebuilt when asked for again


@dataclass(frozen=True)
class Result:
    """What a run did: one row of ops.runs. rows_in = rows_out + rows_refused."""

    table: str
    as_of: date
    run_id: str
    verdict: str  # published | nothing new | refused; in the ledger also waiting (for an input) | crashed
    rows_in: int = 0
    rows_out: int = 0
    rows_refused: int = 0
    seconds: float = 0.0
    scope: str = ""
    version: int | None = None
    inputs: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def ok(self) -> bool:
        """False if a critical rule failed: what depends on the table must not run."""
        return self.verdict != "refused"


RUNS = pa.schema(
    [
        ("table", pa.string()), ("as_of", pa.date32()), ("run_id", pa.string()), ("verdict", pa.string()),
        ("rows_in", pa.int64()), ("rows_out", pa.int64()), ("rows_refused", pa.int64()), ("seconds", pa.float64()),
        ("scope", pa.string()), ("version", pa.int64()), ("inputs", pa.string()), ("rules", pa.string()),
        ("note", pa.string()), ("finished_at", pa.timestamp("us", "UTC")), ("run_by", pa.string()),
    ]
)  # fmt: skip


def run(name: str, as_of: date, *, full: bool = False) -> list[Result]:
    """Bring one table up to date. One Result; more when late rows also refresh earlier as_ofs.

    Idempotent: with nothing new it touches nothing, and does not even start Spark. `full` builds everything again.
    """
    node = lineage.full_name(name)
    if node.startswith("models."):
        raise ValueError(f"{node} is a model: shoplake train {node}")
    with process.alone(settings().home, node):
        if node.startswith("bronze."):
            from jobs.kit import bronze

            return _recorded(node, as_of, lambda run_id: bronze.run(load(node), as_of, run_id, full=full))
        return _recorded(node, as_of, lambda run_id: _run(load(node), as_of, run_id, full))


def _recorded(node: str, as_of: date, work: Any) -> list[Result]:
    """Time the work and leave a row in ops.runs for each result, a crash included."""
    run_id, start = uuid.uuid4().hex[:12], time.monotonic()
    try:
        results = [replace(r, seconds=round(time.monotonic() - start, 2)) for r in work(run_id)]
    except Exception as error:
        seconds = round(time.monotonic() - start, 2)
        verdict = "waiting" if isinstance(error, lake.NotThereError) else "crashed"
        record([Result(node, as_of, run_id, verdict, seconds=seconds, note=str(error).splitlines()[0][:500])])
        raise
    record([r for r in results if r.verdict != "nothing new"])
    return results


def record(results: list[Result]) -> None:
    """Append results to ops.runs."""
    rows = [
        {
            **asdict(r),
            "inputs": json.dumps(r.inputs),
            "rules": json.dumps(r.rules),
            "finished_at": lake.now(),
            "run_by": settings().run_by,
        }
        for r in results
    ]
    lake.append_ops("runs", rows, RUNS)


def fingerprint(contract: Contract) -> str:
    """Hash of what makes a table besides data: code, contract, expectations. A change means a full build."""
    files = [
        *lineage.code(contract.name),
        contract.path,
        CHECKOUT / "expectations" / contract.layer / f"{contract.table}.yaml",
    ]
    digest = hashlib.sha256(settings().timezone.encode())
    for file in files:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _run(contract: Contract, as_of: date, run_id: str, full: bool) -> list[Result]:
    """Find out what is new; build, judge and publish each scope that it touches."""
    per_as_of = lineage.signature(contract.name)[1]
    versions = _input_versions(contract)
    code, last = fingerprint(contract), lake.stamp(contract.name)
    stamps: dict[str, dict[str, Any]] = last.get("as_ofs", {})
    same_code = last.get("code") == code and not full
    day = as_of.isoformat() if per_as_of else ALL
    nothing = Result(
        contract.name, as_of, run_id, "nothing new", inputs=_ints(versions), version=lake.version(contract.name)
    )
    if same_code and stamps.get(day) == versions and all(s == versions for s in stamps.values()):
        return [nothing]

    from jobs.kit.session import session

    spark = session()
    work = _Work(spark, contract, versions, code, stamps if same_code else {}, run_id, as_of)
    if not per_as_of:
        scope = _scope(spark, contract, work.stamps[ALL], versions) if ALL in work.stamps else Scope("everything")
        return [_publish(work, scope)] if scope else [nothing]
    days = {day} if work.stamps.get(day) != versions else set()
    if contract.layer != "scoring":  # a score is the record of what was said that day: it stays
        days |= _late(spark, work.stamps, versions) if same_code else set(stamps)
    results = []
    for i, late in enumerate(sorted(days)):
        scope = Scope(f"as of {late}", as_of=date.fromisoformat(late))
        if i == len(days) - 1:  # what is new does not reach the other days: remember that too
            work.stamps.update(dict.fromkeys(work.stamps, versions))
        results.append(_publish(work, scope, anew=not same_code and i == 0 and contract.layer != "scoring"))
        if not results[-1].ok:
            break
    return results or [nothing]


@dataclass
class _Work:
    """What one run of one table knows; `stamps` grows as scopes are published."""

    spark: SparkSession
    contract: Contract
    versions: dict[str, Any]
    code: str
    stamps: dict[str, dict[str, Any]]
    run_id: str
    as_of: date


def _input_versions(contract: Contract) -> dict[str, Any]:
    """The published version of each input, None of an optional one that never came.

    NotThereError if any other never came, or none at all did.
    """
    found = {table: _input_version(table) for table in lineage.inputs(contract.name)}
    missing = [table for table, version in found.items() if version is None]
    if len(missing) < len(found):
        missing = [table for table in missing if table.split(".")[1] not in contract.optional]
    if missing:
        raise lake.NotThereError(
            f"{contract.name} needs {missing[0]}, which was never published: shoplake run {missing[0]}"
        )
    return found


def _input_version(table: str) -> Any:
    if table.startswith("models."):
        from jobs.kit import registry

        return registry.champion_version(table.split(".")[1])
    return lake.version(table)


def _ints(versions: dict[str, Any]) -> dict[str, int]:
    return {k: int(v) for k, v in versions.items() if v is not None}


def _late(spark: SparkSession, stamps: dict[str, dict[str, Any]], now: dict[str, Any]) -> set[str]:
    """The kept as_ofs that changes since their publish reach: changes dated on or before them, or not dated at all."""
    found = set()
    for before in {json.dumps(s): s for s in stamps.values() if s != now}.values():
        earliest = [_earliest(spark, t, before.get(t), v) for t, v in now.items() if before.get(t) != v]
        found |= {d for d, s in stamps.items() if s == before and any(e <= date.fromisoformat(d) for e in earliest)}
    return found


def _earliest(spark: SparkSession, table: str, before: Any, now: Any) -> date:
    """The earliest date of a change; the dawn of time where a table has no dates, its end where nothing changed."""
    dated = None if table.startswith("models.") else load(table).partition
    if dated is None or not lake.is_comparable(table, before, now):
        return date.min
    first = lake.changes(spark, table, before, now).agg(F.min(dated)).first()
    return first[0] if first and first[0] else date.max


def _scope(spark: SparkSession, contract: Contract, before: dict[str, Any], now: dict[str, Any]) -> Scope | None:
    """The dates or keys that changes of the inputs since `before` touch; None if they touch nothing."""
    keys = list(contract.scope_keys)
    if not keys:
        return Scope("everything")
    touched: list[DataFrame] = []
    for table, version in now.items():
        if before.get(table) == version:
            continue
        if not lake.is_comparable(table, before[table], version):
            return Scope("everything")
        reach = next((r for r in contract.reach if r.input == table.split(".")[1]), None)
        changed = _with_scope(lake.changes(spark, table, before[table], version), contract, table)
        if set(keys) <= set(changed.columns):
            touched.append(changed.select(*keys))
        elif reach:
            if now[lineage.full_name(reach.through)] is None:
                continue  # an optional one: nothing is reached yet
            node = lineage.full_name(reach.through)
            through = _with_scope(lake.read(spark, node), contract, node)
            names = zip(reach.key, reach.through_key, strict=True)
            news = changed.select(*[F.col(key).alias(there) for key, there in names]).distinct()
            touched.append(through.join(news, [*reach.through_key], "left_semi").select(*keys))
        else:
            return Scope("everything")
    if not touched:
        return None
    union = reduce(DataFrame.unionByName, touched).distinct()
    if contract.growth == "partition":
        values = tuple(sorted(r[0] for r in union.collect() if r[0] is not None))
        if not values:
            return None
        text = f"{len(values)} of {keys[0]}: {values[0]}" + (f" … {values[-1]}" if len(values) > 1 else "")
        return Scope(text, values=values)
    union = union.persist()
    count = union.count()
    return Scope(f"{count} keys", keys=union) if count else None


def _publish(work: _Work, scope: Scope, *, anew: bool = False) -> Result:
    """Build one scope, judge it, publish it. Refused rows go to quarantine first, so that none is lost in between."""
    spark, contract, versions = work.spark, work.contract, work.versions
    module = importlib.import_module(f"jobs.{contract.name}")
    frames = [_input(spark, contract, u, versions[u], scope) for u in lineage.inputs(contract.name)]
    frames = [_opened(work, u, f) for u, f in zip(lineage.inputs(contract.name), frames, strict=True)]
    built = module.build(*frames, **({"as_of": scope.as_of} if scope.as_of else {}))
    candidate = _restricted(built, contract, scope).persist()
    try:
        verdict = gate.judge(candidate, contract, held=_held(spark, contract, scope))
        gate.save(verdict, work.run_id)
        day = scope.as_of or work.as_of
        quality.record(verdict, contract, day, work.run_id)
        result = Result(
            contract.name, day, work.run_id, "published", verdict.rows_in, verdict.rows_out, verdict.rows_refused,
            scope=scope.text, inputs=_ints(versions), rules={**verdict.refused_by_rule, **verdict.failures},
        )  # fmt: skip
        if not verdict.passed:
            where = quarantine.keep_candidate(spark, candidate, verdict, contract, work.run_id)
            last_good = lake.version(contract.name)
            return replace(
                result, verdict="refused", rows_out=0, rows_refused=verdict.rows_in, version=last_good, note=where
            )
        quarantine.refuse(spark, verdict, contract, scope, work.run_id)
        touched = scope.keys
        if touched is None and contract.growth == "upsert" and work.stamps:
            # All was built, little may differ: merged, so that what reads it finds no more news than there is.
            touched = lake.read(spark, contract.name).select(*contract.keys)
        key = scope.as_of.isoformat() if scope.as_of else ALL
        work.stamps[key] = versions
        said = {
            "run_id": work.run_id,
            "as_of": day.isoformat(),
            "code": work.code,
            "contract": contract.version,
            "batch": _batch(contract.name, key, versions, work.code),
            "as_ofs": dict(sorted(work.stamps.items())[-KEPT_STAMPS:]),
            "gate": {"rows_in": verdict.rows_in, "rows_refused": verdict.rows_refused},
        }
        where_ = None if anew else _predicate(contract, scope)
        sealed = vault.seal(spark, verdict.accepted, contract)
        version = lake.publish(spark, sealed, contract, said, rows=verdict.rows_out, replace=where_, touched=touched)
        quarantine.forget_candidate(contract)
        return replace(result, version=version)
    finally:
        candidate.unpersist()
        if scope.keys is not None:
            scope.keys.unpersist()


def _input(spark: SparkSession, contract: Contract, table: str, version: Any, scope: Scope) -> Any:
    """An input as `build` is to see it: a champion model, or a table restricted to the scope where it carries it."""
    if table.startswith("models."):
        from jobs.kit import registry

        return registry.champion(table.split(".")[1])
    if version is None:
        return lake.empty(spark, load(table))
    frame = lake.read(spark, table, at=version)
    if scope.values is not None:
        marked = _with_scope(frame, contract, table)
        if contract.partition in marked.columns:
            return marked.where(F.col(contract.partition).isin(list(scope.values))).select(*frame.columns)
    if scope.keys is not None and set(contract.scope_keys) <= set(frame.columns):
        return frame.join(F.broadcast(scope.keys), on=list(contract.scope_keys), how="left_semi")
    if scope.as_of is not None and "as_of_date" in frame.columns:
        frame = frame.where(F.col("as_of_date") == F.lit(scope.as_of))
        if frame.isEmpty():
            raise lake.NotThereError(
                f"{contract.name} as of {scope.as_of} needs {table} of that day: "
                f"shoplake run {table} --as-of {scope.as_of}"
            )
    return frame


def _opened(work: _Work, table: str, frame: Any) -> Any:
    """The input with identifiers as they were told, if the contract says that the build needs them so."""
    if table.split(".")[1] not in work.contract.opens:
        return frame
    vault.log(work.contract.name, table, "build", work.run_id)
    return vault.open_columns(work.spark, frame, load(table).identifiers)


def _with_scope(frame: DataFrame, contract: Contract, table: str) -> DataFrame:
    """An input with the partition column, if the contract says what of the input's columns it is made of."""
    said = contract.carried_as.get(table.split(".")[1])
    return frame.withColumn(str(contract.partition), F.expr(said)) if said else frame


def _restricted(built: DataFrame, contract: Contract, scope: Scope) -> DataFrame:
    """Only rows of the scope: an input without the scope column can make others."""
    if scope.values is not None:
        return built.where(F.col(str(contract.partition)).isin(list(scope.values)))
    if scope.keys is not None:
        return built.join(F.broadcast(scope.keys), on=list(contract.scope_keys), how="left_semi")
    return built


def _held(spark: SparkSession, contract: Contract, scope: Scope) -> DataFrame | None:
    """The keys of published rows which stay: a key must not stand in two dates."""
    if scope.values is None or contract.partition in contract.keys:
        return None
    table = lake.read(spark, contract.name)
    return table.where(~F.col(str(contract.partition)).isin(list(scope.values))).select(*contract.keys)


def _predicate(contract: Contract, scope: Scope) -> str | None:
    if scope.values is not None:
        return f"{contract.partition} IN ({', '.join(f'DATE{str(v)!r}' for v in scope.values)})"
    return f"as_of_date = DATE'{scope.as_of}'" if scope.as_of else None


def _batch(table: str, key: str, versions: dict[str, Any], code: str) -> str:
    """Names the work, so that Delta itself refuses to publish the same twice; a restored table is new work."""
    text = json.dumps([table, key, versions, code, lake.version(table)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
