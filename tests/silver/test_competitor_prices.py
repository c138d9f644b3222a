"""Competitors' prices; repeats and corrections: tests/golden/competitor_prices."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.competitor_prices import build
from tests.frames import make

SEEN = {"price": "6.30", "competitor": "每家鲜"}


def test_a_price_of_nothing_is_set_aside(spark):
    bad = [{"price": "0.00"}]
    rows = [SEEN | {"product_id": f"X{n}"} | (bad[n] if n < len(bad) else {}) for n in range(200)]
    verdict = gate.judge(build(make(spark, "competitor_list", rows)), load("silver.competitor_prices"))
    assert (verdict.passed, verdict.rows_refused) == (True, len(bad))
