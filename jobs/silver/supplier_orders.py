"""One row per order of an article from a supplier, for a store or the warehouse."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, ORIGIN, as_money, as_typed, clean, keep_newest


def build(purchase_orders: DataFrame) -> DataFrame:
    """The newest state of each order wins."""
    return (
        purchase_orders.withColumns({column: clean(column) for column in TEXTS})
        # ordered_date is in the key so that a day can be rebuilt alone; an order never changes the day it was made.
        .transform(keep_newest, "ordered_date", "purchase_order_id")
        .select(
            *TEXTS,
            "ordered_date",
            as_typed("due_on", "date").alias("due_date"),
            as_typed("units", "int").alias("ordered_unit_count"),
            as_typed("unit_cost", MONEY).alias("agreed_unit_cost_amount"),
            *ORIGIN,
        )
        .withColumn("ordered_cost_amount", as_money(F.col("ordered_unit_count") * F.col("agreed_unit_cost_amount")))
    )


TEXTS = ("purchase_order_id", "supplier_id", "store_id", "product_id")
