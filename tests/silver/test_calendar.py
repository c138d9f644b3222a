"""The calendar."""

from datetime import date

from jobs.silver.calendar import build
from tests.frames import make


def test_every_day_of_every_year_with_an_order(spark):
    orders = make(spark, "orders", [{"order_date": date(2016, 2, 29)}, {"order_date": date(2017, 6, 1)}])
    days = {row["calendar_date"]: row.asDict() for row in build(orders).collect()}
    assert (len(days), min(days), max(days)) == (366 + 365, date(2016, 1, 1), date(2017, 12, 31))
    for day, row in days.items():
        assert (row["year"], row["month"], row["day_of_month"]) == (day.year, day.month, day.day)
        assert (row["quarter"], row["iso_week"]) == ((day.month + 2) // 3, day.isocalendar().week)
        assert (row["day_of_week"], row["is_weekend"]) == (day.isoweekday(), day.isoweekday() > 5)
        assert row["week_start_date"].isoweekday() == 1
        assert 0 <= (day - row["week_start_date"]).days < 7
    assert days[date(2017, 11, 23)]["holiday_name"] == "Thanksgiving Day"
    assert days[date(2017, 11, 24)]["holiday_name"] is None
