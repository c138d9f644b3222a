"""Names for tables: those that a statement asks for, and no others."""

import pytest

from jobs.kit import lake as storage
from jobs.kit import query
from jobs.kit.contracts import load
from tests.frames import make


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT * FROM gold.sales_daily LIMIT 5", {"gold.sales_daily"}),
        ("select d.x from `Gold`.`SALES_DAILY` d join\n ops . runs on 1=1", {"gold.sales_daily", "ops.runs"}),
        ("SELECT * FROM spark_catalog.gold.sales_daily VERSION AS OF 0", {"gold.sales_daily"}),
        ("SELECT d.order_date, gold.nothing FROM delta.`/lake/gold/stores`", set()),
        ("SHOW TABLES IN gold", set()),
    ],
)
def test_the_tables_of_a_statement_are_found_by_their_names(statement, tables):
    assert query.mentioned(statement) == tables


def publish(spark, table, rows, n):
    said = {"batch": f"query-{n}", "run_id": f"query-{n}", "as_ofs": {}}
    storage.publish(spark, make(spark, table.split(".")[1], rows), load(table), said, rows=len(rows))


@pytest.fixture
def names(lake, spark, monkeypatch):
    """An empty lake whose names are those of this test alone; which tables were given one."""
    given = []
    register = storage.register
    monkeypatch.setattr(storage, "register", lambda spark, name: (given.append(name), register(spark, name)))
    drop(spark)
    yield given
    drop(spark)


def drop(spark):
    for name in ("silver.stores", "gold.sales_daily", "ops.runs"):
        spark.sql(f"DROP TABLE IF EXISTS {name}").collect()


def test_only_what_is_asked_for_gets_a_name_and_only_once(names, spark):
    publish(spark, "silver.stores", [{"store_id": "S1"}], 1)
    storage_path = storage.settings().path("ops.runs")
    spark.sql("SELECT 1 AS one").write.format("delta").save(storage_path)
    assert query.ask("SELECT store_id FROM silver.stores")["store_id"].tolist() == ["S1"]
    assert names == ["silver.stores"]
    query.ask("SELECT count(*) FROM silver.stores")
    assert names == ["silver.stores"]
    assert "runs" in query.ask("SHOW TABLES IN ops")["tableName"].tolist()  # names no table: all have a name
    assert query.ask("SELECT one FROM OPS.Runs")["one"].tolist() == [1]
    assert names == ["silver.stores", "ops.runs"]


def test_a_name_shows_what_is_published_now_with_its_columns_and_any_version(names, spark):
    publish(spark, "silver.stores", [{"store_id": "S1"}], 1)
    query.ask("SELECT * FROM silver.stores")
    path = storage.settings().path("silver.stores")
    more = spark.read.format("delta").load(path).selectExpr("*", "7 AS further")
    more.write.format("delta").mode("append").option("mergeSchema", "true").save(path)
    assert query.ask("SELECT sum(further) AS s, count(*) AS n FROM silver.stores").values.tolist() == [[7, 2]]
    assert query.ask("SELECT * FROM silver.stores VERSION AS OF 0")["store_id"].tolist() == ["S1"]
