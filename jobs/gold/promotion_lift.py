"""One row per category and placement (display, mailer, both): units sold in promoted weeks against other weeks.

Method, over the last 26 full weeks (Monday to Sunday) up to `as_of`: every pair of product and store has its own
baseline, units per week in the weeks without a placement. Expected units are that baseline times the pair's promoted
weeks; lift is units sold over units expected, summed over the category's pairs. Only weeks count in which the store
sold anything at all to the members, and only pairs that have at least one week of either kind.

Limits: placements come with price cuts, holidays and stockpiling, and the sales are those of the member panel only. It
ranks what to look at; it does not prove an effect. Few expected units make a wild ratio: look at `expected_unit_count`.
"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.verbs import UNKNOWN


def build(promotions: DataFrame, order_lines: DataFrame, products: DataFrame, *, as_of: date) -> DataFrame:
    """Sales and placements of the last weeks, compared pair by pair, summed by category."""
    first, last = find_full_weeks(as_of)
    sold = order_lines.where(F.col("order_date").between(first, last)).transform(per_product_store_week)
    placed = promotions.where(F.col("week_start_date").between(first, last)).transform(keep_traded, sold)
    return (
        placed.transform(per_product_store, sold)
        .transform(explode_placements)
        .transform(with_category, products)
        .transform(per_category)
        .withColumn("as_of_date", F.lit(as_of))
    )


WEEKS = 26
PLACEMENTS = {"display": (True, False), "mailer": (False, True), "display and mailer": (True, True)}
EXACT = "decimal(18,6)"


def find_full_weeks(as_of: date) -> tuple[Column, Column]:
    """The first Monday and the last Sunday of the last full weeks."""
    last_sunday = as_of - timedelta(days=as_of.isoweekday() % 7)
    return F.lit(last_sunday - timedelta(weeks=WEEKS) + timedelta(days=1)), F.lit(last_sunday)


def per_product_store_week(order_lines: DataFrame) -> DataFrame:
    """Units sold in each week."""
    monday = F.to_date(F.date_trunc("week", "order_date"))
    return order_lines.groupBy("product_id", "store_id", monday.alias("week_start_date")).agg(
        F.sum("quantity").alias("units")
    )


def keep_traded(promotions: DataFrame, sold: DataFrame) -> DataFrame:
    """Placements in weeks when the store traded, of pairs that sold (others add nothing to either sum)."""
    return (
        promotions.select("product_id", "store_id", "week_start_date", "has_display", "has_mailer")
        .join(sold.select("product_id", "store_id").distinct(), on=["product_id", "store_id"], how="left_semi")
        .join(
            sold.select("store_id", "week_start_date").distinct(), on=["store_id", "week_start_date"], how="left_semi"
        )
    )


def per_product_store(placed: DataFrame, sold: DataFrame) -> DataFrame:
    """One row per pair: weeks and units under each placement and in all."""
    keys = ["product_id", "store_id", "week_start_date"]
    # One to at most one: both sides have one row per product, store and week. Only one side may know the week.
    weeks = sold.join(placed, on=keys, how="full").fillna(0, ["units"])
    pairs = weeks.groupBy("product_id", "store_id").agg(
        F.sum("units").alias("all_units"),
        F.array(*[total_placement(name, *flags) for name, flags in PLACEMENTS.items()]).alias("placements"),
        F.count_if(F.col("has_display") | F.col("has_mailer")).alias("placed_weeks"),
        F.coalesce(F.sum(F.when(F.col("has_display") | F.col("has_mailer"), F.col("units"))), F.lit(0)).alias(
            "placed_units"
        ),
    )
    traded = sold.groupBy("store_id").agg(F.countDistinct("week_start_date").alias("all_weeks"))
    # Many pairs to exactly one store.
    return pairs.join(traded, on="store_id", how="inner")


def total_placement(name: str, has_display: bool, has_mailer: bool) -> Column:
    """Weeks and units of one pair under one placement."""
    matches = (F.col("has_display") == has_display) & (F.col("has_mailer") == has_mailer)
    units = F.coalesce(F.sum(F.when(matches, F.col("units"))), F.lit(0))
    return F.struct(F.lit(name).alias("placement"), F.count_if(matches).alias("weeks"), units.alias("units"))


def explode_placements(pairs: DataFrame) -> DataFrame:
    """One row per pair and placement, with the units to expect."""
    base_weeks = F.col("all_weeks") - F.col("placed_weeks")
    base_units = F.col("all_units") - F.col("placed_units")
    return (
        pairs.where(base_weeks > 0)
        .select("product_id", base_weeks.alias("base_weeks"), base_units.alias("base_units"), F.inline("placements"))
        .where("weeks > 0")
        # Decimal, for a sum of doubles depends on the order of its terms.
        .withColumn("expected", (F.col("base_units") * F.col("weeks") / F.col("base_weeks")).cast(EXACT))
    )


def with_category(placements: DataFrame, products: DataFrame) -> DataFrame:
    """Each row with its product's category."""
    # Many placements to at most one product.
    known = products.select("product_id", "category")
    return placements.join(known, on="product_id", how="left").fillna(UNKNOWN, ["category"])


def per_category(placements: DataFrame) -> DataFrame:
    """Sums over pairs; the lift is a ratio of sums, not a mean of ratios."""
    expected = F.sum("expected").cast(EXACT)
    return placements.groupBy("category", "placement").agg(
        F.count("*").alias("product_store_count"),
        F.sum("weeks").alias("promoted_week_count"),
        F.sum("units").alias("unit_count"),
        expected.alias("expected_unit_count"),
        F.when(expected > 0, F.sum("units").cast("double") / expected.cast("double")).alias("unit_lift"),
    )
