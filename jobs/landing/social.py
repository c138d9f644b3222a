"""Social platforms: who followed, liked, shared, watched or commented under the brand's posts."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 3 * * *"  # At night, when the collector has asked the platforms for the day before.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("social", drop, landing, as_of=as_of)
