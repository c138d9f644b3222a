"""One row per business day, channel, store, department and category in which a line was sold or returned.

Products that the master does not know, or knows without a department or category, count under UNKNOWN: the sum over all
rows is the sum over all order lines, to the cent.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import UNKNOWN, sum_money


def build(order_lines: DataFrame, products: DataFrame) -> DataFrame:
    """Lines summed to day, store, department and category."""
    is_return = F.col("line_type") == "return"
    return (
        order_lines.transform(with_category, products)
        .groupBy("order_date", "channel", "store_id", "department", "category")
        .agg(
            F.countDistinct(F.when(~is_return, F.col("order_id"))).alias("order_count"),
            F.count("*").alias("line_count"),
            F.sum("quantity").alias("unit_count"),
            *[sum_money(column, column) for column in AMOUNTS],
            sum_money(F.when(is_return, -F.col("net_amount")), "returned_amount"),
        )
    )


AMOUNTS = (
    "list_amount",
    "net_amount",
    "paid_amount",
    "retail_discount_amount",
    "coupon_discount_amount",
    "coupon_match_amount",
)


def with_category(rows: DataFrame, products: DataFrame, *also: str) -> DataFrame:
    """Each row with its product's place in the hierarchy, and what else is asked of it."""
    # Many rows to at most one product.
    known = products.select("product_id", "department", "category", *also)
    return rows.join(known, on="product_id", how="left").fillna(UNKNOWN, ["department", "category"])
