"""The app and the mini-program: events, orders at each state, and registrations, as JSON lines, once a day."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 3 * * *"  # At night, when the app's log of the day before is closed and few are awake to add to it.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("app", drop, landing, as_of=as_of)
