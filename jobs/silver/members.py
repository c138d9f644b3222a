"""One row per member and period in which the CRM held the same attributes (history, type 2).

`valid_from` is the date of the dump that first held the value, `valid_to` (exclusive) the date of the first dump that
held another. Consecutive dumps with equal attributes are one period. A member absent from a later dump keeps the last
known period: a missing row may as well be a short dump as a departure, and the dump does not say which.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import clean, keep_newest


def build(member_attributes: DataFrame) -> DataFrame:
    """Dumps to periods."""
    return (
        member_attributes.transform(with_clean_text)
        .transform(keep_newest, "member_id", "_file_date")
        .transform(keep_changes)
        .transform(with_validity)
        .select("member_id", *ATTRIBUTES, "valid_from", "valid_to", "is_current")
    )


ATTRIBUTES = (
    "age_band",
    "income_band",
    "home_ownership",
    "marital_status",
    "household_size",
    "household_composition",
    "kids_count",
)


def with_clean_text(member_attributes: DataFrame) -> DataFrame:
    """Blank text is no value, so that it makes no change."""
    # Not the key: a run finds the rows to rebuild by it, so it stays as received.
    return member_attributes.withColumns({column: clean(column) for column in ATTRIBUTES})


def keep_changes(dumps: DataFrame) -> DataFrame:
    """The dumps in which a member is new or differs from the dump before."""
    by_dump = Window.partitionBy("member_id").orderBy("_file_date")
    state = F.struct(*ATTRIBUTES)
    is_first = F.lag("_file_date").over(by_dump).isNull()
    is_same = state.eqNullSafe(F.lag(state).over(by_dump))
    return dumps.withColumn("_is_change", is_first | ~is_same).where("_is_change")


def with_validity(changes: DataFrame) -> DataFrame:
    """Each change holds until the next."""
    next_change = F.lead("_file_date").over(Window.partitionBy("member_id").orderBy("_file_date"))
    return changes.withColumns(
        {"valid_from": F.col("_file_date"), "valid_to": next_change, "is_current": next_change.isNull()}
    )
