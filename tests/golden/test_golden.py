"""Every folder of this one is a case: CSV in, CSV out (README.md)."""

import csv
import importlib
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import lineage
from jobs.kit.contracts import load
from tests.frames import differences, make


def is_built_by_scope(table: str) -> bool:
    """Whether any input carries the scope; else a run builds all of the table."""
    contract, keys = load(table), set(load(table).scope_keys)
    carried = any(keys <= set(load(name).types) for name in lineage.inputs(table))
    return bool(keys) and (carried or bool(contract.carried_as))


CASES = sorted(p.parent for p in Path(__file__).parent.glob("*/*/expected.csv"))


IDS = [f"{c.parent.name}/{c.name}" for c in CASES]
LOCAL = [c for c in CASES if is_built_by_scope(lineage.full_name(c.parent.name))]
TABLES = [n for n in lineage.order() if n.split(".")[0] in ("silver", "gold")]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_rows_in_are_rows_out(spark, case):
    table = lineage.full_name(case.parent.name)
    known = {f"{name}.csv" for name in (*lineage.signature(table)[0], "expected")} | {"as_of.txt"}
    assert {p.name for p in case.iterdir()} <= known, "a file that nothing reads"
    built = build(spark, case, lambda row: True)
    assert differences(built, table, read(case / "expected.csv", table)) == {}


@pytest.mark.parametrize("case", LOCAL, ids=lambda c: c.parent.name)
def test_a_part_built_alone_is_that_part_of_the_whole(spark, case):
    """What increments rest on: a run sees only the rows of the dates or keys that it rebuilds."""
    table = lineage.full_name(case.parent.name)
    keys = load(table).scope_keys
    wanted = read(case / "expected.csv", table)
    scopes = sorted({tuple(row[k] for k in keys) for row in wanted})
    alone = set(scopes[::2])

    def is_in_scope(row: dict[str, Any]) -> bool:
        return not set(keys) <= set(row) or tuple(row[k] for k in keys) in alone

    types = load(table).types
    part = spark.createDataFrame(sorted(alone), ", ".join(f"{k} {types[k]}" for k in keys))
    # As a run does: an input that does not carry the keys is whole, and makes other rows too.
    built = build(spark, case, is_in_scope, alone).join(part, on=list(keys), how="left_semi")
    assert differences(built, table, [row for row in wanted if is_in_scope(row)]) == {}


@pytest.mark.parametrize("table", TABLES)
def test_nothing_in_is_nothing_out(spark, table):
    assert differences(build(spark, Path(table.split(".")[1]), lambda row: True), table, []) == {}


def build(
    spark: SparkSession, case: Path, is_wanted: Callable[[dict[str, Any]], bool], alone: Iterable[tuple] | None = None
) -> DataFrame:
    """`alone`: the only scopes that inputs may hold which carry the scope column under another name."""
    table = lineage.full_name(case.parent.name or case.name)
    inputs, takes_as_of = lineage.signature(table)
    rows = {name: [row for row in read(case / f"{name}.csv", name) if is_wanted(row)] for name in inputs}
    said = case / "as_of.txt"
    as_of = date.fromisoformat(said.read_text().strip()) if said.is_file() else date(2017, 12, 31)
    module = importlib.import_module(f"jobs.{table}")
    frames = {name: make(spark, name, found) for name, found in rows.items()}
    for name, said in load(table).carried_as.items() if alone is not None else ():
        frames[name] = frames[name].where(F.expr(said).isin([day for (day,) in alone]))
    return module.build(**frames, **({"as_of": as_of} if takes_as_of else {}))


def read(path: Path, table: str) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    types = load(lineage.full_name(table)).types
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [{name: parse(text, types[name]) for name, text in row.items() if name != "why"} for row in rows]


def parse(text: str, type_: str) -> Any:
    if text == "":
        return None
    parsers = {"int": int, "bigint": int, "double": float, "date": date.fromisoformat, "boolean": "true".__eq__}
    parsers |= {"timestamp": datetime.fromisoformat}
    return parsers[type_](text) if type_ in parsers else text
