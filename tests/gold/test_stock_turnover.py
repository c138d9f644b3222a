"""Stock turnover; what counts as what by example: tests/golden/stock_turnover."""

import random
from datetime import date, timedelta

import pytest

from jobs.gold.stock_turnover import build
from tests.frames import make

MARCH = date(2025, 3, 1)


def test_mean_stock_is_the_mean_over_evenings(spark):
    dice = random.Random(3)
    rows, evenings = [], []
    for product in range(6):
        stock = dice.randrange(50, 90)
        for n in range(31):
            day = MARCH + timedelta(days=n)
            if dice.random() < 0.3 or n == 30:
                opening, stock = stock, stock + dice.randrange(-3, 4)
                rows.append(
                    {
                        "month_start_date": MARCH, "stock_date": day, "product_id": str(product),
                        "opening_unit_count": opening, "closing_unit_count": stock,
                    }
                )  # fmt: skip
            evenings.append(stock)
    products = [{"product_id": str(n), "department": "D", "category": "C"} for n in range(6)]
    (row,) = build(
        make(spark, "stock_daily", rows), make(spark, "order_lines"), make(spark, "products", products)
    ).collect()
    assert row["mean_stock_unit_count"] == pytest.approx(sum(evenings) / 31)
