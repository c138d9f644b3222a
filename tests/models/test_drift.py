"""Drift: nothing for the same population, something for another, and chance told apart from change."""

import json

import numpy as np
import pandas as pd
import pytest

from jobs.models import drift


def sample(n: int, seed: int, shift: float = 0.0, missing: float = 0.0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    values = pd.Series(draw.normal(shift, 1.0, n))
    return pd.DataFrame({"x": values.where(draw.random(n) >= missing)})


def compared(then: pd.DataFrame, now: pd.DataFrame) -> pd.Series:
    kept = json.loads(json.dumps(drift.reference(then)))  # as a model carries it
    (row,) = drift.compare(kept, now).to_dict("records")
    return row


def test_the_index_by_hand():
    # Two values, nine tenths and one tenth; then half and half. The only edge is 0; missing is no class where none is.
    then = pd.DataFrame({"x": [0.0] * 9 + [1.0]})
    row = compared(then, pd.DataFrame({"x": [0.0] * 5 + [1.0] * 5}))
    was, now = np.array([9.5, 1.5]) / 11, np.array([5.5, 5.5]) / 11
    assert row["psi"] == pytest.approx(sum((now - was) * np.log(now / was)))
    assert (row["mean_in_training"], row["mean_now"]) == (0.1, 0.5)
    assert (row["training_row_count"], row["customer_count"]) == (10, 10)


def test_the_same_rows_have_not_moved():
    assert compared(sample(500, 1), sample(500, 1))["psi"] == 0


def test_half_a_deviation_is_a_move():
    row = compared(sample(2000, 1), sample(2000, 2, shift=0.5))
    assert row["verdict"] == "moved" and 0.1 < row["psi"] < 0.3
    assert compared(sample(2000, 1), sample(2000, 2, shift=1.0))["verdict"] == "shifted"


def test_chance_reaches_its_bound_in_one_of_twenty_pairs_and_is_called_stable():
    rows = [compared(sample(150, 2 * seed), sample(60, 2 * seed + 1)) for seed in range(400)]
    above = np.mean([r["psi"] > r["psi_by_chance"] for r in rows])
    assert 0.02 < above < 0.09
    # Custom alone would send somebody to look at most of these.
    assert np.mean([r["psi"] > drift.MOVED for r in rows]) > 0.5
    assert np.mean([r["verdict"] == "stable" for r in rows]) == pytest.approx(1 - above)


def test_values_that_went_missing_count():
    row = compared(sample(1000, 1), sample(1000, 2, missing=0.4))
    assert row["verdict"] == "shifted"
    assert row["missing_share_in_training"] == 0 and row["missing_share_now"] == pytest.approx(0.4, abs=0.05)


def test_a_value_that_all_share_and_one_that_nobody_has():
    then = pd.DataFrame({"same": [3.0] * 50, "none": [np.nan] * 50})
    told = drift.compare(drift.reference(then), then).set_index("feature")
    assert list(told["psi"]) == [0, 0] and list(told["verdict"]) == ["stable", "stable"]
    assert told.loc["none", "mean_now"] is None or np.isnan(told.loc["none", "mean_now"])


def test_nobody_now_is_no_row():
    assert drift.compare(drift.reference(sample(10, 1)), sample(0, 1)).empty


@pytest.mark.parametrize(
    ("psi", "by_chance", "said"),
    [
        (0.05, 0.01, "stable"),
        (0.1, 0.05, "moved"),
        (0.3, 0.05, "shifted"),
        (0.3, 0.3, "stable"),
        (0.25, 0.2, "shifted"),
    ],
)
def test_verdicts(psi, by_chance, said):
    assert drift.verdict(psi, by_chance) == said
