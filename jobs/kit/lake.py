"""Storage: reads declared inputs, publishes candidates. The only module that touches the lake's tables.

Tables are Delta, found by path (`<lake>/<layer>/<table>`), so no metastore can disagree with the files. Each publish is
one commit that carries a **stamp** in `userMetadata`: what was published, from which versions of which inputs. The
stamp is read back through delta-rs in milliseconds, without Spark.

Tables are not split into a folder per day: a retailer's day is a few hundred kilobytes, and a thousand tiny files cost
more than they prune. Large tables are split into files by the scope column, so that Delta's file statistics prune as
well (docs/decisions/0104-no-daily-folders.md).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit.contracts import Contract
from jobs.kit.settings import settings

ROWS_PER_FILE = 1_000_000
_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",  # what changed since a version: increments are found by it
    "delta.enableDeletionVectors": "false",  # readers outside Spark, and erasure, do better without
    "delta.logRetentionDuration": "interval 365 days",
    "delta.deletedFileRetentionDuration": "interval 30 days",
}


class NotThereError(Exception):
    """A table that was never published."""


def _open(table: str) -> DeltaTable | None:
    try:
        return DeltaTable(settings().path(table))
    except TableNotFoundError:
        return None


def version(table: str) -> int | None:
    """The published version of a table; None if it was never published. No Spark."""
    found = _open(table)
    return None if found is None else found.version()


def stamp(table: str) -> dict[str, Any]:
    """What the last publish said of itself; empty if never published, or if something else wrote last."""
    found = _open(table)
    if found is None:
        return {}
    for commit in found.history(20):  # maintenance (OPTIMIZE, VACUUM) commits without a stamp
        said = commit.get("userMetadata")
        if said:
            return dict(json.loads(said))
        if commit.get("operation") not in ("OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"):
            return {}
    return {}


def read(spark: SparkSession, table: str, at: int | None = None) -> DataFrame:
    """A published table, at a version if one is given. NotThereError if it was never published."""
    if version(table) is None:
        raise NotThereError(f"{table} was never published: run it first (shoplake run {table})")
    reader = spark.read.format("delta")
    return (reader if at is None else reader.option("versionAsOf", at)).load(settings().path(table))


def changes(spark: SparkSession, table: str, after: int, to: int) -> DataFrame:
    """Rows inserted, updated (before and after) or deleted in versions (after, to], by Delta's change data feed."""
    reader = spark.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", after + 1).option("endingVersion", to).load(settings().path(table))


def publish(
    spark: SparkSession,
    frame: DataFrame,
    contract: Contract,
    said: dict[str, Any],
    *,
    rows: int,
    replace: str | None = None,
    touched: DataFrame | None = None,
    append: bool = False,
) -> int:
    """Publish a judged candidate as one commit and return its version.

    `replace`: an SQL predicate, rows of it are replaced. `touched`: a frame of scope keys, rows with those keys are
    replaced (MERGE). `append`: nothing is replaced. None of them: the whole table is.
    """
    path = settings().path(contract.name)
    names = [c.name for c in contract.columns]
    if contract.layer == "bronze":  # of other layers only the quarantine says where a row came from
        names += [n for n in frame.columns if n.startswith("_")]
    ready = _commented(frame.select(*names), contract)
    batch = f"{contract.name}:{said['batch']}"
    before = version(contract.name)
    if touched is not None and before is not None:
        _merge(spark, ready, contract, touched, batch, said)
    else:
        writer = (
            _arranged(ready, contract, rows)
            .write.format("delta")
            .option("txnAppId", batch)
            .option("txnVersion", 1)
            .option("userMetadata", json.dumps(said))
            .options(**(_properties(contract) if before is None else {}))
        )
        if append and before is not None:
            writer = writer.mode("append").option("mergeSchema", "true")
        elif replace and before is not None:
            writer = writer.mode("overwrite").option("replaceWhere", replace)
        else:
            writer = writer.mode("overwrite").option("overwriteSchema", "true")
        writer.save(path)
    after, now = version(contract.name), stamp(contract.name)
    if now.get("run_id") != said["run_id"]:
        raise RuntimeError(
            f"{contract.name}: batch {said['batch']} was published before by run {now.get('run_id')} "
            f"(version {after}), so Delta skipped this one. Run again: it will find what is left to do."
        )
    assert after is not None
    return after


def _merge(
    spark: SparkSession, ready: DataFrame, contract: Contract, touched: DataFrame, batch: str, said: dict[str, Any]
) -> None:
    """Replace the rows of the touched keys: update, insert, and delete what is there no more, in one commit."""
    target = spark.read.format("delta").load(settings().path(contract.name))
    gone = (
        target.join(touched, on=list(contract.scope_keys), how="left_semi")
        .join(ready, on=list(contract.keys), how="left_anti")
        .withColumn("_gone", F.lit(True))
    )
    source = ready.withColumn("_gone", F.lit(False)).unionByName(gone)
    source.createOrReplaceTempView("_candidate")
    on = " AND ".join(f"t.`{k}` <=> s.`{k}`" for k in contract.keys)
    columns = ", ".join(f"`{c}`" for c in ready.columns)
    values = ", ".join(f"s.`{c}`" for c in ready.columns)
    sets = ", ".join(f"t.`{c}` = s.`{c}`" for c in ready.columns)
    different = " OR ".join(f"NOT (t.`{c}` <=> s.`{c}`)" for c in ready.columns if c not in contract.keys) or "false"
    with _session_conf(
        spark,
        {
            "spark.databricks.delta.write.txnAppId": batch,
            "spark.databricks.delta.write.txnVersion": "1",
            "spark.databricks.delta.commitInfo.userMetadata": json.dumps(said),
        },
    ):
        spark.sql(
            f"MERGE INTO delta.`{settings().path(contract.name)}` t USING _candidate s ON {on} "
            f"WHEN MATCHED AND s._gone THEN DELETE WHEN MATCHED AND ({different}) THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED AND NOT s._gone THEN INSERT ({columns}) VALUES ({values})"
        ).collect()


@contextmanager
def _session_conf(spark: SparkSession, values: dict[str, str]) -> Iterator[None]:
    """Delta takes these options of MERGE from the session only; clear them, or the next write inherits them."""
    for name, value in values.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name in values:
            spark.conf.unset(name)


def _commented(frame: DataFrame, contract: Contract) -> DataFrame:
    """Columns with the contract's descriptions, so that BI tools show them."""
    for column in contract.columns:
        if column.description:
            frame = frame.withMetadata(column.name, {"comment": column.description})
    return frame


def _properties(contract: Contract) -> dict[str, str]:
    """Delta keeps the least and greatest value of each file for the columns by which files differ: what `_arranged`
    goes by, and dates. Over the others, which lie mixed, they would prune nothing and cost as much to take."""
    columns = [c.name for c in contract.columns if c.name == _ordered_by(contract) or c.type in ("date", "timestamp")]
    columns += ["_source_file", "_file_date"] if contract.layer == "bronze" else []
    if not columns:
        return _PROPERTIES | {"delta.dataSkippingNumIndexedCols": "0"}
    return _PROPERTIES | {"delta.dataSkippingStatsColumns": ",".join(columns)}


def _arranged(frame: DataFrame, contract: Contract, rows: int) -> DataFrame:
    """Few files; of several, each a narrow range of the scope column. In a single file order would prune nothing."""
    files = max(1, -(-rows // ROWS_PER_FILE))
    if files == 1:
        return frame.coalesce(1)
    by = _ordered_by(contract)
    return frame.repartitionByRange(files, by).sortWithinPartitions(by) if by else frame


def _ordered_by(contract: Contract) -> str | None:
    """The column by which a table of several files is ordered."""
    return contract.partition or (contract.keys[0] if contract.keys else None)


def register(spark: SparkSession, table: str) -> None:
    """Name a published table on the engine: `gold.sales_daily` for JDBC and SQL. Again is harmless."""
    layer, name = table.split(".")
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {layer}").collect()
    spark.sql(f"CREATE TABLE IF NOT EXISTS {layer}.{name} USING delta LOCATION '{settings().path(table)}'").collect()


def restore(spark: SparkSession, table: str, to: int) -> None:
    """Make an earlier version the present one again (a commit of its own; nothing is lost)."""
    spark.sql(f"RESTORE TABLE delta.`{settings().path(table)}` TO VERSION AS OF {int(to)}").collect()


def clear(table: str) -> None:
    """Delete all rows of a table, if it is there and has any: a commit of its own, without Spark."""
    found = _open(table)
    if found is not None and found.count():
        found.delete()


# ---- ops: small ledgers written by delta-rs alone (two kinds of writers on one table would race) ----


def append_ops(name: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Append rows to `ops.<name>`; tried again when another process committed first."""
    if not rows:
        return
    table = pa.Table.from_pylist(list(rows), schema=schema)
    write_deltalake(
        settings().path(f"ops.{name}"), table, mode="append", commit_properties=CommitProperties(max_commit_retries=50)
    )


def read_small(table: str, sql: str = "SELECT * FROM t") -> pa.Table:
    """All rows of a small table, or what `sql` says of it as `t`, without Spark. NotThereError if never published."""
    found = _open(table)
    if found is None:
        raise NotThereError(f"{table} was never published")
    return pa.table(QueryBuilder().register("t", found).execute(sql).read_all())


def read_ops(name: str) -> pa.Table | None:
    """All rows of `ops.<name>`; None if nothing was written yet. No Spark."""
    return None if version(f"ops.{name}") is None else read_small(f"ops.{name}")


def now() -> datetime:
    """The clock: for run records only, never for data."""
    return datetime.now(UTC)
