"""The tills of the stores: tickets, their lines and payments, one CSV each per business day, sent after closing."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "0 5 * * *"  # Every morning, when the last store's till has sent the day before.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("pos", drop, landing, as_of=as_of)
