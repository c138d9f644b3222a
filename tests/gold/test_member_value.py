"""Frequency bands; sums and means by example: tests/golden/member_value."""

from jobs.gold import member_value


def test_every_count_is_in_the_band_that_its_name_says(spark):
    frame = spark.range(60).selectExpr("id AS order_count_365d")
    rows = frame.withColumns({"least": member_value.find_band(), "name": member_value.name_band()}).collect()
    for row in rows:
        words = row["name"].split()
        low = int(words[0])
        high = int(words[-1]) if words[-1].isdigit() else 10**9  # "26 and more"
        assert row["least"] == low <= row["order_count_365d"] <= high
