"""Basket items; what counts as taken home by example: tests/golden/basket_items."""

from jobs.gold.basket_items import build
from tests.frames import make, rows_of


def test_products_of_one_type_are_one_item_and_net_within_the_order_only(spark):
    lines = [("1", 1, "7", 1), ("1", 2, "8", 1), ("2", 1, "7", 2), ("3", 1, "8", -2)]
    names = ("order_id", "line_number", "product_id", "quantity")
    types = [{"product_id": p, "product_type": "MILK"} for p in ("7", "8")]
    built = build(
        make(spark, "order_lines", [dict(zip(names, line, strict=True)) for line in lines]),
        make(spark, "products", types),
    )
    # What order 3 brought back was bought in an order that is not known: it takes nothing from the others.
    assert rows_of(built, "order_id", "item", "unit_count") == [("1", "MILK", 2), ("2", "MILK", 2)]
