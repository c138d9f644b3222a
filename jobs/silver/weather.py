"""One row per city, day and day on which something new became known of its weather."""

from pyspark.sql import DataFrame

from jobs.verbs import ORIGIN, as_typed, clean, keep_words

MEASURES = ("temperature_c", "rain_mm", "wind_m_s")


def build(weather_daily: DataFrame) -> DataFrame:
    """Forecasts, what was measured, and corrections of it."""
    return (
        weather_daily.withColumns({column: as_typed(column, "double") for column in MEASURES})
        .withColumn("city", clean("city"))
        .transform(keep_words, "city", "observation_date", of=MEASURES, on="observation_date")
        .select("city", "observation_date", "known_date", "is_forecast", *MEASURES, *ORIGIN)
    )
