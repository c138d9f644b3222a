"""One row per day of every year in which anything was sold."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.verbs import as_typed, clean, keep_newest


def build(orders: DataFrame, holiday_list: DataFrame) -> DataFrame:
    """The days that any order can fall on, and what is special about them."""
    # Many days to at most one row of the list: most days are ordinary.
    return (
        orders.transform(per_day_of_years)
        .transform(with_parts)
        .join(holiday_list.transform(keep_special), on="calendar_date", how="left")
    )


def per_day_of_years(orders: DataFrame) -> DataFrame:
    """From 1 January of the first year to 31 December of the last."""
    first_day = F.trunc(F.min("order_date"), "year")
    last_day = F.date_sub(F.add_months(F.trunc(F.max("order_date"), "year"), 12), 1)
    # Over no orders the bounds are null, and exploding null gives no rows.
    return orders.agg(F.sequence(first_day, last_day).alias("days")).select(F.explode("days").alias("calendar_date"))


def with_parts(days: DataFrame) -> DataFrame:
    """What reports group a day by."""
    day = F.col("calendar_date")
    return days.select(
        day,
        F.year(day).alias("year"),
        F.quarter(day).alias("quarter"),
        F.month(day).alias("month"),
        F.dayofmonth(day).alias("day_of_month"),
        (F.weekday(day) + 1).alias("day_of_week"),
        F.to_date(F.date_trunc("week", day)).alias("week_start_date"),
        F.weekofyear(day).alias("iso_week"),
        (F.weekday(day) >= 5).alias("is_weekend"),
    )


def keep_special(holiday_list: DataFrame) -> DataFrame:
    """Holidays and seasons, each day once: the newest list that names the day wins."""
    return (
        holiday_list.withColumn("calendar_date", as_typed("holiday_date", "date"))
        .transform(keep_newest, "calendar_date")
        .select("calendar_date", clean("holiday_name"), clean("season").alias("shopping_season"))
    )
