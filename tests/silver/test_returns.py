"""Returns of all channels: tests/golden/returns."""

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.returns import build
from tests.frames import make


def test_a_return_of_the_wrong_sign_publishes_nothing(spark):
    line = {"line_type": "return", "quantity": 1, "net_amount": "1.00"}
    rest = (make(spark, "pos_tickets"), make(spark, "refund_lines"))
    assert not gate.judge(build(make(spark, "order_lines", [line]), *rest), load("silver.returns")).passed
