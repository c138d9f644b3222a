"""One row per CRM record, touch channel, purpose and period in which consent was given, or was not (history, type 2).

`valid_from` is the day of the change, `valid_to` (exclusive) that of the next one. Of several changes on one day the
last counts; a change to what held already is none. Where no period covers a day nobody was asked, which is no consent.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import ORIGIN, PRECEDENCE, as_typed, clean, keep_changes, keep_newest, with_validity


def build(consent_changes: DataFrame) -> DataFrame:
    """Changes to periods."""
    said = F.upper(clean("is_given"))
    return (
        consent_changes.select(
            F.lit("crm").alias("account_system"),
            clean("crm_id").alias("account_id"),
            clean("channel").alias("touch_channel"),
            clean("purpose"),
            F.col("change_date").alias("valid_from"),
            as_typed("changed_at", "timestamp"),
            # A word that is neither is null: what held before it ends, and the gate names it.
            F.when(said == "Y", True).when(said == "N", False).alias("is_given"),
            *PRECEDENCE,
            "_source_file",
        )
        .transform(keep_newest, *KEY, "valid_from", by=("changed_at", *PRECEDENCE))
        .transform(keep_changes, *KEY, of=("is_given",), by="valid_from")
        .transform(with_validity, *KEY, by="valid_from")
        .select(*KEY, "is_given", "changed_at", "valid_from", "valid_to", "is_current", *ORIGIN)
    )


KEY = ("account_system", "account_id", "touch_channel", "purpose")
