"""Verbs that several tables share: DataFrame → DataFrame and Column → Column; no session, clock or environment."""

from collections.abc import Callable, Sequence
from datetime import date

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

MONEY = "decimal(18,2)"
UNKNOWN = "UNKNOWN"

# Which of two versions of one fact is newer is decided by the data alone, never by the order in which runs happened.
PRECEDENCE = ("_file_date", "_arrived_at", "_file_id", "_row_number")
# Where a row came from: a build that makes one row of one passes it on, so that a refused row can be found in its file.
ORIGIN = ("_source_file", "_row_number")


def keep_newest(rows: DataFrame, *keys: str, by: Sequence[str] = PRECEDENCE) -> DataFrame:
    """Of the rows that share a key, the one from the newest file (and, within a file, its last row).

    `by`: where the rows themselves say how new they are, that column first.
    """
    newest_first = Window.partitionBy(*keys).orderBy(*[F.desc(column) for column in by])
    return rows.withColumn("_place", F.row_number().over(newest_first)).where("_place = 1").drop("_place")


def keep_changes(rows: DataFrame, *keys: str, of: Sequence[str], by: str) -> DataFrame:
    """Of the rows that share a key, in the order of `by`, those in which anything `of` these columns is new."""
    in_order = Window.partitionBy(*keys).orderBy(by)
    state = F.struct(*of)
    is_first = F.lag(by).over(in_order).isNull()
    is_same = state.eqNullSafe(F.lag(state).over(in_order))
    return rows.withColumn("_is_change", is_first | ~is_same).where("_is_change").drop("_is_change")


def keep_deleted(deletions: DataFrame, table: str) -> DataFrame:
    """Of the rows of this table of bronze that its database was seen without: those that have not come back."""
    newest = deletions.where(F.col("table_name") == table).transform(keep_newest, "row_key")
    return newest.where("is_deleted = 'Y'")


def keep_words(rows: DataFrame, *keys: str, of: Sequence[str], on: str) -> DataFrame:
    """What the outside said of a day, `on`: each word that says something new, with `known_date`, when it was known.

    The first word on a day that was over counts as known on that day: it was there to be seen, however late its history
    is sent. A later word is known when it was told, which is its file's date; so is a forecast. What was known at the
    end of `as_of`: `keep_until(words, "known_date", as_of)`, and of that `keep_newest(*keys, by=["known_date"])`.
    """
    told = rows.transform(keep_newest, *keys, "_file_date").withColumn("is_forecast", F.col("_file_date") < F.col(on))
    words = told.transform(keep_changes, *keys, of=["is_forecast", *of], by="_file_date")
    place = F.row_number().over(Window.partitionBy(*keys, "is_forecast").orderBy("_file_date"))
    was_seen = ~F.col("is_forecast") & (F.col("_place") == 1)
    known = F.when(was_seen, F.col(on)).otherwise(F.col("_file_date"))
    return words.withColumn("_place", place).withColumn("known_date", known).drop("_place")


def with_validity(changes: DataFrame, *keys: str, by: str) -> DataFrame:
    """Each change holds from its day (inclusive) until that of the next (exclusive)."""
    next_change = F.lead(by).over(Window.partitionBy(*keys).orderBy(by))
    return changes.withColumns({"valid_from": F.col(by), "valid_to": next_change, "is_current": next_change.isNull()})


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


def cost_of_line() -> Column:
    """What the goods of a line cost: of a sale. What comes back is not sold again, so its cost is not taken back."""
    return F.col("unit_cost_amount") * F.when(F.col("line_type") == "sale", F.col("quantity")).otherwise(0)


def share_of(part: Column, whole: Column) -> Column:
    """`part` as a fraction of `whole`, as double; 0 where there is no positive whole to have a share of."""
    return F.when(whole > 0, part.cast("double") / whole.cast("double")).otherwise(F.lit(0.0))


def own_customer_id(account_system: Column, account_id: Column) -> Column:
    """The customer id that an account founds; its customer's, if it is the eldest account or linked to no other."""
    return F.concat(F.lit("C"), F.substring(F.sha2(F.concat_ws("|", account_system, account_id), 256), 1, 16))


def with_customer(rows: DataFrame, identities: DataFrame) -> DataFrame:
    """Rows that name an account, with the customer behind it: its own customer, where nothing more is known of it."""
    known = identities.select("account_system", "account_id", "customer_id")
    own = own_customer_id(F.col("account_system"), F.col("account_id"))
    # Many to at most one.
    found = rows.join(known, on=["account_system", "account_id"], how="left")
    return found.withColumn("customer_id", F.coalesce("customer_id", own))


def with_card_holder(rows: DataFrame, identities: DataFrame) -> DataFrame:
    """Rows that name a loyalty card, with the customer who holds it."""
    return (
        rows.withColumns({"account_system": F.lit("erp"), "account_id": F.col("member_id")})
        .transform(with_customer, identities)
        .drop("account_system", "account_id")
    )


def over_arrow(rows: DataFrame, work: Callable[[pa.Table], pa.Table]) -> DataFrame:
    """What a function makes of all rows, which are collected for it."""
    made = work(rows.toArrow())
    return rows.sparkSession.createDataFrame(made, from_arrow_schema(made.schema))
