"""One row per pair of accounts that are, or may be, one person's; and one per account with itself.

The row with itself makes the table whole: who resembles nobody is somebody too. jobs/identity.py has the rules.
"""

from pyspark.sql import DataFrame

from jobs.identity import link
from jobs.verbs import over_arrow


def build(accounts: DataFrame) -> DataFrame:
    """Pairs by rule and by probability."""
    # Collected: why Splink runs over DuckDB and not in the engine, docs/decisions/0601-linkage.md.
    return over_arrow(accounts, link)
