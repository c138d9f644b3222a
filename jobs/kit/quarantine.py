"""Quarantine: refused rows, each with its rules, until they are repaired and replayed. Nothing refused is lost.

Grain of `quarantine.<table>`: one refused row of the table's present content. It is replaced together with the scope
(dates, keys, files) that it came from, so a repaired row leaves it by itself.
"""

import json
from collections import Counter
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import lake, vault
from jobs.kit.contracts import Contract, all_contracts
from jobs.kit.gate import RULES, Verdict
from jobs.kit.scope import Scope
from jobs.kit.settings import settings

COLUMNS = ("rules", "scope", "source_file", "row_number", "row", "run_id")
EVERYTHING = "everything"


def table_of(contract: Contract) -> str:
    """`quarantine.orders` of `silver.orders`."""
    return f"quarantine.{contract.table}"


def refuse(spark: SparkSession, verdict: Verdict, contract: Contract, scope: Scope, run_id: str) -> None:
    """Make the quarantine of the scope just judged what the gate refused in it. Costs nothing where all is well."""
    there = lake.version(table_of(contract)) is not None
    if not there and not verdict.rows_refused:
        return
    frames = [_kept(spark, contract, scope)] if there else []
    if verdict.refused is not None:
        rows = _rows(verdict.refused, contract, run_id, scope)
        told = ["row"] if contract.identifiers or contract.opens else []
        frames.append(vault.seal_columns(spark, rows, told, keep_tokens=True))
    write(contract, reduce(DataFrame.unionByName, frames))


def refuse_files(
    spark: SparkSession,
    contract: Contract,
    frames: list[DataFrame],
    names: list[str],
    file_ids: list[str],
    *,
    everything: bool,
) -> None:
    """The same for bronze, whose scopes are files: what stood refused of these is replaced by `frames`.

    By name, for a newer delivery replaces the one before; by id, for messages are named after their topic.
    """
    there = lake.version(table_of(contract)) is not None
    if there and not everything:
        stands = ~F.col("source_file").isin(names) & ~F.col("scope").isin(file_ids)
        frames = [lake.read(spark, table_of(contract)).where(stands), *frames]
    elif there and not frames:
        frames = [lake.read(spark, table_of(contract)).limit(0)]
    if frames:
        write(contract, reduce(DataFrame.unionByName, frames))


def write(contract: Contract, frame: DataFrame) -> None:
    """Overwrite `quarantine.<table>`: it is small, and one commit is whole."""
    frame.coalesce(1).write.format("delta").mode("overwrite").save(settings().path(table_of(contract)))


def _kept(spark: SparkSession, contract: Contract, scope: Scope) -> DataFrame:
    """Refused rows of the scopes that this run did not touch."""
    old = lake.read(spark, table_of(contract))
    if scope.values is not None:
        return old.where(~F.col("scope").isin([str(v) for v in scope.values]))
    if scope.keys is not None:
        return old.join(scope.keys.select(_scope_of(contract).alias("scope")), on="scope", how="left_anti")
    return old.where(F.col("scope") != str(scope.as_of)) if scope.as_of else old.limit(0)


def _scope_of(contract: Contract) -> Column:
    return F.concat_ws("|", *[F.col(k).cast("string") for k in contract.scope_keys])


def _rows(refused: DataFrame, contract: Contract, run_id: str, scope: Scope) -> DataFrame:
    data = [c for c in refused.columns if not c.startswith("_")]
    has = set(refused.columns)
    named = _scope_of(contract) if contract.scope_keys else F.lit(EVERYTHING)
    return refused.select(
        F.col(RULES).alias("rules"),
        (F.lit(str(scope.as_of)) if scope.as_of else named).alias("scope"),
        (F.col("_source_file") if "_source_file" in has else F.lit(None).cast("string")).alias("source_file"),
        (F.col("_row_number") if "_row_number" in has else F.lit(None).cast("bigint")).alias("row_number"),
        F.to_json(F.struct(*data)).alias("row"),
        F.lit(run_id).alias("run_id"),
    )


def keep_candidate(spark: SparkSession, candidate: DataFrame, verdict: Verdict, contract: Contract, run_id: str) -> str:
    """Keep a refused candidate and its failing rows for inspection, beside the last good version. Returns where."""
    where = _candidate(contract.table, "failing")
    marked = (
        verdict.refused if verdict.refused is not None else candidate.limit(0).withColumn(RULES, F.array(F.lit("")))
    )
    failing = vault.seal(spark, marked, contract).withColumn("_run_id", F.lit(run_id))
    writer = failing.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    writer.save(settings().path(where))
    whole = (
        vault.seal(spark, candidate, contract).write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    )
    whole.save(settings().path(_candidate(contract.table, "candidate")))
    return settings().path(where)


def forget_candidate(contract: Contract) -> None:
    """Empty what `keep_candidate` kept of a table: a later candidate was published in its place."""
    for part in ("failing", "candidate"):
        lake.clear(_candidate(contract.table, part))


def _candidate(table: str, part: str) -> str:
    """What is kept of a candidate refused whole: its `failing` rows, or all of the `candidate`."""
    return f"quarantine._candidates/{table}/{part}"


def show(table: str, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """How many rows of a table stand refused, and the first of them. No Spark: quarantine is read by delta-rs.

    A candidate refused whole is shown too: its failing rows are kept apart until a later run passes.
    """
    bare = table.split(".")[1]
    rows = []
    for kept in (f"quarantine.{bare}", _candidate(bare, "failing")):
        if lake.version(kept) is not None:
            rows += lake.read_small(kept).to_pylist()
    if table.startswith("bronze."):
        from jobs.kit import bronze

        rows += [
            {"rules": [f["rule"]], "source_file": f["name"], "row_number": None, "row": f["detail"]}
            for f in bronze.refused_files(table)
        ]
    return len(rows), [_shown(r) for r in rows[:limit]]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    if "row" in row:
        return row
    content = {k: v for k, v in row.items() if not k.startswith("_")}
    origin = {"source_file": row.get("_source_file"), "row_number": row.get("_row_number")}
    return {"rules": row[RULES], **origin, "row": json.dumps(content, default=str)}


def summary() -> list[tuple[str, str, int]]:
    """(table, rule, rows) over all of the quarantine."""
    counts: Counter[tuple[str, str]] = Counter()
    for contract in all_contracts():
        counts.update((contract.name, rule) for r in show(contract.name, 10**9)[1] for rule in r["rules"])
    return [(table, rule, count) for (table, rule), count in sorted(counts.items())]
