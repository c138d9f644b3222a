"""JD: the shop's orders at each state, as JSON lines."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "15 4 * * *"  # Right after Tmall, and like it before the refunds of its orders.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("jd", drop, landing, as_of=as_of)
