"""Small frames for tests: named by table, typed by its contract, so a test says only the columns that it is about."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import lineage
from jobs.kit.contracts import load
from jobs.verbs import ORIGIN

ARRIVAL = {  # of every bronze row that a test does not say more of
    "_file_id": "f1",
    "_source_file": "file.csv",
    "_file_date": date(2017, 1, 1),
    "_row_number": 1,
    "_arrived_at": datetime(2017, 1, 2, tzinfo=UTC),
}
FILLERS = {"string": "x", "int": 0, "bigint": 0, "double": 0.0, "boolean": False, "date": date(2017, 1, 1)}
FILLERS |= {"timestamp": datetime(2017, 1, 1, 12, tzinfo=UTC)}


def make(spark: SparkSession, table: str, rows: Iterable[dict[str, Any]] = ()) -> DataFrame:
    """A frame of `orders`; columns that a row leaves out are null, or a neutral value where the contract requires one.

    Money may be given as text ("1.50").
    """
    contract = load(lineage.full_name(table))
    types = contract.types
    filler = {c.name: filler_of(c.type) if c.required else None for c in contract.columns}
    if contract.layer == "bronze":
        filler |= ARRIVAL
    values = []
    for row in rows:
        assert set(row) <= set(types), f"{table} has no column {set(row) - set(types)}"
        values.append(tuple(typed((filler | row)[name], types[name]) for name in types))
    return spark.createDataFrame(values, ", ".join(f"`{name}` {type_}" for name, type_ in types.items()))


def filler_of(type_: str) -> Any:
    return Decimal("0.00") if type_.startswith("decimal") else FILLERS[type_]


def typed(value: Any, type_: str) -> Any:
    return Decimal(value) if type_.startswith("decimal") and value is not None else value


def rows_of(frame: DataFrame, *columns: str) -> list[tuple]:
    """All rows, sorted; as tuples of the named columns (of all of them, by name, if none is named)."""
    names = columns or sorted(frame.columns)
    return sorted((tuple(row[n] for n in names) for row in frame.collect()), key=repr)


def differences(frame: DataFrame, table: str, wanted: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows that only the frame or only the wanted rows of a table have; columns and types must be equal.

    Beside them a frame may have ORIGIN, which is not published.
    """
    types = {c.name: c.type for c in load(lineage.full_name(table)).columns}
    assert {f.name: f.dataType.simpleString() for f in frame.schema if f.name not in ORIGIN} == types
    # A client may show an instant in its own time zone: compare instants as numbers.
    plain = [F.unix_micros(n).alias(n) if type_ == "timestamp" else F.col(n) for n, type_ in types.items()]
    built = Counter(rows_of(frame.select(*plain), *types))
    known = Counter(tuple(comparable(row[n], types[n]) for n in types) for row in wanted)
    sides = {"only built": built - known, "only wanted": known - built}
    return {side: [dict(zip(types, row, strict=True)) for row in rows] for side, rows in sides.items() if rows}


def comparable(value: Any, type_: str) -> Any:
    return round(value.timestamp() * 1_000_000) if isinstance(value, datetime) else typed(value, type_)
