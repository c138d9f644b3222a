"""Stores; windows, parts and what is not known by example: tests/golden/store_360."""

from datetime import date

import pytest

from jobs.gold.store_360 import find_full_months


@pytest.mark.parametrize(
    ("as_of", "first", "last"),
    [
        (date(2025, 12, 31), date(2025, 1, 1), date(2025, 12, 1)),
        (date(2025, 12, 30), date(2024, 12, 1), date(2025, 11, 1)),
        (date(2025, 1, 31), date(2024, 2, 1), date(2025, 1, 1)),
        (date(2024, 2, 28), date(2023, 2, 1), date(2024, 1, 1)),  # of a leap year: the month is not over
        (date(2024, 2, 29), date(2023, 3, 1), date(2024, 2, 1)),
    ],
)
def test_twelve_full_months_up_to_the_day(as_of, first, last):
    assert find_full_months(as_of) == (first, last)
