"""Movements of the stock; repeats, returns, channels: tests/golden/stock_movements."""

import pytest

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.stock_movements import build
from tests.frames import make


@pytest.mark.parametrize(
    ("kind", "units", "passed"),
    [("receipt", "1", True), ("receipt", "-1", False), ("spoilage", "1", False), ("adjustment", "1", True),
     ("theft", "-1", False)],
)  # fmt: skip
def test_what_moves_the_wrong_way_publishes_nothing(spark, kind, units, passed):
    moves = make(spark, "stock_moves", [{"movement_type": kind, "units": units, "cost_amount": "1.00"}])
    built = build(moves, make(spark, "order_lines"))
    assert gate.judge(built, load("silver.stock_movements")).passed == passed
