"""One row per store that the store master or an order names, with the days between which it sold."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.platforms import WAREHOUSE
from jobs.verbs import as_typed, clean, keep_newest


def build(store_master: DataFrame, orders: DataFrame) -> DataFrame:
    """The newest word of the master beside what the orders know."""
    trading = orders.groupBy("store_id").agg(
        F.min("order_date").alias("first_order_date"),
        F.max("order_date").alias("last_order_date"),
        F.countDistinct("order_date").alias("trading_day_count"),
    )
    # One to at most one: a store may be new, and not every retailer has a master.
    return (
        store_master.transform(with_types)
        .transform(keep_newest, "store_id")
        .select("store_id", *ATTRIBUTES)
        .join(trading, on="store_id", how="full")
        .fillna(0, ["trading_day_count"])
    )


ATTRIBUTES = (
    "store_name",
    "store_format",
    "province",
    "city",
    "area_m2",
    "latitude",
    "longitude",
    "opened_date",
)


def with_types(store_master: DataFrame) -> DataFrame:
    """Received text as types."""
    return store_master.withColumns(
        {column: clean(column) for column in ("store_id", "store_name", "province", "city")}
        | {column: as_typed(column, "double") for column in ("latitude", "longitude")}
        | {"area_m2": as_typed("area_m2", "int"), "opened_date": as_typed("opened_on", "date")}
        | {"store_format": name_format()}
    )


def name_format() -> Column:
    """The master leaves the format of the warehouse empty."""
    return F.coalesce(F.lower(clean("format")), F.when(clean("store_id") == WAREHOUSE, F.lit("warehouse")))
