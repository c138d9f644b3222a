"""The aftersales desk: refunds of online orders, whatever platform they came from, as JSON lines."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 6 * * *"  # After the platforms' orders, so that a refund finds the order that it is for.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("aftersales", drop, landing, as_of=as_of)
