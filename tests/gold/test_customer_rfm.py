"""RFM scores and segments; windows and ties by example: tests/golden/customer_rfm."""

import itertools
import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from jobs.gold import customer_rfm
from tests.frames import make, rows_of

AS_OF = date(2017, 12, 31)
# Recency, then mean of frequency and monetary score, as Putler publishes them (0 there is below our lowest score).
PUBLISHED = {
    "Champions": ((4, 5), (4, 5)), "Loyal Customers": ((2, 5), (3, 5)), "Potential Loyalists": ((3, 5), (1, 3)),
    "New Customers": ((4, 5), (0, 1)), "Promising": ((3, 4), (0, 1)), "Customers Needing Attention": ((2, 3), (2, 3)),
    "About To Sleep": ((2, 3), (0, 2)), "At Risk": ((0, 2), (2, 5)), "Can't Lose Them": ((0, 1), (4, 5)),
    "Hibernating": ((1, 2), (1, 2)), "Lost": ((0, 2), (0, 2)),
}  # fmt: skip


def test_every_combination_of_scores_is_one_of_eleven_segments_within_its_published_range(spark):
    scores = list(itertools.product(range(1, 6), repeat=3))
    frame = spark.createDataFrame(scores, "recency_score int, frequency_score int, monetary_score int")
    named = rows_of(frame.withColumn("segment", customer_rfm.name_segment()), *frame.columns, "segment")
    assert [row[:3] for row in named] == scores
    assert {row[3] for row in named} == set(PUBLISHED)
    for r, f, m, segment in named:
        (r_low, r_high), (fm_low, fm_high) = PUBLISHED[segment]
        assert r_low <= r <= r_high and fm_low <= (f + m + 1) // 2 <= fm_high, (r, f, m, segment)


@pytest.mark.parametrize("customers", [1, 4, 57])
def test_a_score_counts_the_members_who_are_strictly_worse(spark, customers):
    dice = random.Random(customers)
    orders, value = [], {}
    for m in range(customers):
        days = [dice.randrange(6) for _ in range(dice.randrange(1, 4))]
        spent = [dice.randrange(3) for _ in days]
        value[str(m)] = (-min(days), len(days), sum(spent))
        orders += [
            {
                "order_id": f"{m}-{n}",
                "customer_id": str(m),
                "order_date": AS_OF - timedelta(days=d),
                "net_amount": Decimal(s),
                "is_purchase": True,
            }
            for n, (d, s) in enumerate(zip(days, spent, strict=True))
        ]
    built = customer_rfm.build(make(spark, "customer_orders", orders), as_of=AS_OF)

    def score(customer: str, i: int) -> int:
        return 1 + 5 * sum(v[i] < value[customer][i] for v in value.values()) // customers

    assert rows_of(built, "customer_id", "recency_score", "frequency_score", "monetary_score") == sorted(
        ((m, score(m, 0), score(m, 1), score(m, 2)) for m in value), key=repr
    )
