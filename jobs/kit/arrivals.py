"""Landed files as rows for bronze: the door's verdict on each record, then the contract's types and derived columns.

`rows` is lazy and loses nothing: each record of each file comes out once, with `_rule` null if it is accepted. The
caller keeps the accepted ones and sends the others to quarantine.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import door, door_file, door_json, door_xlsx
from jobs.kit.contracts import TECHNICAL, Column, Contract
from jobs.landing.files import LandedFile

# The engine's workers need not have this project on their path: the door travels with the query.
for _module in (door, door_file, door_json, door_xlsx):
    cloudpickle.register_pickle_by_value(_module)

_TASK_BYTES = 64 << 20
_MIN_TASKS = 4

# A received text parses as … if it matches and, where a text of that form may still be no value, if Spark can cast it.
# No thousands separators, currency signs, exponents, NaN: what they mean is for the sender to say.
FORMS = {
    "integer": r"r'^[+-]?[0-9]{1,18}\z'",
    "number": r"r'^[+-]?[0-9]{1,16}(\.[0-9]{1,6})?\z'",
    "boolean": r"r'^(?i:true|false)\z'",
    "date": r"r'^[0-9]{4}-[0-9]{2}-[0-9]{2}\z'",
    "timestamp": r"r'^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])\z'",
}
_CAST = {"date", "timestamp"}


def layout(contract: Contract) -> door.Layout:
    """How the table's files are written, for the door."""
    assert contract.drop is not None, f"{contract.name} has no drop folder"
    drop, columns = contract.drop, received(contract)
    return door.Layout(
        columns=tuple(c.received_as for c in columns),
        delimiter=drop.delimiter,
        encoding=drop.encoding,
        format=drop.format,
        sheet=drop.sheet,
        required=tuple(c.received_as for c in columns if c.required),
        formerly=tuple((name, c.received_as) for c in columns for name in c.formerly),
    )


def received(contract: Contract) -> list[Column]:
    """The columns that the file has; the others are derived from them."""
    return [c for c in contract.columns if c.derived is None]


def check(files: Sequence[LandedFile], contract: Contract) -> list[tuple[LandedFile, door.FileVerdict]]:
    """Each landed file with the door's verdict on the file as a whole."""
    return [(f, door.check_file(str(f.path), layout(contract))) for f in files]


def type_rule(column: Column) -> str | None:
    """Spark SQL that is true where a received text, not null, does not parse as the column's logicalType."""
    if column.logical not in FORMS:
        return None
    bad = f"`{column.name}` NOT RLIKE {FORMS[column.logical]}"
    if column.logical in _CAST:
        bad = f"({bad} OR try_cast(`{column.name}` AS {column.logical}) IS NULL)"
    return f"`{column.name}` IS NOT NULL AND {bad}"


def rules(contract: Contract) -> list[tuple[str, str]]:
    """(rule, SQL that is true where a row breaks it), in the order in which they are judged."""
    out = []
    for column in contract.columns:
        if column.required:
            out.append((f"row:required:{column.name}", f"`{column.name}` IS NULL"))
        if column.derived is None and (bad := type_rule(column)):
            out.append((f"row:type:{column.name}", bad))
    return out


def rows(spark: SparkSession, files: Sequence[LandedFile], contract: Contract) -> DataFrame:
    """Every record of these files: the contract's columns, the technical ones, `_extra`, `_raw`, `_rule`.

    The files are spread over tasks by size; a file is read by one task. `_raw` of a row that the contract's types
    refuse is its received values as JSON: the record itself was sound.
    """
    tasks = _spread(files)
    shape = layout(contract)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                for path, file_id, name, file_date, arrived_at in tasks[task]:
                    for found in door.parse(path, shape):
                        n = len(found)
                        about = [
                            pa.repeat(pa.scalar(file_id), n),
                            pa.repeat(pa.scalar(name), n),
                            pa.repeat(pa.scalar(file_date, pa.date32()), n),
                            pa.repeat(pa.scalar(arrived_at, pa.timestamp("us", "UTC")), n),
                        ]
                        yield pa.RecordBatch.from_arrays([*found.columns, *about], names)

    names = [*shape.schema.names, "_file_id", "_source_file", "_file_date", "_arrived_at"]
    text = ", ".join(f"`{name}` string" for name in shape.columns)
    types = (
        f"{text}, _extra string, _row_number bigint, _raw string, _rule string, "
        "_file_id string, _source_file string, _file_date date, _arrived_at timestamp"
    )
    parsed = spark.range(0, len(tasks), 1, len(tasks)).mapInArrow(read, types)  # one partition for each task
    return judge(named(parsed, contract), contract)


def named(parsed: DataFrame, contract: Contract) -> DataFrame:
    """What the door read, under the contract's names."""
    # Over Connect these strings come typed "string collate UTF8_BINARY", which readers other than Spark refuse.
    ours = {c.received_as: c.name for c in received(contract)}
    return parsed.select(
        *[
            F.col(f"`{f.name}`").cast(f.dataType.simpleString().split()[0]).alias(ours.get(f.name, f.name))
            for f in parsed.schema.fields
        ]
    )


def judge(parsed: DataFrame, contract: Contract) -> DataFrame:
    """Add the derived columns, and to rows that the door let in the first rule of the contract that they break."""
    for column in contract.columns:
        if column.derived:
            parsed = parsed.withColumn(column.name, F.expr(column.derived).cast(column.type))
    broken = F.coalesce("_rule", *[F.when(F.expr(bad), F.lit(rule)) for rule, bad in rules(contract)])
    as_received = F.to_json(F.struct(*[c.name for c in received(contract)]))
    own = ["_extra", "_raw", "_rule"]
    return (
        parsed.withColumn("_rule", broken)
        .withColumn("_raw", F.when(F.col("_rule").isNotNull(), F.coalesce("_raw", as_received)))
        .select(*[c.name for c in contract.columns], *TECHNICAL, *own)
    )


_Task = list[tuple[str, str, str, date | None, datetime]]


def _spread(files: Sequence[LandedFile]) -> list[_Task]:
    """The files in tasks of about equal size: the largest first, each to the task that has least."""
    size = sum(f.bytes for f in files)
    count = max(min(len(files), max(_MIN_TASKS, size // _TASK_BYTES)), 1)
    tasks: list[_Task] = [[] for _ in range(count)]
    load = [0] * count
    for file in sorted(files, key=lambda f: (-f.bytes, f.name)):
        least = load.index(min(load))
        load[least] += file.bytes + (256 << 10)  # opening a file costs as much as reading so many bytes
        tasks[least].append((str(file.path), file.file_id, file.name, file.file_date, file.arrived_at))
    return tasks
