"""Features of customers as of a day."""

from datetime import date, timedelta
from decimal import Decimal
from statistics import stdev
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.gold.customer_features import build
from tests.frames import make, rows_of

AS_OF = date(2017, 6, 30)
PRODUCTS = [
    {"product_id": "milk", "department": "GROCERY", "category": "DAIRY", "brand": "Private"},
    {"product_id": "beef", "department": "MEAT", "category": "BEEF", "brand": "National"},
    {"product_id": "ham", "department": "MEAT-PCKGD", "category": "HAM", "brand": "National"},
]


LINE = ("order_id", "line_number", "order_date", "store_id", "product_id", "list_amount", "net_amount")


def days_before(n: int) -> date:
    return AS_OF - timedelta(days=n)


def buy(customer: str, days: int, amount: str, product: str = "milk", **more: Any) -> dict[str, Any]:
    """An order of one line."""
    paid = {
        "list_amount": amount,
        "net_amount": amount,
        "paid_amount": amount,
        "customer_id": customer,
        "store_id": "1",
    }
    more = {"is_purchase": True} | more
    return paid | {"order_date": days_before(days), "product_id": product, "line_count": 1} | more


def features(spark: SparkSession, orders: list[dict[str, Any]], as_of: date = AS_OF) -> list[dict[str, Any]]:
    rows = [row | {"order_id": str(n), "line_number": 1} for n, row in enumerate(orders)]
    order_rows = [{k: v for k, v in row.items() if k not in ("product_id", "line_number")} for row in rows]
    line_rows = [{k: v for k, v in row.items() if k in LINE} for row in rows]
    built = build(
        make(spark, "customer_orders", order_rows),
        make(spark, "order_lines", line_rows),
        make(spark, "products", PRODUCTS),
        as_of=as_of,
    )
    names = sorted(built.columns)
    return [dict(zip(names, row, strict=True)) for row in rows_of(built, *names)]


def test_each_feature_by_example(spark):
    orders = [
        buy("a", 0, "10.00", "milk", list_amount="20.00", paid_amount="9.00", coupon_discount_amount="1.00"),
        buy("a", 0, "5.00", "beef", store_id="2"),
        buy("a", 4, "5.00", "ham", list_amount="10.00"),
        buy("a", 10, "20.00", "unheard of"),
        buy("a", 30, "1.00"),  # in the 28 days before the last 28
        buy("a", 91, "2.00"),  # the 92nd day back: not in 91 days
        buy("a", 365, "1000.00", "beef"),  # the 366th: in no window, but the first order
        buy("a", -1, "500.00"),  # after as_of
        buy("old", 400, "7.00"),
        buy("once", 0, "0.00"),
    ]
    a, old, once = sorted(features(spark, orders), key=lambda row: row["customer_id"])
    assert a == {
        "as_of_date": AS_OF, "customer_id": "a", "recency_days": 0, "tenure_days": 365,
        "order_count_28d": 4, "order_count_91d": 5, "order_count_365d": 6, "order_count_prior_28d": 1,
        "net_amount_28d": Decimal("40.00"), "net_amount_91d": Decimal("41.00"), "net_amount_365d": Decimal("43.00"),
        "visit_day_count_365d": 5,  # gaps of 4, 6, 20 and 61 days
        "mean_gap_days": 91 / 4, "sd_gap_days": pytest.approx(stdev([4, 6, 20, 61])), "recency_in_gaps": 0.0,
        "mean_order_amount_365d": 43 / 6, "mean_order_line_count_365d": 1.0,
        "weekend_order_share_365d": sum(days_before(n).isoweekday() > 5 for n in (0, 0, 4, 10, 30, 91)) / 6,
        "discount_share_365d": 16 / 58, "coupon_share_365d": 1 / 58, "store_count_365d": 2,
        "category_count_365d": 4, "top_category_365d": "UNKNOWN", "top_category_share_365d": 20 / 43,
        "top3_category_share_365d": 38 / 43,  # UNKNOWN 20, DAIRY 13, then BEEF before HAM, which spent as much
        "grocery_share_365d": 13 / 43, "drug_share_365d": 0.0, "fuel_share_365d": 0.0, "produce_share_365d": 0.0,
        "meat_share_365d": 10 / 43, "deli_share_365d": 0.0, "private_label_share_365d": 13 / 43,
    }  # fmt: skip
    assert (old["recency_days"], old["order_count_365d"], old["visit_day_count_365d"]) == (400, 0, 0)
    assert (old["mean_gap_days"], old["top_category_365d"], old["grocery_share_365d"]) == (None, None, 0.0)
    assert (once["mean_gap_days"], once["sd_gap_days"], once["recency_in_gaps"]) == (None, None, None)
    assert (once["top_category_365d"], once["top_category_share_365d"]) == ("DAIRY", 0.0), "nothing spent, no share"


def test_what_came_back_lowers_the_amounts_and_is_no_visit(spark):
    back = {"is_purchase": False, "list_amount": "-4.00", "paid_amount": "-4.00"}
    orders = [buy("a", 20, "10.00"), buy("a", 3, "-4.00", **back), buy("only returns", 3, "-4.00", **back)]
    (a,) = features(spark, orders)
    assert (a["customer_id"], a["recency_days"], a["order_count_28d"], a["net_amount_28d"]) == ("a", 20, 1, Decimal(6))


purchases = st.builds(
    lambda customer, days, cents, product: buy(customer, days, str(Decimal(cents) / 100), product),
    st.sampled_from("abc"), st.integers(-40, 400), st.integers(-500, 5000),
    st.sampled_from(["milk", "beef", "unheard of"]),
)  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.lists(purchases, max_size=25), later=st.lists(purchases, min_size=1, max_size=10))
def test_rows_that_come_later_never_change_an_earlier_feature(spark, known, later):
    past = [row for row in known if row["order_date"] <= AS_OF]
    future = [row | {"order_date": AS_OF + timedelta(days=1 + n)} for n, row in enumerate(later)]
    assert features(spark, future + past[::-1]) == features(spark, past)
