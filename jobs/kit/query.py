"""SQL over the lake by table names. The metastore is disposable: the lake's paths are the truth."""

import re

import pandas as pd
from pyspark.sql import SparkSession

from jobs.kit import lake, lineage
from jobs.kit.session import session


def names() -> set[str]:
    """Every table and ledger that has a name on the engine once it is published."""
    tables = {n for n in lineage.nodes() if not n.startswith("models.")}
    return tables | {f"ops.{name}" for name in lake.OPS}


def mentioned(sql: str) -> set[str]:
    """The tables of the lake that a statement names, in whatever letters, with or without backticks."""
    found = re.findall(r"\b(\w+)(?=`?\s*\.\s*`?(\w+))", sql.lower(), re.ASCII)
    return {f"{layer}.{table}" for layer, table in found} & names()


def register(spark: SparkSession, wanted: set[str]) -> None:
    """Give these tables their names `<layer>.<table>` on the engine, as far as they are published and have none."""
    layers = {name.partition(".")[0] for name in wanted}
    known = {row.namespace for row in spark.sql("SHOW SCHEMAS").collect()} & layers
    there = {f"{r.namespace}.{r.tableName}" for s in known for r in spark.sql(f"SHOW TABLES IN {s}").collect()}
    for name in sorted(wanted - there):
        if lake.version(name) is not None:
            lake.register(spark, name)


def ask(sql: str, limit: int = 1000) -> pd.DataFrame:
    """The first rows of a query over published tables.

    Only what the query names is looked up, because each name costs the engine a tenth of a second; a statement that
    lists (SHOW TABLES IN gold) finds all of them. Delta reads columns from the table's own log, never from the
    catalog, so a name that was given before a change of columns shows them as they are.
    """
    spark = session()
    lists = re.match(r"\s*(show|desc|describe|use)\b", sql, re.IGNORECASE)
    register(spark, mentioned(sql) or (names() if lists else set()))
    return spark.sql(sql).limit(limit).toPandas()
