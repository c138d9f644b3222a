"""One row per customer, touch channel, purpose and `as_of`: whether they might be written to at the end of that day.

Whatever makes an audience joins this table as of its own date; who has no row was never asked, which is no consent. A
customer with several records at the CRM has said yes only if each of them that said anything did: the strictest
counts, because a "no" that is overlooked cannot be taken back.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import keep_until, with_customer


def build(consents: DataFrame, identities: DataFrame, *, as_of: date) -> DataFrame:
    """The periods that cover the day, summed to their customer."""
    is_on = F.col("valid_to").isNull() | (F.col("valid_to") > F.lit(as_of))
    held = keep_until(consents, "valid_from", as_of).where(is_on)
    return (
        held.transform(with_customer, identities)
        .groupBy("customer_id", "touch_channel", "purpose")
        .agg(
            F.bool_and(F.coalesce("is_given", F.lit(False))).alias("is_allowed"),
            F.count("*").alias("record_count"),
            F.max("changed_at").alias("last_changed_at"),
        )
        .withColumn("as_of_date", F.lit(as_of))
    )
