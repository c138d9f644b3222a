"""Units under a placement against the same pairs without."""

from datetime import date, timedelta
from decimal import Decimal

from jobs.gold.promotion_lift import build
from tests.frames import make, rows_of

AS_OF = date(2017, 7, 5)  # a Wednesday: the last full week ends on Sunday 2017-07-02
MONDAYS = [date(2017, 6, 26) - timedelta(weeks=n) for n in range(28)]


def sell(week: int, product: str, units: int, store: str = "1", weekday: int = 3) -> dict:
    day = MONDAYS[week] + timedelta(days=weekday)
    return {
        "product_id": product,
        "store_id": store,
        "order_date": day,
        "quantity": units,
        "order_id": f"{day}{product}",
    }


def place(week: int, product: str, *, display: bool = False, mailer: bool = False, store: str = "1") -> dict:
    place = {"product_id": product, "store_id": store, "week_start_date": MONDAYS[week]}
    return place | {"has_display": display, "has_mailer": mailer}


def test_each_rule_by_example(spark):
    sales = [
        *[sell(week, "milk", 2) for week in range(4)],  # weeks 0 to 3; in the mailer in week 0, as much as always
        sell(0, "milk", 4, weekday=6),  # Sunday is in the week: six units in all
        sell(1, "beef", 3),  # on display in week 1 only; sold in no other week: nothing was expected
        sell(2, "ham", 4),  # both in week 2 and 3, of four weeks in which the store traded
        sell(0, "ham", 1),
        sell(1, "eggs", 5),  # placed in every week: no baseline of its own, so it does not count
        sell(26, "milk", 99),  # before the 26 weeks
        sell(0, "milk", 50, weekday=7),  # after the last full week
        sell(0, "milk", 9, store="2"),  # another store, without placements
    ]
    placements = [
        place(0, "milk", mailer=True),
        place(1, "beef", display=True),
        *[place(week, "ham", display=True, mailer=True) for week in (2, 3)],
        *[place(week, "eggs", display=True) for week in range(4)],
        place(9, "milk", mailer=True),  # the store sold nothing in that week: it may have been closed
        place(1, "never sold", display=True),
    ]
    products = [{"product_id": p, "category": "FOOD"} for p in ("milk", "ham", "eggs")]
    built = build(
        make(spark, "promotions", placements), make(spark, "order_lines", sales), make(spark, "products", products),
        as_of=AS_OF,
    )  # fmt: skip
    names = ("category", "placement", "product_store_count", "promoted_week_count", "unit_count", "expected_unit_count",
             "unit_lift")  # fmt: skip
    assert rows_of(built, *names) == [
        ("FOOD", "display and mailer", 1, 2, 4, Decimal("1.000000"), 4.0),  # 1 unit in 2 weeks, times 2 weeks
        ("FOOD", "mailer", 1, 1, 6, Decimal("2.000000"), 3.0),  # 6 units in 3 weeks, times 1 week
        ("UNKNOWN", "display", 1, 1, 3, Decimal("0.000000"), None),
    ]
