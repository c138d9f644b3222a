"""The extract: one DuckDB file with gold, scoring, the ledgers and the models' metrics, for our own dashboards.

It is built whole from the versions that are published at that moment, written beside and renamed, so that a reader sees
the old file or the new one and never a part. Asked by many at once it answers in milliseconds, where the engine takes a
second; and it can be copied away. Every table of gold and scoring is there, empty if it was never published.
"""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from jobs.kit import lake, process
from jobs.kit.bronze import FILES
from jobs.kit.contracts import Column, Contract, all_contracts
from jobs.kit.quality import ROWS as QUALITY
from jobs.kit.run import RUNS
from jobs.kit.settings import settings

LEDGERS = {"runs": RUNS, "files": FILES, "quality": QUALITY}
VERSIONS = pa.schema(
    [
        ("model", pa.string()), ("version", pa.int64()), ("as_of", pa.date32()), ("standing", pa.string()),
        ("verdict", pa.string()), ("registered_at", pa.timestamp("us")),
    ]
)  # fmt: skip
METRICS = pa.schema(
    [
        ("model", pa.string()), ("version", pa.int64()), ("as_of", pa.date32()), ("standing", pa.string()),
        ("fitted_by", pa.string()), ("metric", pa.string()), ("value", pa.float64()), ("is_primary", pa.bool_()),
    ]
)  # fmt: skip


def path() -> Path:
    """Where the file is."""
    return settings().home / "superset" / "extract.duckdb"


def refresh() -> bool:
    """Build the file anew if anything in it changed; tell whether it was built."""
    target = path()
    with process.alone(settings().home, "extract"):
        wanted = _sources()
        if target.exists() and _said(target) == wanted:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.unlink(missing_ok=True)
        with duckdb.connect(str(part)) as db:
            _build(db)
            db.execute("CREATE TABLE made_of AS SELECT ? AS sources", [json.dumps(wanted)])
        part.replace(target)
        return True


def refresh_if_used() -> bool:
    """The same where somebody has dashboards; elsewhere nothing."""
    return path().exists() and refresh()


def _sources() -> dict[str, Any]:
    """What the file is made of: table versions and models, and this code."""
    tables = [c.name for c in _served()] + [f"ops.{name}" for name in LEDGERS]
    return {
        "code": hashlib.sha256(Path(__file__).read_bytes() + duckdb.__version__.encode()).hexdigest(),
        "tables": {t: v for t in tables if (v := lake.version(t)) is not None},
        "models": [list(map(str, row.values())) for row in _models()[0]],
    }


def _said(file: Path) -> Any:
    try:
        with duckdb.connect(str(file), read_only=True) as db:
            (said,) = db.execute("SELECT sources FROM made_of").fetchall()[0]
        return json.loads(said)
    except (duckdb.Error, IndexError):  # of another version of DuckDB or of us
        return None


def _served() -> list[Contract]:
    return [c for c in all_contracts() if c.layer in lake.SERVED]


def _build(db: duckdb.DuckDBPyConnection) -> None:
    for schema in (*lake.SERVED, "ops", "models"):
        db.execute(f"CREATE SCHEMA {schema}")
    for contract in _served():
        if lake.version(contract.name) is None:
            columns = ", ".join(f'"{c.name}" {_type(c)}' for c in contract.columns)
            db.execute(f"CREATE TABLE {contract.name} ({columns})")
        else:
            _copy(db, contract.name, [c.name for c in contract.columns])
        db.execute(f"COMMENT ON TABLE {contract.name} IS {_quoted(contract.purpose)}")
        for column in contract.columns:
            db.execute(f'COMMENT ON COLUMN {contract.name}."{column.name}" IS {_quoted(column.description)}')
    for name, schema in LEDGERS.items():
        if lake.version(f"ops.{name}") is None:
            _take(db, f"ops.{name}", schema.empty_table())
        else:
            _copy(db, f"ops.{name}", schema.names)
    versions, metrics = _models()
    _take(db, "models.versions", pa.Table.from_pylist(versions, schema=VERSIONS))
    _take(db, "models.metrics", pa.Table.from_pylist(metrics, schema=METRICS))


def _copy(db: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> None:
    """A published table, batch by batch."""
    names = ", ".join(f'"{c}"' for c in columns)
    found = QueryBuilder().register("t", DeltaTable(settings().path(table))).execute(f"SELECT {names} FROM t")
    _take(db, table, pa.RecordBatchReader.from_stream(found))


def _take(db: duckdb.DuckDBPyConnection, table: str, rows: pa.Table | pa.RecordBatchReader) -> None:
    # Without a zone: all times are UTC, and a zone would ask for an extension of DuckDB.
    zoned = [f.name for f in rows.schema if pa.types.is_timestamp(f.type) and f.type.tz]
    plain = ", ".join(f'"{n}" AT TIME ZONE \'UTC\' AS "{n}"' for n in zoned)
    db.register("_rows", rows)
    db.execute(f"CREATE TABLE {table} AS SELECT * {f'REPLACE ({plain})' if plain else ''} FROM _rows")
    db.unregister("_rows")


def _models() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every registered version, and every metric of it and of its baselines. None where no model was ever kept."""
    from jobs.kit import registry

    versions: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    for found in registry.versions():
        about = {
            "model": found.name, "version": found.version, "as_of": date.fromisoformat(found.as_of),
            "standing": found.standing,
        }  # fmt: skip
        versions.append({**about, "verdict": found.verdict, "registered_at": found.registered_at})
        for fitted_by, values in {"the model": found.metrics, **found.baselines}.items():
            metrics += [
                {**about, "fitted_by": fitted_by, "metric": name, "value": value, "is_primary": name == found.metric}
                for name, value in values.items()
            ]
    return versions, metrics


def _type(column: Column) -> str:
    """DuckDB's name of a contract's type, for a table that is not there."""
    inner = column.type.removeprefix("array<").removesuffix(">")
    name = {"string": "VARCHAR", "int": "INTEGER"}.get(inner, inner.upper())
    return f"{name}[]" if inner != column.type else name


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
