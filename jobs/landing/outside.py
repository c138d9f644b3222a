"""What happens outside: the weather by the day, competitors' prices by the week, holidays by the year.

- **Weather** comes from an API of the form of Open-Meteo's: `v1/archive`, which knows a day after about two, or, by
  `pull: {relation: v1/forecast}` in the contract, the one that knows yesterday. Where the service does not know
  the last day yet, that is an error, so that it is asked for again: a file without it would count as all there is.
- **Competitors' prices** come from whoever watches them, page by page with a cursor.
- **Holidays** come from the library `holidays`, the shopping seasons beside them from the calendar of the retailer's
  marketing. The list is that of whole years.

Who uses what is known of a day asks when it was known: silver's `known_date`.
"""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from typing import Any, BinaryIO

import holidays

from jobs.kit.contracts import Contract
from jobs.landing.platform import Api, Row, by_cursor, write
from jobs.landing.pulls import Days

SCHEDULE = "15 3 * * *"  # At night, when the weather service has closed the day; lists come when they come.

COUNTRY = "CN"  # whose public holidays count
WEATHER = {  # our column, the service's
    "temperature_c": "temperature_2m_mean",
    "rain_mm": "precipitation_sum",
    "wind_m_s": "wind_speed_10m_mean",
}
DAYS_AT_ONCE = 31


def pull(contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
    """What was measured, seen or is listed for these days."""
    api = Api(contract, address)
    ask = {"weather_daily": weather, "competitor_list": prices, "holiday_list": special_days}[contract.table]
    write(contract, file, ask(api, days, contract.pull.relation if contract.pull else ""))


def weather(api: Api, days: Days, relation: str) -> Iterator[list[Row]]:
    """Each day of each city in cities.csv."""
    places, first = cities(), api.since(days)
    while first <= days.last:
        last = min(first + timedelta(days=DAYS_AT_ONCE - 1), days.last)
        answer = api.get(
            relation or "v1/archive",
            latitude=",".join(p["latitude"] for p in places),
            longitude=",".join(p["longitude"] for p in places),
            start_date=first,
            end_date=last,
            daily=",".join(WEATHER.values()),
            wind_speed_unit="ms",
            timezone=days.zone.key,
        )
        found = answer if isinstance(answer, list) else [answer]  # one place comes without a list around it
        told = zip(places, found, strict=True)
        rows = [row for place, it in told for row in _days_of(api, place["city"], it, days.last)]
        yield sorted(rows, key=lambda row: row["weather_date"])
        first = last + timedelta(days=1)


def cities() -> list[dict[str, str]]:
    """Where the weather matters: the cities with a store, and where they lie."""
    return list(csv.DictReader((files("jobs.landing") / "cities.csv").read_text(encoding="utf-8").splitlines()))


def _days_of(api: Api, city: str, answer: dict[str, Any], must: date) -> Iterator[Row]:
    """The days that the service knows. PullError if it does not know the one that it must."""
    told = answer["daily"]
    for n, day in enumerate(told["time"]):
        values = {ours: told[theirs][n] for ours, theirs in WEATHER.items()}
        if any(value is not None for value in values.values()):
            yield {"city": city, "weather_date": day, **values}
        elif day == str(must):
            raise api.error(f"does not know the weather of {city} on {day} yet: ask later, or v1/forecast.")


def prices(api: Api, days: Days, relation: str) -> Iterator[list[Row]]:
    """Prices seen at competitors in these days."""

    def ask(cursor: str) -> tuple[list[Row], str]:
        window = {"seen_from": api.since(days), "seen_to": days.last}
        found = api.get(relation or "v1/prices", **window, cursor=cursor or None, limit=100)
        return found["prices"], found["next_cursor"] or ""

    return by_cursor(ask)


def special_days(api: Api, days: Days, relation: str) -> Iterator[list[Row]]:
    """Public holidays and shopping seasons of the years of these days."""
    years = range(api.since(days).year, days.last.year + 1)
    public = holidays.country_holidays(COUNTRY, years=years, language="en_US")
    seasons = dict[date, str]()
    for year in years:
        for season in api.get(relation or "v1/seasons", "seasons", year=year):
            first, last = date.fromisoformat(season["first"]), date.fromisoformat(season["last"])
            seasons |= {first + timedelta(days=n): season["name"] for n in range((last - first).days + 1)}
    yield [
        {"holiday_date": day, "holiday_name": public.get(day), "season": seasons.get(day)}
        for day in sorted({*public, *seasons})
    ]
