"""Value classes and tiers; margins, windows and unknown costs by example: tests/golden/customer_value."""

import itertools

from jobs import parameters
from jobs.gold import customer_value
from tests.frames import rows_of


def test_every_combination_of_scores_is_in_one_class_and_more_is_never_worse(spark):
    scores = list(itertools.product(range(1, 6), repeat=3))
    frame = spark.createDataFrame(scores, "recency_score int, frequency_score int, contribution_score int")
    named = rows_of(frame.withColumn("value_class", customer_value.name_class()), *frame.columns, "value_class")
    found = {row[:3]: row[3] for row in named}
    assert set(found.values()) == {"high-value", "at-risk", "potential", "general"}
    for (r, f, c), name in found.items():
        assert (name in ("high-value", "at-risk")) == (c >= parameters.HIGH_CONTRIBUTION_SCORE)
        if name == "high-value" and r < 5:
            assert found[r + 1, f, c] == "high-value"
        if name == "potential":
            assert found[r, max(f, 5), c] == "potential"


def test_tiers_at_their_borders(spark):
    cases = [
        ("silent", parameters.SILENT_DAYS, 9999, 1),
        ("top", parameters.SILENT_DAYS - 1, parameters.TOP_SPENDER_AMOUNT + 1, 1),
        ("regular", 0, parameters.TOP_SPENDER_AMOUNT, 2),
        ("newcomer", parameters.NEWCOMER_DAYS - 1, 0, 1),
        ("regular", parameters.NEWCOMER_DAYS, 0, 1),
        ("regular", 0, 0, 2),
    ]
    columns = "wanted string, recency_days int, net_amount_365d int, lifetime_order_count int"
    frame = spark.createDataFrame(cases, columns)
    found = frame.withColumn("tier", customer_value.name_tier())
    assert [(row["wanted"], row["tier"]) for row in found.collect() if row["wanted"] != row["tier"]] == []
