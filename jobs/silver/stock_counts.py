"""One row per store, product and count, in each month that the count speaks of.

A count tells what was there at the end of its day. One at the end of a month is the opening stock of the next, and so
stands in both: with `count_date` in its month it closes, with `count_date` before its month it opens. That lets
silver.stock_daily rebuild a month alone.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import ORIGIN, as_typed, clean, keep_newest


def build(stock_snapshots: DataFrame) -> DataFrame:
    """The newest word on each count wins."""
    months = F.array_distinct(F.array(F.trunc("count_date", "month"), F.trunc(F.date_add("count_date", 1), "month")))
    return (
        stock_snapshots.withColumns({column: clean(column) for column in ("store_id", "product_id")})
        .transform(keep_newest, "store_id", "product_id", "count_date")
        .select(
            "store_id",
            "product_id",
            "count_date",
            F.explode(months).alias("month_start_date"),
            as_typed("on_hand", "bigint").alias("counted_unit_count"),
            *ORIGIN,
        )
    )
