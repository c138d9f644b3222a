"""The CRM: members and their attributes, exported whole; consents as they change."""

from datetime import date
from pathlib import Path

from jobs.landing.files import LandedFile, land_source

SCHEDULE = "0 3 * * *"  # At night, when the CRM's export is done.


def fetch(drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take the files dated up to `as_of` that have not been taken yet."""
    return land_source("crm", drop, landing, as_of=as_of)
