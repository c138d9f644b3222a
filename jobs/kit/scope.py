"""What one run replaces: dates, keys, one as_of, or everything."""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Scope:
    """At most one of `values` (dates of the partition column), `keys` (a frame) and `as_of`; none: everything."""

    text: str
    values: tuple[date, ...] | None = None
    keys: DataFrame | None = None
    as_of: date | None = None
