"""One row per product, store and promotion week with a placement: on display, in the mailer, or both.

The source may name one product, store and week several times in a file (in the mailer, and on two displays). The newest
file that speaks of it wins; within that file the placements are merged, the highest code of each kind standing for it.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import as_typed, clean


def build(promotion_placements: DataFrame) -> DataFrame:
    return promotion_placements.transform(with_types).transform(merge_placements).transform(with_flags)


NOT_PLACED = "0"


def with_types(placements: DataFrame) -> DataFrame:
    return placements.select(
        clean("product_id"),
        clean("store_id"),
        "week_start_date",
        as_typed("week", "int"),
        F.coalesce(clean("display_location"), F.lit(NOT_PLACED)).alias("display_location"),
        F.coalesce(clean("mailer_location"), F.lit(NOT_PLACED)).alias("mailer_location"),
        F.struct("_file_date", "_arrived_at", "_file_id").alias("_file"),
    )


def merge_placements(placements: DataFrame) -> DataFrame:
    return placements.groupBy("product_id", "store_id", "week_start_date").agg(
        *[take_from_newest(column) for column in ("week", "display_location", "mailer_location")]
    )


def take_from_newest(column: str) -> Column:
    return F.max(F.struct("_file", column))[column].alias(column)


def with_flags(placements: DataFrame) -> DataFrame:
    return placements.withColumns(
        {
            "has_display": F.col("display_location") != NOT_PLACED,
            "has_mailer": F.col("mailer_location") != NOT_PLACED,
        }
    )
