"""Marketing: campaigns with plans, targets and messages, coupons and their redemptions, products placed each week."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "0 6 * * 1"  # Monday morning: placements are fixed by week, redemptions clear on Sunday.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("marketing", drop, landing, as_of=as_of)
