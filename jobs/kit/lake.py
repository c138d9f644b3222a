"""Storage: reads declared inputs, publishes candidates. The only module that touches the lake's tables.

Tables are Delta, found by path (`<lake>/<layer>/<table>`), so no metastore can disagree with the files. Each publish is
one commit that carries a **stamp** in `userMetadata`: what was published, from which versions of which inputs. The
stamp is read back through delta-rs in milliseconds, without Spark.

Tables are not split into a folder per day: a retailer's day is a few hundred kilobytes, and a thousand tiny files cost
more than they prune. Large tables are split into files by the scope column, so that Delta's file statistics prune as
well (docs/decisions/0104-no-daily-folders.md).
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.kit.contracts import Contract, ContractError, all_contracts, load
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


def schema(table: str, at: int | None = None) -> dict[str, str]:
    """The published columns and their types as Spark says them, at a version if one is given. No Spark.

    NotThereError if the table was never published.
    """
    found = _open(table)
    if found is None:
        raise NotThereError(f"{table} was never published: run it first (shoplake run {table})")
    if at is not None:
        found.load_as_version(at)
    fields = StructType.fromJson(json.loads(found.schema().to_json())).fields
    return {f.name: f.dataType.simpleString() for f in fields}


def stamp(table: str) -> dict[str, Any]:
    """What the last publish said of itself; empty if never published, or if something else wrote last."""
    found = _open(table)
    if found is None:
        return {}
    for commit in found.history(20):  # maintenance (OPTIMIZE, VACUUM) commits without a stamp
        said = commit.get("userMetadata")
        if said:
            return dict(json.loads(said))
        if commit.get("operation") not in (
            "OPTIMIZE",
            "VACUUM START",
            "VACUUM END",
            "SET TBLPROPERTIES",
            "UNSET TBLPROPERTIES",
        ):
            return {}
    return {}


def read(spark: SparkSession, table: str, at: int | None = None) -> DataFrame:
    """A published table, at a version if one is given. NotThereError if it was never published."""
    if version(table) is None:
        raise NotThereError(f"{table} was never published: run it first (shoplake run {table})")
    reader = spark.read.format("delta")
    return (reader if at is None else reader.option("versionAsOf", at)).load(settings().path(table))


def empty(spark: SparkSession, contract: Contract) -> DataFrame:
    """A table that was never published, as its readers would find it without a row."""
    return spark.createDataFrame([], ", ".join(f"`{name}` {type_}" for name, type_ in contract.types.items()))


def changes(spark: SparkSession, table: str, after: int | None, to: int) -> DataFrame:
    """Rows inserted, updated (before and after) or deleted in versions (after, to], by Delta's change data feed.

    Of a table that was not there before: all its rows.
    """
    if after is None:
        return read(spark, table, at=to)
    reader = spark.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", after + 1).option("endingVersion", to).load(settings().path(table))


def is_comparable(table: str, after: int | None, to: int) -> bool:
    """Whether `changes` can tell what happened in (after, to]: not past a column that went or has another type.

    Delta's change data feed reads all versions with the last one's columns, or fails; versions that an erasure took
    (`lose_history`) it cannot read at all.
    """
    if after is None:
        return True
    if after + 1 < _first_version(table):
        return False
    now = schema(table, to).items()
    return all(schema(table, v).items() <= now for v in range(max(after, _first_version(table)), to))


def _first_version(table: str) -> int:
    """The first version whose commit is still told."""
    found = _open(table)
    return 0 if found is None else min(int(entry["version"]) for entry in found.history())


SERVED = ("gold", "scoring")  # what readers of the SQL port find by name, and may read (infra/SqlRoles.scala)


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
    replaced (MERGE). `append`: nothing is replaced. None of them: the whole table is. Where rows stay that have other
    columns than the contract by now, they are brought into its form: ContractError if they cannot be.
    """
    path = settings().path(contract.name)
    names = [c.name for c in contract.columns]
    if contract.layer == "bronze":  # of other layers only the quarantine says where a row came from
        names += [n for n in frame.columns if n.startswith("_")]
    ready = _commented(frame.select(*names), contract)
    batch = f"{contract.name}:{said['batch']}"
    before = version(contract.name)
    if replace and before is not None and _types(ready) != schema(contract.name):
        stay = read(spark, contract.name).where(f"NOT coalesce({replace}, false)")
        ready, replace = ready.unionByName(_in_form(stay, ready, contract)), None
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
            if before is not None:
                _renew_statistics(spark, contract)
            writer = writer.mode("overwrite").option("overwriteSchema", "true")
        writer.save(path)
    after, now = version(contract.name), stamp(contract.name)
    if now.get("run_id") != said["run_id"]:
        raise RuntimeError(
            f"{contract.name}: batch {said['batch']} was published before by run {now.get('run_id')} "
            f"(version {after}), so Delta skipped this one. Run again: it will find what is left to do."
        )
    assert after is not None
    if contract.layer in SERVED and _serves(spark):
        serve(spark, contract.name)
    return after


def serve(spark: SparkSession, table: str) -> None:
    """Let who asks the SQL port find a table by its name, with its columns as they are now.

    The catalog keeps the columns that a table had when it was named, and JDBC's metadata (what Tableau or DBeaver
    lists) is read from there: after a change of columns it is named anew, and only then is there a moment without it.
    """
    layer, name = table.split(".")
    if _catalog_columns(spark, layer, name) == [*schema(table)]:
        return
    place = settings().path(table).replace("\\", "\\\\").replace("'", "\\'")
    spark.sql(f"CREATE DATABASE IF NOT EXISTS {layer}").collect()
    spark.sql(f"DROP TABLE IF EXISTS {table}").collect()  # the name alone: the files are not the catalog's
    spark.sql(f"CREATE TABLE IF NOT EXISTS {table} USING delta LOCATION '{place}'").collect()


def _catalog_columns(spark: SparkSession, layer: str, name: str) -> list[str]:
    """The columns that the catalog believes a table to have (Delta never asks it); none if the table has no name."""
    if not spark.catalog.tableExists(f"{layer}.{name}"):
        return []
    (row,) = spark.sql(f"SHOW TABLE EXTENDED IN {layer} LIKE '{name}'").collect()
    return re.findall(r"^ \|-- (\S+):", row["information"], re.M)


def serve_all(spark: SparkSession) -> None:
    """Name every table of gold and scoring whose name or columns a new engine's catalog has lost."""
    for contract in all_contracts() if _serves(spark) else ():
        if contract.layer in SERVED and version(contract.name) is not None:
            serve(spark, contract.name)


def _serves(spark: SparkSession) -> bool:
    """Whether this engine was started for this lake."""
    return spark.conf.get("spark.shoplake.lake", "") == settings().lake


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


def _types(frame: DataFrame) -> dict[str, str]:
    return {f.name: f.dataType.simpleString().replace(" collate UTF8_BINARY", "") for f in frame.schema.fields}


def _in_form(stay: DataFrame, ready: DataFrame, contract: Contract) -> DataFrame:
    """Published rows with the columns that `ready` has: renamed, cast, null where they had none; others are left out.

    ContractError if a required column would be null, or a value would be lost by its cast.
    """
    there, wanted = _types(stay), _types(ready)
    formerly = {c.name: c.formerly for c in contract.columns}
    from_ = {name: next((n for n in (name, *formerly.get(name, ())) if n in there), None) for name in wanted}
    form = [
        (F.expr(f"try_cast(`{old}` AS {wanted[name]})") if old else F.lit(None).cast(wanted[name])).alias(name)
        for name, old in from_.items()
    ]
    required = {c.name for c in contract.columns if c.required}
    lost = {name: F.col(old).isNotNull() & F.expr(f"try_cast(`{old}` AS {wanted[name]}) IS NULL")
            for name, old in from_.items() if old and there[old] != wanted[name]}  # fmt: skip
    lost |= {name: F.lit(True) for name, old in from_.items() if not old and name in required}
    if lost:
        counts = stay.agg(*[F.count_if(bad).alias(name) for name, bad in lost.items()]).first()
        for name, count in (counts.asDict() if counts else {}).items():
            if count:
                old = from_[name]
                why = f"whose {old} is no {wanted[name]}" if old else f"without {name}, which the contract now requires"
                raise ContractError(
                    f"{contract.name} keeps {count} rows of earlier days {why}. Let the contract say what {name} was "
                    f"called (`formerly`), or another type, or that it may be null; or move the old table away, then "
                    f"it begins anew: {settings().path(contract.name)}"
                )
    return stay.select(*form)


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


def _renew_statistics(spark: SparkSession, contract: Contract) -> None:
    """Forget which columns statistics are kept of, if a contract that names others has replaced the one before.

    Delta refuses a schema without such a column. It then keeps statistics of the first columns, which prune less.
    """
    found = _open(contract.name)
    kept = "" if found is None else found.metadata().configuration.get("delta.dataSkippingStatsColumns", "")
    if set(filter(None, kept.split(","))) - set(contract.types):
        path = settings().path(contract.name)
        spark.sql(f"ALTER TABLE delta.`{path}` UNSET TBLPROPERTIES ('delta.dataSkippingStatsColumns')").collect()


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


def take_out(spark: SparkSession, table: str, rows: DataFrame) -> None:
    """Delete these rows, in one commit that says again what the last publish said; the log names no value of theirs."""
    contract = load(table)
    rows.select(*contract.keys).distinct().createOrReplaceTempView("_gone")
    on = " AND ".join(f"t.`{k}` <=> s.`{k}`" for k in contract.keys)
    with _session_conf(spark, {"spark.databricks.delta.commitInfo.userMetadata": json.dumps(stamp(table))}):
        spark.sql(
            f"MERGE INTO delta.`{settings().path(table)}` t USING _gone s ON {on} WHEN MATCHED THEN DELETE"
        ).collect()


def update(table: str, rows: pa.Table, keys: Sequence[str]) -> None:
    """Set the other columns of the rows that have these keys. Without Spark; one commit, which says nothing."""
    found = _open(table)
    if found is None:
        raise NotThereError(f"{table} was never published")
    same = " AND ".join(f'was."{k}" = now."{k}"' for k in keys)
    merge = found.merge(rows, same, source_alias="now", target_alias="was")
    merge.when_matched_update({n: f'now."{n}"' for n in rows.column_names if n not in keys}).execute()


def lose_history(table: str, said: dict[str, Any]) -> int:
    """Keep nothing of a table but its present rows: returns the version under which they are from then on.

    Files of earlier versions go, change data included, and all of the log before a last commit, which changes no row
    and says `said`, the stamp. Killed midway and done again, it ends the same. Without Spark; nothing else may write to
    the table meanwhile. Of a table that is not there, or whose log is elsewhere than on a local disk, it cannot be.
    """
    found = _open(table)
    if found is None:
        raise NotThereError(f"{table} was never published")
    log = Path(settings().path(table)) / "_delta_log"
    found.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    found = DeltaTable(settings().path(table))
    found.alter.set_table_properties(
        {"shoplake.historyFrom": now().isoformat(timespec="seconds")},
        raise_if_not_exists=False,
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(said)}),
    )
    found = DeltaTable(settings().path(table))
    found.create_checkpoint()
    for file in log.iterdir():
        number = file.name.lstrip(".").split(".")[0]
        if file.is_file() and number.isdigit() and int(number) < found.version():
            file.unlink()
    return found.version()


# ---- ops: small ledgers written by delta-rs alone (two kinds of writers on one table would race) ----


OPS = ("runs", "files", "quality", "vault_reads", "erasures")


def append_ops(name: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Append rows to `ops.<name>`; tried again when another process committed first.

    The ledgers only grow: Delta itself refuses to change or delete a row of theirs.
    """
    assert name in OPS
    if not rows:
        return
    table = pa.Table.from_pylist(list(rows), schema=schema)
    write_deltalake(
        settings().path(f"ops.{name}"),
        table,
        mode="append",
        schema_mode="merge",  # ledgers of earlier versions lack columns
        configuration={"delta.appendOnly": "true"},
        commit_properties=CommitProperties(max_commit_retries=50),
    )


def read_small(table: str, sql: str = "SELECT * FROM t") -> pa.Table:
    """All rows of a small table, or what `sql` says of it as `t`, without Spark. NotThereError if never published."""
    found = _open(table)
    if found is None:
        raise NotThereError(f"{table} was never published")
    return pa.table(QueryBuilder().register("t", found).execute(sql).read_all())


def feed(table: str) -> pa.Table:
    """Every change of a small table that is still told, with the run that made it, without Spark."""
    found = _open(table)
    if found is None:
        raise NotThereError(f"{table} was never published")
    runs = {entry["version"]: json.loads(entry.get("userMetadata") or "{}").get("run_id") for entry in found.history()}
    rows = pa.table(found.load_cdf(starting_version=min(runs)).read_all())
    return rows.append_column("run_id", pa.array([runs[v] for v in rows["_commit_version"].to_pylist()], pa.string()))


def read_ops(name: str) -> pa.Table | None:
    """All rows of `ops.<name>`; None if nothing was written yet. No Spark."""
    return None if version(f"ops.{name}") is None else read_small(f"ops.{name}")


def now() -> datetime:
    """The clock: for run records only, never for data."""
    return datetime.now(UTC)
