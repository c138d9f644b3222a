"""One row per member and period in which the CRM held the same attributes (history, type 2).

`valid_from` is the date of the dump that first held the value, `valid_to` (exclusive) the date of the first dump that
held another. Consecutive dumps with equal attributes are one period. A member absent from a later dump keeps the last
known period: a missing row may as well be a short dump as a departure, and the dump does not say which. Where the CRM's
database is asked, it does: the last period of a member who was deleted there ends on the day on which that was seen.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import PRECEDENCE, clean, keep_changes, keep_newest, with_validity


def build(member_attributes: DataFrame, crm_deletions: DataFrame) -> DataFrame:
    """Dumps to periods."""
    return (
        member_attributes.transform(with_clean_text)
        .unionByName(find_departures(crm_deletions), allowMissingColumns=True)
        .transform(keep_newest, "member_id", "_file_date")
        .transform(keep_changes, "member_id", of=(*ATTRIBUTES, "is_gone"), by="_file_date")
        .transform(with_validity, "member_id", by="_file_date")
        .where("is_gone IS NULL")
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


def find_departures(crm_deletions: DataFrame) -> DataFrame:
    """Members seen to be gone, each time: who came back is in a later dump."""
    departures = crm_deletions.where("table_name = 'member_attributes' AND is_deleted = 'Y'")
    return departures.select(F.col("row_key").alias("member_id"), F.lit(True).alias("is_gone"), *PRECEDENCE)
