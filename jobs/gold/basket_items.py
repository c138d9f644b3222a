"""One row per order and product type that the customer took home: the baskets that association rules are mined from.

An item is a product type (2,378 in the demo data): a product is too fine to repeat, a category too coarse to advise on.
Taken home means more than zero units after returns. Products without a known type are left out, for a rule about
"unknown" says nothing.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def build(order_lines: DataFrame, products: DataFrame) -> DataFrame:
    """Lines summed to their order and product type, what came back taken out."""
    # Many lines to at most one product.
    typed = products.where("product_type is not null").select("product_id", F.col("product_type").alias("item"))
    return (
        order_lines.join(typed, on="product_id", how="inner")
        .groupBy("order_id", "order_date", "item")
        .agg(F.sum("quantity").alias("unit_count"))
        .where("unit_count > 0")
    )
