"""Whose order it is: tests/golden/customer_orders."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.customer_orders import build
from tests.frames import make


def test_a_customer_id_of_another_form_publishes_nothing(spark):
    orders = make(spark, "orders", [{"order_id": "1", "account_system": "erp", "account_id": "9", "line_count": 1}])
    known = {"account_system": "erp", "account_id": "9", "customer_id": "9"}
    assert not gate.judge(build(orders, make(spark, "identities", [known])), load("silver.customer_orders")).passed
    assert gate.judge(build(orders, make(spark, "identities")), load("silver.customer_orders")).passed
