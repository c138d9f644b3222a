"""Prices by week; repeats and corrections: tests/golden/product_prices."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.product_prices import build
from tests.frames import make

PRICE = {"regular_price": "5", "selling_price": "4", "price_type": "promotion"}
PRICE |= {"valid_from": "2017-01-01", "valid_to": "2017-01-07"}


def test_prices_that_cannot_be_are_set_aside(spark):
    bad = [{"selling_price": "0"}, {"selling_price": "5.01"}, {"valid_to": "2016-12-31"}]
    rows = [PRICE | {"product_id": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(300)]
    verdict = gate.judge(build(make(spark, "price_list", rows)), load("silver.product_prices"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))
