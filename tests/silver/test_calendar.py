"""The calendar."""

from datetime import date

from jobs.silver.calendar import build
from tests.frames import make, rows_of

YEARS = [{"order_date": date(2016, 2, 29)}, {"order_date": date(2017, 6, 1)}]


def test_every_day_of_every_year_with_an_order(spark):
    built = build(make(spark, "orders", YEARS), make(spark, "holiday_list"))
    days = {row["calendar_date"]: row.asDict() for row in built.collect()}
    assert (len(days), min(days), max(days)) == (366 + 365, date(2016, 1, 1), date(2017, 12, 31))
    for day, row in days.items():
        assert (row["year"], row["month"], row["day_of_month"]) == (day.year, day.month, day.day)
        assert (row["quarter"], row["iso_week"]) == ((day.month + 2) // 3, day.isocalendar().week)
        assert (row["day_of_week"], row["is_weekend"]) == (day.isoweekday(), day.isoweekday() > 5)
        assert row["week_start_date"].isoweekday() == 1
        assert 0 <= (day - row["week_start_date"]).days < 7
        assert (row["holiday_name"], row["shopping_season"]) == (None, None), "no list, no holidays"


def test_holidays_and_seasons_are_those_of_the_newest_list(spark):
    told = [
        {"holiday_date": "2017-02-12", "holiday_name": "Spring Festival", "_file_date": date(2016, 1, 1)},
        {"holiday_date": "2017-02-12", "season": " Valentine ", "_file_date": date(2017, 1, 1)},
        {"holiday_date": "2017-11-11", "holiday_name": "", "season": "Double 11"},
        {"holiday_date": "2017-12-25", "holiday_name": "Christmas Day"},
        {"holiday_date": "soon", "holiday_name": "no day"},
        {"holiday_date": "2018-01-01", "holiday_name": "a year without an order"},
    ]
    built = build(make(spark, "orders", YEARS), make(spark, "holiday_list", told))
    special = built.where("holiday_name IS NOT NULL OR shopping_season IS NOT NULL")
    assert rows_of(special, "calendar_date", "holiday_name", "shopping_season") == [
        (date(2017, 11, 11), None, "Double 11"),
        (date(2017, 12, 25), "Christmas Day", None),
        (date(2017, 2, 12), None, "Valentine"),
    ]
    assert built.count() == 366 + 365
