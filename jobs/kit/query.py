"""SQL over the lake by table names. The metastore is disposable: the lake's paths are the truth."""

import pandas as pd
from pyspark.sql import SparkSession

from jobs.kit import lake
from jobs.kit.contracts import all_contracts
from jobs.kit.session import session


def register(spark: SparkSession) -> int:
    """Give every published table and ledger its name `<layer>.<table>` on the engine, for JDBC. Returns how many."""
    names = [c.name for c in all_contracts()] + [f"ops.{name}" for name in lake.OPS]
    names = [name for name in names if lake.version(name) is not None]
    for name in names:
        lake.register(spark, name)
    return len(names)


def ask(sql: str, limit: int = 1000) -> pd.DataFrame:
    """The first rows of a query over published tables."""
    spark = session()
    register(spark)
    return spark.sql(sql).limit(limit).toPandas()
