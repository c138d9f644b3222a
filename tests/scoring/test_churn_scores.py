"""Scores of the day asked for, equal to what the champion says directly, and signed by it."""

from datetime import date

import pandas as pd
import pytest

from jobs.kit.contracts import load
from jobs.models import churn
from jobs.models.base import Champion
from jobs.scoring import churn_scores
from tests.models.test_churn import cases

DAY = date(2017, 6, 30)


@pytest.fixture(scope="module")
def champion() -> Champion:
    booster = churn.train(cases(seed=1), cases(seed=2), churn.Params(max_rounds=30))
    booster.set_attr(horizon_days="28")
    return Champion("churn", 7, date(2017, 6, 26), booster)


def test_scores_equal_direct_prediction(spark, champion):
    customers = cases(seed=3, n=50).drop(columns="churned")
    table = spark.createDataFrame(
        pd.concat([customers.assign(as_of_date=DAY), customers.assign(as_of_date=date(2017, 5, 31), recency_days=59)])
    )
    built = churn_scores.build(table, champion, as_of=DAY)
    assert [(f.name, f.dataType.simpleString()) for f in built.schema] == [
        (c.name, c.type) for c in load("scoring.churn_scores").columns
    ]
    found = built.toPandas().sort_values("customer_id", ignore_index=True)
    wanted = churn.score(champion.model, customers).sort_values("customer_id", ignore_index=True)
    pd.testing.assert_frame_equal(found[wanted.columns], wanted, check_dtype=False)
    assert found[
        ["as_of_date", "horizon_days", "model_name", "model_version", "model_as_of"]
    ].drop_duplicates().values.tolist() == [[DAY, 28, "churn", 7, date(2017, 6, 26)]]
