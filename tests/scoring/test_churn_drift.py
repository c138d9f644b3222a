"""The customers of the day asked for against the champion's training, over the columns of the contract."""

import json
from datetime import date

import pandas as pd
import pytest

from jobs.kit.contracts import load
from jobs.models import churn, drift
from jobs.models.base import Champion
from jobs.scoring import churn_drift
from tests.models.test_churn import cases

DAY = date(2017, 6, 30)


@pytest.fixture(scope="module")
def champion() -> Champion:
    booster = churn.train(cases(seed=1), cases(seed=2), churn.Params(max_rounds=30))
    booster.set_attr(reference=json.dumps(drift.reference(churn.inputs_and_score(booster, cases(seed=1)))))
    return Champion("churn", 7, date(2017, 6, 26), booster)


def drifted(spark, champion, frame: pd.DataFrame) -> pd.DataFrame:
    built = churn_drift.build(spark.createDataFrame(frame), champion, as_of=DAY)
    assert [(f.name, f.dataType.simpleString()) for f in built.schema] == [
        (c.name, c.type) for c in load("scoring.churn_drift").columns
    ]
    return built.toPandas().set_index("feature")


def test_a_champion_is_asked_for_the_features_it_knows(spark, champion, monkeypatch):
    """Those that the code has are another version's."""
    today = cases(seed=3).drop(columns="churned").assign(as_of_date=DAY)
    monkeypatch.setattr(churn, "FEATURES", {name: churn.FEATURES[name] for name in list(churn.FEATURES)[:-1]})
    assert list(churn.FEATURES)[-1:] != list(champion.model.feature_names)[-1:]
    assert {*champion.model.feature_names, "churn_probability"} == set(drifted(spark, champion, today).index)


def test_one_feature_moved_and_the_score_with_it(spark, champion):
    today = cases(seed=3).drop(columns="churned").assign(as_of_date=DAY)
    today["recency_days"] += 30
    other_day = today.assign(as_of_date=date(2017, 5, 31), order_count_28d=99.0)
    found = drifted(spark, champion, pd.concat([today, other_day]))
    assert set(found.index) == {*churn.FEATURES, "churn_probability"}
    assert set(found.index[found["verdict"] != "stable"]) == {"recency_days", "churn_probability"}
    assert found.loc["recency_days", "mean_now"] == pytest.approx(today["recency_days"].mean())
    assert set(found["customer_count"]) == {len(today)}


def test_no_customers_and_a_champion_of_before_have_no_rows(spark, champion):
    today = cases(seed=3, n=20).drop(columns="churned").assign(as_of_date=DAY)
    assert drifted(spark, champion, today.assign(as_of_date=date(2017, 5, 31))).empty
    old = churn.train(cases(seed=1), cases(seed=2), churn.Params(max_rounds=3))
    assert drifted(spark, Champion("churn", 1, date(2017, 6, 1), old), today).empty
