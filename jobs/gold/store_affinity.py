"""One row per store and ordered pair of categories that its customers bought together in the 365 days up to `as_of`.

**Confidence** is the share of the orders with `category` that hold `other_category` too; **lift** is that share over
the one which `other_category` has of all orders of the store: 1 is what chance would bring together. Both ways of a
pair are told, for their confidence differs. Pairs in fewer than MIN_PAIR_ORDERS orders of the store are left out
(jobs/parameters.py); products without a known category are in no pair, but their orders are orders of the store.
"""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import parameters as p
from jobs.gold.customer_rfm import WINDOW_DAYS
from jobs.verbs import share_of, sum_money


def build(order_lines: DataFrame, products: DataFrame, *, as_of: date) -> DataFrame:
    """Pairs beside their categories and their store."""
    lines = order_lines.where(F.col("order_date").between(F.lit(as_of - timedelta(days=WINDOW_DAYS - 1)), F.lit(as_of)))
    held = lines.transform(with_baskets, products)
    categories = held.groupBy("store_id", "category").agg(F.count("*").alias("category_order_count"))
    others = categories.toDF("store_id", "other_category", "other_category_order_count")
    pair, one, other, all_ = (
        F.col(f"{name}order_count") for name in ("pair_", "category_", "other_category_", "store_")
    )
    # Many pairs to exactly one, three times.
    return (
        held.transform(count_pairs)
        .join(categories, on=["store_id", "category"], how="inner")
        .join(others, on=["store_id", "other_category"], how="inner")
        .join(lines.transform(sum_stores), on="store_id", how="inner")
        .withColumns(
            {
                "support": share_of(pair, all_),
                "confidence": share_of(pair, one),
                "lift": share_of(pair, one) / share_of(other, all_),
                "as_of_date": F.lit(as_of),
            }
        )
    )


IS_BOUGHT = "line_type = 'sale' AND quantity <> 0"


def with_baskets(lines: DataFrame, products: DataFrame) -> DataFrame:
    """One row per order and category bought, with all categories of the order."""
    known = products.where("category IS NOT NULL").select("product_id", "category")
    # Many lines to at most one product.
    return (
        lines.where(IS_BOUGHT)
        .join(known, on="product_id", how="inner")
        .groupBy("store_id", "order_id")
        .agg(F.collect_set("category").alias("categories"))
        .select("store_id", F.explode("categories").alias("category"), "categories")
    )


def count_pairs(held: DataFrame) -> DataFrame:
    """Orders of a store with both categories, where there are enough."""
    return (
        held.select("store_id", "category", F.explode("categories").alias("other_category"))
        .where("category <> other_category")
        .groupBy("store_id", "category", "other_category")
        .agg(F.count("*").alias("pair_order_count"))
        .where(F.col("pair_order_count") >= p.MIN_PAIR_ORDERS)
    )


def sum_stores(lines: DataFrame) -> DataFrame:
    """What a store sold."""
    return lines.groupBy("store_id").agg(
        F.countDistinct(F.when(F.expr(IS_BOUGHT), F.col("order_id"))).alias("store_order_count"),
        sum_money("net_amount", "store_net_amount"),
    )
