"""Feedback: reviews, tickets of customer service, answers to the survey after an order."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 5 * * *"  # Every morning, before the service desk opens and reads what is new.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("feedback", drop, landing, as_of=as_of)
