"""One row per store, product and day on which anything moved or was counted.

The books of a month open with the count at the end of the month before and go by its movements: opening + received
- sold - spoiled + adjusted = closing, and the next row opens with what this one closed with. Counts after that do not
change the books (what a count finds too many or too few is booked as an adjustment): they are what the books are judged
by. A product that was not counted at the end of the month before has no opening, and so no closing, until one is: what
is not known is null, and judged by nobody.

A month rests on its own opening count alone, so that a late file moves one month and not all that follow.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def build(stock_movements: DataFrame, stock_counts: DataFrame) -> DataFrame:
    """Movements and counts of each day, and the books from the month's opening on."""
    closes = F.col("count_date") >= F.col("month_start_date")
    counts = stock_counts.where(closes).select(*CELL, F.col("count_date").alias("stock_date"), "counted_unit_count")
    openings = stock_counts.where(~closes).select(*CELL, F.col("counted_unit_count").alias("_month_opening"))
    # One to at most one, then many days to at most one opening.
    return (
        stock_movements.transform(sum_days)
        .join(counts, on=[*CELL, "stock_date"], how="full")
        .fillna(0, [column for _, column, _ in KINDS])
        .join(openings, on=list(CELL), how="left")
        .transform(with_books)
    )


CELL = ("store_id", "product_id", "month_start_date")
# (kind of movement, its column, the sign that makes it positive there)
KINDS = (
    ("receipt", "received_unit_count", 1),
    ("sale", "sold_unit_count", -1),
    ("spoilage", "spoiled_unit_count", -1),
    ("adjustment", "adjusted_unit_count", 1),
)


def sum_days(stock_movements: DataFrame) -> DataFrame:
    """The movements of a day side by side."""
    units = F.col("moved_unit_count")
    return stock_movements.groupBy(*CELL, F.col("movement_date").alias("stock_date")).agg(
        *[F.sum(F.when(F.col("movement_type") == kind, sign * units)).alias(column) for kind, column, sign in KINDS]
    )


def with_books(days: DataFrame) -> DataFrame:
    """Each day's opening and closing, and how far a count is from them."""
    until_now = Window.partitionBy(*CELL).orderBy("stock_date")
    change = sum((sign * F.col(column) for _, column, sign in KINDS), F.lit(0))
    closing = F.col("_month_opening") + F.sum(change).over(until_now)
    return days.withColumns(
        {
            "opening_unit_count": closing - change,
            "closing_unit_count": closing,
            "count_difference_unit_count": F.col("counted_unit_count") - closing,
        }
    ).drop("_month_opening")
