"""Orders; netting by example: tests/golden/orders."""

import random
from collections import Counter
from decimal import Decimal

from jobs.silver.orders import build
from tests.frames import make, rows_of


def test_no_cent_and_no_unit_is_lost_between_lines_and_orders(spark):
    dice = random.Random(3)
    lines, units, cents = [], Counter(), Counter()
    for n in range(300):
        order, is_return = str(dice.randrange(40)), dice.random() < 0.1
        amount, quantity = dice.randrange(10_000_000), dice.randrange(5)
        sign = -1 if is_return else 1
        lines.append({
            "order_id": order, "line_number": n, "line_type": "return" if is_return else "sale",
            "quantity": sign * quantity, "net_amount": Decimal(sign * amount) / 100,
        })  # fmt: skip
        units[order] += sign * quantity
        cents[order] += sign * amount
    built = rows_of(
        build(make(spark, "order_lines", lines), make(spark, "online_orders")), "order_id", "unit_count", "net_amount"
    )
    assert built == sorted(((o, units[o], Decimal(cents[o]) / 100) for o in cents), key=repr)
