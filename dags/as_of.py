"""Which business day a run is about. No Airflow in here, so that the rule can be tested anywhere.

`as_of` is inclusive: a run of 2017-06-01 knows all that carries that date or an earlier one. In order of precedence:
what a person typed when triggering; what the assets say that woke the run (an asset-triggered run has no date of its
own); for a backfill its logical date, in the business time zone; what the newest news of the inputs says (training on a
timer must not know a day that refine has not seen); the logical date; the day before the run.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any


def of_events(extras: Iterable[Mapping[str, Any]]) -> list[date]:
    """The days that a set of asset events speaks of, each once, oldest first. Some have none."""
    found: set[date] = set()
    for extra in extras:
        said = extra.get("as_of") or ()
        found |= {date.fromisoformat(day) for day in ([said] if isinstance(said, str) else said)}
    return sorted(found)


def choose(
    *,
    typed: str | None,
    woken_by: Iterable[Mapping[str, Any]],
    logical: datetime | None,
    backfill: bool,
    newest: Iterable[Mapping[str, Any]],
    run_after: datetime,
    zone: tzinfo,
) -> list[date]:
    """The days to run for, oldest first: more than one if several days' events were waiting when the run began."""
    if typed:
        return [date.fromisoformat(typed)]
    if days := of_events(woken_by):
        return days
    if not backfill and (days := of_events(newest)):
        return days[-1:]
    if logical is not None:
        return [logical.astimezone(zone).date()]
    return [run_after.astimezone(zone).date() - timedelta(days=1)]
