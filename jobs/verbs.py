"""Verbs that several tables share: DataFrame → DataFrame and Column → Column; no session, clock or environment."""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

MONEY = "decimal(18,2)"
UNKNOWN = "UNKNOWN"

# Which of two versions of one fact is newer is decided by the data alone, never by the order in which runs happened.
PRECEDENCE = ("_file_date", "_arrived_at", "_file_id", "_row_number")
# Where a row came from: a build that makes one row of one passes it on, so that a refused row can be found in its file.
ORIGIN = ("_source_file", "_row_number")


def keep_newest(rows: DataFrame, *keys: str) -> DataFrame:
    """Of the rows that share a key, the one from the newest file (and, within a file, its last row)."""
    newest_first = Window.partitionBy(*keys).orderBy(*[F.desc(column) for column in PRECEDENCE])
    return rows.withColumn("_place", F.row_number().over(newest_first)).where("_place = 1").drop("_place")


def keep_until(rows: DataFrame, day: str, as_of: date) -> DataFrame:
    """What was known at the end of `as_of`."""
    return rows.where(F.col(day) <= F.lit(as_of))


def clean(column: str) -> Column:
    """Received text without the blanks around it; blank text is no value."""
    return F.nullif(F.trim(F.col(column)), F.lit("")).alias(column)


def as_typed(column: str, to: str) -> Column:
    """Received text as a type; what does not parse becomes null, for the gate to name (a cast would stop the run)."""
    return clean(column).try_cast(to).alias(column)


def as_money(amount: Column) -> Column:
    """A sum of decimals is wider than its terms: back to the lake's one money type."""
    return amount.cast(MONEY)


def sum_money(column: str | Column, named: str) -> Column:
    """Exact sum of an amount; zero where there is nothing to add."""
    return as_money(F.coalesce(F.sum(column), F.lit(0))).alias(named)


def share_of(part: Column, whole: Column) -> Column:
    """`part` as a fraction of `whole`, as double; 0 where there is no positive whole to have a share of."""
    return F.when(whole > 0, part.cast("double") / whole.cast("double")).otherwise(F.lit(0.0))
