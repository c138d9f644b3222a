"""Logistics: stations of deliveries, and the tracks of the couriers who bring them."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "15 5 * * *"  # Every morning: the last deliveries of an evening end after midnight.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("logistics", drop, landing, as_of=as_of)
