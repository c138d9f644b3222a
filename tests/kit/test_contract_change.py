"""What a table that is published becomes when its contract changes: rows that stay get its form, or a sentence."""

from datetime import date
from uuid import uuid4

import pytest

from jobs.kit import amend, contract_diff
from jobs.kit import lake as storage
from jobs.kit.contracts import Contract, ContractError
from jobs.kit.run import run
from tests.kit.test_run import TILL, drop, rows

COLUMNS = {
    "as_of_date": "logicalType: date, physicalType: date, required: true, partitioned: true",
    "customer_id": "logicalType: string, physicalType: string, required: true",
    "score": "logicalType: integer, physicalType: int, required: true",
    "reason": "logicalType: string, physicalType: string",
}


def contract(**changed: str | None) -> Contract:
    """A table kept per as_of, whose earlier days are the record of what was said: like a scoring table."""
    lines = "".join(
        f"      - {{name: {name}, {said}, description: What it is}}\n"
        for name, said in (COLUMNS | changed).items()
        if said
    )
    text = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: scoring.scores\nname: scores\nversion: 1.0.0\nstatus: active\n"
        "domain: x\ndescription: {purpose: x}\nteam: {name: x}\nschema:\n  - name: scores\n"
        f"    dataGranularityDescription: one row\n    properties:\n{lines}"
        "    customProperties:\n      - {property: growth, value: snapshot}\n"
    )
    return amend.read(text, "scoring.scores")


def publish(spark, of: Contract, day: str, **values) -> int:
    columns = [f"CAST({v!r} AS {of.column(n).type}) AS {n}" for n, v in {"as_of_date": day, **values}.items()]
    run_id = uuid4().hex
    said = {"run_id": run_id, "batch": run_id}
    replace = f"as_of_date = DATE'{day}'"
    return storage.publish(spark, spark.sql(f"SELECT {', '.join(columns)}"), of, said, rows=1, replace=replace)


def published() -> list[dict]:
    found = storage.read_small("scoring.scores").to_pylist()
    return [{k: v for k, v in row.items() if k != "as_of_date"} for row in sorted(found, key=lambda r: r["as_of_date"])]


@pytest.fixture
def old(lake, spark) -> dict:
    """Two days as the first contract had them."""
    publish(spark, contract(), "2025-03-01", customer_id="a", score=7, reason="new")
    publish(spark, contract(), "2025-03-02", customer_id="b", score=8, reason="42")
    return {"customer_id": "a", "score": 7, "reason": "new"}


NEW = {"customer_id": "b", "score": 9, "reason": "43"}
NULLABLE = "logicalType: string, physicalType: string"
FORMERLY = "customProperties: [{property: formerly, value: [%s]}]"


@pytest.mark.parametrize(
    ("changed", "stays", "comes"),
    [
        ({"note": NULLABLE}, {"note": None}, {"note": "x"}),
        ({"reason": None}, {"reason": ...}, {"reason": ...}),
        ({"score": "logicalType: integer, physicalType: bigint, required: true"}, {}, {}),
        ({"score": "logicalType: string, physicalType: string, required: true"}, {"score": "7"}, {"score": "9"}),
        (
            {"score": None, "points": COLUMNS["score"] + ", " + FORMERLY % "score"},
            {"score": ..., "points": 7},
            {"score": ..., "points": 9},
        ),
        ({"reason": None, "why": NULLABLE}, {"reason": ..., "why": None}, {"reason": ..., "why": "x"}),
    ],
    ids=["added nullable", "removed", "wider", "to text", "renamed", "renamed without a word, nullable"],
)
def test_earlier_days_stay_in_the_form_of_the_contract(spark, old, changed, stays, comes):
    def row(was: dict, more: dict) -> dict:
        return {k: v for k, v in (was | more).items() if v is not ...}

    publish(spark, contract(**changed), "2025-03-02", **row(NEW, comes))
    assert published() == [row(old, stays), row(NEW, comes)]


@pytest.mark.parametrize(
    ("changed", "comes", "told"),
    [
        (
            {"points": COLUMNS["score"]},
            {**NEW, "points": 1},
            "keeps 1 rows of earlier days without points, which the contract now requires. Let the contract say what "
            "points was called",
        ),
        (
            {"score": None, "points": COLUMNS["score"]},  # what crashed with DELTA_METADATA_MISMATCH
            {"customer_id": "b", "points": 9, "reason": "x"},
            "keeps 1 rows of earlier days without points, which the contract now requires",
        ),
        (
            {"reason": "logicalType: integer, physicalType: int"},
            NEW,
            "keeps 1 rows of earlier days whose reason is no int",
        ),
    ],
    ids=["added required", "renamed without a word", "a type that values do not have"],
)
def test_what_earlier_days_cannot_become_is_one_sentence_and_publishes_nothing(spark, old, changed, comes, told):
    before = published()
    with pytest.raises(ContractError, match=f"scoring.scores {told}") as error:
        publish(spark, contract(**changed), "2025-03-02", **comes)
    assert "\n" not in str(error.value)
    assert published() == before


def test_other_words_rewrite_nothing(spark, old):
    version = storage.version("scoring.scores")
    publish(spark, contract(reason=NULLABLE + ", businessName: Why"), "2025-03-02", **NEW)
    assert (
        storage.changes(spark, "scoring.scores", version, version + 1).count() == 2
    )  # the day's row, before and after


@pytest.mark.parametrize("lost", [("_extra", None), ("_row_number", "string")], ids=["went", "another type"])
def test_a_reader_builds_all_again_past_a_column_that_went_or_has_another_type(lake, spark, lost):
    """Delta's change feed cannot read past it: DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_DATA_SCHEMA."""
    day, (column, type_) = date(2025, 3, 10), lost
    drop(lake, "pos/pos_lines/pos_lines_2025-03-01.csv", TILL)
    run("pos_lines", day)
    run("order_lines", day)
    first = storage.version("bronze.pos_lines")
    drop(lake, "pos/pos_lines/pos_lines_2025-03-02.csv", TILL.replace("T1,1", "T2,1").replace("-01T", "-02T"))
    run("pos_lines", day)
    assert storage.is_comparable("bronze.pos_lines", first, first + 1)
    table = storage.read(spark, "bronze.pos_lines")
    other = table.withColumn(column, table[column].cast(type_)) if type_ else table.drop(column)
    path = str(lake / "lake" / "bronze" / "pos_lines")
    other.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)
    assert not storage.is_comparable("bronze.pos_lines", first, first + 2)
    (result,) = run("order_lines", day)
    assert (result.verdict, result.scope) == ("published", "everything")
    assert rows("silver.order_lines", "order_id") == [("T1",), ("T2",)]


def test_what_is_published_keeps_the_contract_s_version_and_can_be_compared_with(lake, spark):
    drop(lake, "pos/pos_lines/pos_lines_2025-03-01.csv", TILL)
    run("pos_lines", date(2025, 3, 10))
    run("order_lines", date(2025, 3, 10))
    tables = ("bronze.pos_lines", "silver.order_lines")
    assert {storage.stamp(t)["contract"] for t in tables} == {"1.0.0"}
    assert contract_diff.diffs(None, contract_diff.PUBLISHED) == []
    path = str(lake / "lake" / "silver" / "order_lines")
    other = storage.read(spark, "silver.order_lines").withColumnRenamed("quantity", "pieces")
    other.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)
    (found,) = contract_diff.diffs("silver.order_lines", contract_diff.PUBLISHED)
    assert {(c.column, c.text, c.breaks) for c in found.changes} == {
        ("pieces", "is gone", True),
        ("quantity", "is new: int", False),
    }
