"""The ERP: products and stores, exported whole whenever they change; the weeks' prices; new loyalty cards."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "30 4 * * *"  # Before the tills' files, so that new products are known when their sales arrive.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("erp", drop, landing, as_of=as_of)
