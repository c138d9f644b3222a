"""Order lines; signs, amounts, repeats and late lines: tests/golden/order_lines."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.order_lines import build
from tests.frames import make, rows_of

RECEIVED = {
    "order_id": "1", "transaction_timestamp": "2017-01-01T06:53:26-05:00", "line_type": "sale", "quantity": "1",
    "sales_amount": "1.00", "retail_discount": "0.00", "coupon_discount": "0.00", "coupon_match_discount": "0.00",
}  # fmt: skip


def lines(spark, *changed: dict, count: int = 200):
    rows = [RECEIVED | {"line_number": str(n)} | (changed[n] if n < len(changed) else {}) for n in range(count)]
    others = ("app_orders", "tmall_orders", "jd_orders", "refund_lines")
    return build(make(spark, "pos_lines", rows), *[make(spark, name) for name in others])


def test_few_negative_sales_are_set_aside_and_a_day_full_of_them_publishes_nothing(spark):
    contract = load("silver.order_lines")
    few = gate.judge(lines(spark, {"quantity": "-1"}, {"quantity": "0"}), contract)
    assert (few.passed, few.rows_in, few.rows_refused) == (True, 200, 1), "no units is legal"
    many = gate.judge(lines(spark, *[{"quantity": "-1"}] * 60), contract)
    assert not many.passed
    returns = [{"line_type": "return", "quantity": "-1"}] * 60
    assert gate.judge(lines(spark, *returns), contract).rows_refused == 0, "a return may be negative"


def test_what_does_not_parse_becomes_null_for_the_gate_to_name(spark):
    bad = [{"quantity": "1,234"}, {"sales_amount": "NaN"}, {"transaction_timestamp": "2017-02-30T00:00:00-05:00"}]
    built = lines(spark, *bad, count=3)
    found = rows_of(built, "line_number", "quantity", "net_amount")
    assert [(line, quantity is None, amount is None) for line, quantity, amount in found] == [
        (0, True, False), (1, False, True), (2, False, False),
    ]  # fmt: skip
    assert len(gate.judge(built, load("silver.order_lines")).failures) >= 3


def test_a_refused_line_says_where_it_came_from(spark):
    refused = gate.judge(lines(spark, {"quantity": "-1"}), load("silver.order_lines")).refused
    assert rows_of(refused, "_source_file", "_row_number") == [("file.csv", 1)]
