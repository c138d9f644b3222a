"""Finance: entries of the general ledger, revenue, cost and expenses, closed by the month."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 6 * * *"  # Looked for daily: a monthly run would close a day that is a month ago.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("finance", drop, landing, as_of=as_of)
