"""What happens outside: the weather by the day, competitors' prices by the week, holidays by the year."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "15 3 * * *"  # At night, when the weather service has closed the day; lists come when they come.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("outside", drop, landing, as_of=as_of)
