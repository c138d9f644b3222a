"""Segments: planted groups found, names that stay put over reruns, row order, drift and new segments."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from jobs.models import segments
from jobs.models.base import NotEnoughError

PARAMS = segments.Params(candidates=(2, 3, 4, 5, 6), resamples=3)
KINDS = {  # orders, basket, discount, own label, fuel
    "frequent": (40, 20, 0.10, 0.10, 0.00),
    "big": (8, 150, 0.10, 0.10, 0.00),
    "discount": (8, 20, 0.45, 0.50, 0.00),
    "fuel": (8, 20, 0.10, 0.10, 0.60),
}


def customers(seed: int = 1, drift: float = 1.0, each: int = 60) -> tuple[pd.DataFrame, pd.Series]:
    """Four kinds of customers, and of which kind each is."""
    draw = np.random.default_rng(seed)
    rows = [
        (f"m{kind}{i}", *(np.array(middle) * drift * draw.lognormal(0, 0.15, 5)), kind)
        for kind, middle in KINDS.items()
        for i in range(each)
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", *segments.FEATURES, "kind"])
    frame[segments.SPEND] = frame["order_count_91d"] * frame["mean_order_amount_365d"]
    return frame.drop(columns="kind"), frame["kind"]


@pytest.fixture(scope="module")
def fitted():
    return segments.fit_customers(customers()[0], PARAMS)


def test_planted_groups_are_found(fitted):
    frame, kind = customers()
    assert fitted.params["k"] == len(KINDS)
    found = pd.crosstab(kind, fitted.model.predict(frame)["segment_id"])
    assert (found > 0).to_numpy().sum() == len(KINDS)  # each kind is one segment
    assert fitted.metrics["stability"] > 0.95
    assert fitted.metrics["silhouette"] > fitted.baselines["spend_tiers"]["silhouette"] + 0.2


def test_names_say_what_sets_a_segment_apart(fitted):
    frame, kind = customers()
    names = fitted.model.predict(frame)["segment_name"].groupby(kind).first()
    assert names["frequent"].startswith("frequent")
    assert names["big"].startswith("big baskets")
    assert names["fuel"].startswith("fuel")
    assert "discount-led" in names["discount"] and "own-label" in names["discount"]
    assert len(set(fitted.model.names)) == len(fitted.model.names)


def test_the_judges_were_not_fitted_on(fitted):
    assert segments.is_held_back(fitted.window["customer_id"]).all()
    assert 0.1 < len(fitted.window) / len(customers()[0]) < 0.3


def test_rows_in_any_order_make_the_same_model(fitted):
    again = segments.fit_customers(customers()[0].sample(frac=1, random_state=9), PARAMS)
    assert again.model.to_data() == fitted.model.to_data()


def test_ids_and_names_stay_from_run_to_run(fitted):
    frame, kind = customers(seed=2, drift=1.2)  # other draws, and all a fifth dearer
    fresh = segments.fit_customers(frame, PARAMS).model
    # The new fit numbers its segments as it likes; here in reverse.
    fresh = replace(fresh, centroids=fresh.centroids[::-1], names=fresh.names[::-1])
    now = segments.align(fresh, fitted.model).predict(frame)
    before = fitted.model.predict(customers()[0]).groupby(customers()[1]).first()
    after = now.groupby(kind).first()
    assert after[["segment_id", "segment_name"]].equals(before[["segment_id", "segment_name"]])


def test_a_new_kind_gets_a_new_id_and_a_name_of_its_own(fitted):
    old = fitted.model
    stranger = np.array([[4.0, 4.0, -4.0, -4.0, -4.0]])
    grown = replace(
        old, centroids=np.vstack([stranger, old.centroids]), ids=tuple(range(1, 6)), names=("x", *old.names)
    )
    aligned = segments.align(grown, old)
    assert aligned.ids == (5, *old.ids)
    assert aligned.names[1:] == old.names
    assert aligned.names[0] not in old.names


def test_a_segment_that_is_gone_takes_its_id_with_it(fitted):
    old = fitted.model
    fewer = replace(old, centroids=old.centroids[1:], ids=(1, 2, 3), names=("x", "y", "z"))
    aligned = segments.align(fewer, old)
    assert (aligned.ids, aligned.names) == (old.ids[1:], old.names[1:])


def test_names_are_unique_even_for_twins():
    names = segments.name_all(np.zeros((4, len(segments.FEATURES))))
    assert len(set(names)) == 4


def test_more_returns_than_sales_is_no_accident(fitted):
    frame = customers()[0].head(3).assign(mean_order_amount_365d=-5.0)
    assert fitted.model.predict(frame)["centroid_distance"].notna().all()


def test_data_and_back_is_the_same_model(fitted):
    back = segments.from_data(fitted.model.to_data())
    pd.testing.assert_frame_equal(back.predict(fitted.window), fitted.model.predict(fitted.window))


def test_a_model_of_other_features_is_refused(fitted):
    with pytest.raises(ValueError, match="other features"):
        segments.from_data(fitted.model.to_data() | {"features": ["shoe_size"]})


def test_spend_tiers_are_even():
    tiers = segments.spend_tiers(customers()[0], 4)
    assert tiers.value_counts().tolist() == [60, 60, 60, 60]


def test_only_the_day_asked_for_is_fitted(spark, fitted):
    frame = customers()[0].assign(as_of_date=date(2017, 6, 30))
    other = customers(seed=5, drift=3.0)[0].assign(as_of_date=date(2017, 7, 31))
    table = spark.createDataFrame(pd.concat([frame, other]))
    assert segments.fit(table, as_of=date(2017, 6, 30), params=PARAMS).model.to_data() == fitted.model.to_data()
    with pytest.raises(NotEnoughError, match="100 customers, there are 0 as of 2017-05-31"):
        segments.fit(table, as_of=date(2017, 5, 31), params=PARAMS)
