"""One row per product, store and promotion week with a placement: on display, in the mailer, or both.

The source may name one product, store and week several times in a file (in the mailer, and on two displays). The newest
file that speaks of it wins; within that file the placements are merged, the highest code of each kind standing for it.
"""

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from jobs.verbs import as_typed, clean


def build(promotion_placements: DataFrame) -> DataFrame:
    """Placements, each product, store and week once."""
    return promotion_placements.transform(with_types).transform(merge_placements).transform(with_flags)


NOT_PLACED = "0"


def with_types(placements: DataFrame) -> DataFrame:
    """Received text as types; no code is no placement."""
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
    """One row per product, store and week, of its newest file."""
    # Windows over one key, which is one sort; max(struct) in a groupBy would sort 20 million rows twice.
    key = Window.partitionBy("product_id", "store_id", "week_start_date")
    merged = {column: take_from_newest(column, key) for column in ("week", "display_location", "mailer_location")}
    place = F.row_number().over(key.orderBy(F.desc("_file")))
    return placements.withColumns({"_place": place, **merged}).where("_place = 1").drop("_place", "_file")


def take_from_newest(column: str, key: WindowSpec) -> Column:
    """The highest code in the newest file that names the key."""
    return F.max(F.struct("_file", column)).over(key)[column]


def with_flags(placements: DataFrame) -> DataFrame:
    """What the codes mean."""
    return placements.withColumns(
        {
            "has_display": F.col("display_location") != NOT_PLACED,
            "has_mailer": F.col("mailer_location") != NOT_PLACED,
        }
    )
