"""One row per day of every year in which anything was sold."""

import json

import holidays
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def build(orders: DataFrame) -> DataFrame:
    """The days that any order can fall on."""
    return orders.transform(per_day_of_years).transform(with_parts)


# Complete Journey's stores are American. A literal, so that the table needs neither a UDF nor a second source.
HOLIDAYS = {
    day.isoformat(): name
    for day, name in sorted(holidays.country_holidays("US", years=range(2010, 2041), observed=False).items())
}


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
        name_holiday(day).alias("holiday_name"),
    )


def name_holiday(day: Column) -> Column:
    """The name of the holiday on a day; null if none."""
    names = F.from_json(F.lit(json.dumps(HOLIDAYS)), "map<string,string>")
    return names[day.cast("string")]
