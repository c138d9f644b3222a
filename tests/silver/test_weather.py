"""Weather; time of knowledge; repeats, corrections and gaps: tests/golden/weather."""

from datetime import date

import pytest

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.weather import build
from jobs.verbs import keep_newest, keep_until
from tests.frames import make

DAY = {"temperature_c": "5.0", "rain_mm": "0.0", "wind_m_s": "3.9"}


def test_what_a_station_writes_for_no_reading_is_set_aside(spark):
    bad = [{"temperature_c": "-999"}, {"rain_mm": "-1"}]
    rows = [DAY | {"city": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(200)]
    verdict = gate.judge(build(make(spark, "weather_daily", rows)), load("silver.weather"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))


WORDS = [  # on 10 May: forecast on the 8th, measured, sent on the 12th, corrected on the 20th
    {"_file_date": date(2025, 5, 8), "temperature_c": "21.0"},
    {"_file_date": date(2025, 5, 12), "temperature_c": "17.0"},
    {"_file_date": date(2025, 5, 20), "temperature_c": "17.4"},
]


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        ("2025-05-07", []),
        ("2025-05-09", [21.0]),
        ("2025-05-10", [17.0]),
        ("2025-05-19", [17.0]),
        ("2025-05-20", [17.4]),
    ],
)
def test_as_of_an_earlier_day_nothing_is_known_that_was_learned_later(spark, as_of, known):
    """Whatever has been landed since: a feature as of a day uses what was known at its end."""
    rows = [DAY | word | {"city": "上海", "observation_date": date(2025, 5, 10)} for word in WORDS]
    words = build(make(spark, "weather_daily", rows)).transform(keep_until, "known_date", date.fromisoformat(as_of))
    found = words.transform(keep_newest, "city", "observation_date", by=["known_date"]).collect()
    assert [row.temperature_c for row in found] == known
