"""Marketing: campaigns with plans, targets and messages, coupons and their redemptions, products placed each week."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 5 * * *"  # Every morning: messages report daily; placements and redemptions come once a week.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("marketing", drop, landing, as_of=as_of)
