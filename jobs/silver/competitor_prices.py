"""One row per product, competitor, day on which its price was seen there, and day on which that became known."""

from pyspark.sql import DataFrame

from jobs.verbs import MONEY, ORIGIN, as_typed, clean, keep_words


def build(competitor_list: DataFrame) -> DataFrame:
    """What was seen, and corrections of it."""
    keys = ("product_id", "competitor", "seen_date")
    return (
        competitor_list.withColumns({column: clean(column) for column in ("product_id", "competitor")})
        .withColumn("competitor_price_amount", as_typed("price", MONEY))
        .transform(keep_words, *keys, of=["competitor_price_amount"], on="seen_date")
        .select(*keys, "known_date", "competitor_price_amount", *ORIGIN)
    )
