"""One row per product of the product master, at its latest known state.

A product that was deleted in the ERP stays, with the day on which that was seen: what it sold was sold.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_deleted, keep_newest


def build(product_master: DataFrame, product_details: DataFrame, erp_deletions: DataFrame) -> DataFrame:
    """The newest dump of each product wins, in each of the two sources."""
    newest = product_master.transform(with_clean_text).transform(keep_newest, "product_id")
    details = product_details.transform(keep_newest, "product_id").transform(with_types)
    # One to at most one: details of what the master does not have describe no product.
    return (
        newest.select("product_id", *TEXTS, *ORIGIN)
        .join(details, on="product_id", how="left")
        .join(find_deleted(erp_deletions), on="product_id", how="left")
    )


TEXTS = ("manufacturer_id", "department", "brand", "category", "product_type", "package_size")
DETAILS = ("gtin", "name_zh", "name_en", "brand_zh", "brand_en", "department_zh", "category_zh", "supplier_id")


def with_clean_text(product_master: DataFrame) -> DataFrame:
    """Blanks around a name would make a second category of it."""
    # Not the key: a run finds the rows to rebuild by it, so it stays as received.
    return product_master.withColumns({column: clean(column) for column in TEXTS})


def with_types(product_details: DataFrame) -> DataFrame:
    """Received text as types."""
    return product_details.select(
        "product_id",
        *[clean(column) for column in DETAILS],
        clean("type_zh").alias("product_type_zh"),
        as_typed("unit_cost", MONEY).alias("unit_cost_amount"),
        as_typed("shelf_life_days", "int"),
    )


def find_deleted(erp_deletions: DataFrame) -> DataFrame:
    """Products that the ERP no longer has, and since when."""
    gone = erp_deletions.transform(keep_deleted, "product_master")
    return gone.select(F.col("row_key").alias("product_id"), F.col("seen_date").alias("deleted_date"))
