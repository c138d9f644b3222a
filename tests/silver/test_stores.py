"""Stores of master and orders; repeats, blanks, stores without the one or the other: tests/golden/stores."""

from datetime import date

import pytest

from jobs.kit import gate
from jobs.kit.contracts import load
from tests.frames import make


@pytest.mark.parametrize(
    ("odd", "passed", "refused"),
    [
        ({"store_format": "kiosk"}, True, 1),
        ({"area_m2": 0}, True, 1),
        ({"store_id": " S1"}, True, 1),
        ({"first_order_date": date(2024, 2, 1), "last_order_date": date(2024, 1, 1)}, False, 0),
    ],
)
def test_what_matches_nothing_is_set_aside_and_mixed_up_dates_publish_nothing(spark, odd, passed, refused):
    good = [{"store_id": f"S{n}", "store_format": "supermarket", "area_m2": 900} for n in range(200)]
    verdict = gate.judge(make(spark, "stores", [*good, {"store_id": "odd"} | odd]), load("silver.stores"))
    assert (verdict.passed, verdict.rows_refused) == (passed, refused)
