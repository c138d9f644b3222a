"""One row per product of the product master, at its latest known state."""

from pyspark.sql import DataFrame

from jobs.verbs import ORIGIN, clean, keep_newest


def build(product_master: DataFrame) -> DataFrame:
    """The newest dump of each product wins."""
    newest = product_master.transform(with_clean_text).transform(keep_newest, "product_id")
    return newest.select("product_id", *TEXTS, *ORIGIN)


TEXTS = ("manufacturer_id", "department", "brand", "category", "product_type", "package_size")


def with_clean_text(product_master: DataFrame) -> DataFrame:
    """Blanks around a name would make a second category of it."""
    # Not the key: a run finds the rows to rebuild by it, so it stays as received.
    return product_master.withColumns({column: clean(column) for column in TEXTS})
