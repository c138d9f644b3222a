"""One row per store, month, department and category of goods that spoil: received, sold and thrown away.

The **loss rate** is the share of what left the shelf (sold or thrown away) that was thrown away. Goods that spoil are
those that the master gives a shelf life of at most FRESH_SHELF_LIFE_DAYS (jobs/parameters.py); what keeps for a year is
not thrown away for its age.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs import parameters as p
from jobs.gold.sales_daily import with_category
from jobs.verbs import share_of, sum_money


def build(stock_movements: DataFrame, products: DataFrame) -> DataFrame:
    """Movements of fresh goods side by side."""
    fresh = F.col("shelf_life_days").between(1, p.FRESH_SHELF_LIFE_DAYS)
    units, cost = F.col("moved_unit_count"), F.col("movement_cost_amount")
    return (
        stock_movements.transform(with_category, products, "shelf_life_days", "unit_cost_amount")
        .where(fresh)
        .groupBy("month_start_date", "store_id", "department", "category")
        .agg(
            of("receipt", units).alias("received_unit_count"),
            of("sale", -units).alias("sold_unit_count"),
            of("spoilage", -units).alias("spoiled_unit_count"),
            sum_money(when("receipt", cost), "received_cost_amount"),
            sum_money(when("sale", -units * F.col("unit_cost_amount")), "sold_cost_amount"),
            sum_money(when("spoilage", -cost), "spoiled_cost_amount"),
        )
        .withColumn(
            "loss_rate",
            share_of(F.col("spoiled_unit_count"), F.col("sold_unit_count") + F.col("spoiled_unit_count")),
        )
    )


def when(kind: str, value: Column) -> Column:
    """A value of movements of one kind."""
    return F.when(F.col("movement_type") == kind, value)


def of(kind: str, units: Column) -> Column:
    """Units of one kind; none where nothing moved so."""
    return F.coalesce(F.sum(when(kind, units)), F.lit(0))
