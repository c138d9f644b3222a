"""Stores by their sales."""

from datetime import date

from jobs.silver.stores import build
from tests.frames import differences, make


def test_a_store_is_known_by_its_first_and_last_day(spark):
    days = [("10", date(2017, 1, 5)), ("10", date(2017, 1, 1)), ("10", date(2017, 1, 1)), ("11", date(2017, 3, 1))]
    orders = make(
        spark, "orders", [{"order_id": str(i), "store_id": s, "order_date": d} for i, (s, d) in enumerate(days)]
    )
    wanted = [
        {"store_id": "10", "first_order_date": days[1][1], "last_order_date": days[0][1], "trading_day_count": 2},
        {"store_id": "11", "first_order_date": days[3][1], "last_order_date": days[3][1], "trading_day_count": 1},
    ]
    assert differences(build(orders), "stores", wanted) == {}
