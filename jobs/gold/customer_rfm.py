"""One row per customer with a purchase up to `as_of`: recency, frequency and monetary scores, and their segment.

Recency is days since the last purchase over all channels; frequency and monetary are purchases and net amount (returns
taken off) of the 365 days that end with `as_of`.

Scores 1..5 (5 is best). Tie rule: with n customers, of whom b are strictly worse than this one, the score is
1 + floor(5 * b / n). Equal values therefore get equal scores, whatever the order of rows; where many tie (most
customers bought once, say) they share the score of the worst place in the tie, and some scores may stay empty.

Segments are the usual eleven of Putler's RFM grid (https://www.putler.com/rfm-analysis/): recency score against the
mean of frequency and monetary score (halves up). Its published ranges overlap ("Loyal: R 2-5, FM 3-5", "Champions:
R 4-5, FM 4-5"), so the grid below decides: every cell lies within the range that the source gives for its segment.

Beside it stands the segment of 28 days before, by the same rule among the customers of that day, so that moves between
segments can be counted from the first run on. It is computed from what is known now: a sale that came late counts.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.verbs import keep_until, sum_money


def build(customer_orders: DataFrame, *, as_of: date) -> DataFrame:
    """The customers of the day, and what they were MOVE_DAYS before."""
    before = classify(customer_orders, as_of - timedelta(days=MOVE_DAYS))
    return (
        classify(customer_orders, as_of)
        # One to at most one: who is new since has no segment of then.
        .join(before.select("customer_id", F.col("segment").alias("segment_28d_before")), on="customer_id", how="left")
        .withColumn("as_of_date", F.lit(as_of))
    )


WINDOW_DAYS = 365
MOVE_DAYS = 28
# Row: recency score 5 down to 1. Column: frequency-and-monetary score 1 to 5.
GRID = (
    ("New Customers", "Potential Loyalists", "Loyal Customers", "Champions", "Champions"),
    ("Promising", "Potential Loyalists", "Loyal Customers", "Champions", "Champions"),
    ("About To Sleep", "About To Sleep", "Customers Needing Attention", "Loyal Customers", "Loyal Customers"),
    ("Hibernating", "Hibernating", "At Risk", "At Risk", "At Risk"),
    ("Lost", "Lost", "At Risk", "Can't Lose Them", "Can't Lose Them"),
)


def classify(orders: DataFrame, as_of: date) -> DataFrame:
    """Measure, score, name."""
    known = orders.transform(keep_until, "order_date", as_of)
    return known.transform(measure, as_of).transform(with_scores).withColumn("segment", name_segment())


def measure(orders: DataFrame, as_of: date) -> DataFrame:
    """The three values that are scored."""
    in_window = F.col("order_date") > F.lit(as_of - timedelta(days=WINDOW_DAYS))
    is_purchase = F.col("is_purchase")
    measured = orders.groupBy("customer_id").agg(
        F.datediff(F.lit(as_of), F.max(F.when(is_purchase, F.col("order_date")))).alias("recency_days"),
        F.count_if(is_purchase & in_window).alias("order_count_365d"),
        sum_money(F.when(in_window, F.col("net_amount")), "net_amount_365d"),
    )
    # Who only brought something back has bought before the lake begins.
    return measured.where("recency_days is not null")


def with_scores(measured: DataFrame) -> DataFrame:
    """The three scores."""
    return measured.withColumns(
        {
            "recency_score": score(-F.col("recency_days")),
            "frequency_score": score(F.col("order_count_365d")),
            "monetary_score": score(F.col("net_amount_365d")),
        }
    )


def score(value: Column) -> Column:
    """1 + floor(5 * customers strictly worse / customers); larger values are better."""
    # One window over all customers is wide, but holds one short row for each: millions of customers fit one task.
    everyone = Window.partitionBy(F.lit(True))
    worse = F.rank().over(everyone.orderBy(value)) - 1
    customers = F.count("*").over(everyone)
    return (F.floor(5 * worse / customers) + 1).cast("int")


def name_segment() -> Column:
    """The cell of the grid for the three scores."""
    # Halves up: (f + m + 1) div 2.
    both = F.floor((F.col("frequency_score") + F.col("monetary_score") + 1) / 2)
    cell = (5 - F.col("recency_score")) * 5 + both
    return F.element_at(F.array(*[F.lit(name) for row in GRID for name in row]), cell.cast("int"))
