"""One row per product and week in which a price held, the same in all stores."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_newest


def build(price_list: DataFrame) -> DataFrame:
    """The newest price of each product and week wins."""
    return (
        price_list.withColumn("product_id", clean("product_id"))
        .transform(keep_newest, "product_id", "week_start_date")
        .select(
            "product_id",
            "week_start_date",
            as_typed("valid_to", "date").alias("valid_until_date"),
            as_typed("regular_price", MONEY).alias("regular_price_amount"),
            as_typed("selling_price", MONEY).alias("selling_price_amount"),
            (F.lower(clean("price_type")) == "promotion").alias("is_promotion"),
            *ORIGIN,
        )
    )
