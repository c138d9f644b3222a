"""Gold, built from the dressed files, equals its recomputation from the raw parquet: to the row and the cent.

On a cut here, for time; `python -m tests.independent.agree` does the same for a lake that the pipeline made.
"""

import importlib
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.demo import complete_journey
from jobs.kit import lake as storage
from jobs.kit import lineage
from jobs.kit.contracts import TECHNICAL, load
from tests.frames import ARRIVAL
from tests.independent import agree, expected

CUT = complete_journey.Cut(every=40, last=date(2017, 5, 31), stores=1)
AS_OF = date(2017, 5, 10)  # before the last day, so that there are later rows to keep out


@pytest.fixture(scope="module")
def frames(spark, tmp_path_factory):
    """Every table by its bare name, built in the order of the lineage without the kit."""
    drop = tmp_path_factory.mktemp("drop")
    complete_journey.write(drop, CUT)
    made: dict[str, DataFrame] = {}
    wanted = {node for name in expected.TABLES for node in (f"gold.{name}", *lineage.upstream(f"gold.{name}"))}
    for node in lineage.order():
        if node in wanted:
            made[node.split(".")[1]] = frame(spark, node, drop, made)
    yield made
    for each in made.values():
        each.unpersist()


def frame(spark: SparkSession, node: str, drop: Path, made: dict[str, DataFrame]) -> DataFrame:
    if node.startswith("bronze."):
        return received(spark, node, drop)
    inputs, takes_as_of = lineage.signature(node)
    built = importlib.import_module(f"jobs.{node}").build(
        *[made[name] for name in inputs], **({"as_of": AS_OF} if takes_as_of else {})
    )
    return built.persist() if node.startswith("silver.") else built


def received(spark: SparkSession, node: str, drop: Path) -> DataFrame:
    contract = load(node)
    assert contract.drop is not None
    if not (drop / contract.drop.folder).is_dir():
        return storage.empty(spark, contract)
    rows = spark.read.csv(str(drop / contract.drop.folder), header=True, escape='"')
    lacking = [c for c in contract.columns if not (c.required or c.derived or c.name in rows.columns)]
    derived = {c.name: F.expr(c.derived) for c in contract.columns if c.derived}
    derived |= {c.name: F.lit(None).cast(c.type) for c in lacking}
    arrival = {name: F.lit(ARRIVAL[name]).cast(type_) for name, type_ in TECHNICAL.items()}
    return rows.withColumns(derived | arrival).withColumn("_row_number", F.monotonically_increasing_id())


@pytest.fixture(scope="module")
def raw():
    return expected.connect(CUT.every, CUT.last)


@pytest.mark.parametrize("table", expected.TABLES)
def test_gold_agrees_with_the_raw_data(frames, raw, table):
    stores = {"stores": stores_of(frames["promotions"])} if table == "promotion_lift" else {}
    want = expected.TABLES[table](raw, AS_OF, **stores)
    have = frames[table].toArrow()
    assert want.num_rows >= 5, "something to compare"
    assert agree.find_differences(want, have, list(load(f"gold.{table}").keys)) == []


def stores_of(promotions: DataFrame) -> list[str]:
    return [row["store_id"] for row in promotions.select("store_id").distinct().collect()]
