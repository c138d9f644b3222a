"""Operations: what stores and warehouse ordered, received, threw away and found on their shelves."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "0 4 * * *"  # Before the tills' files: what was on the shelf is known when its sales arrive.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("operations", drop, landing, as_of=as_of)
