"""Churn: the label lies strictly after the features, cutoffs do not overlap, measures by hand, reasons add up."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from jobs.gold import customer_features
from jobs.models import churn
from jobs.models.base import NotEnoughError
from tests.frames import make

PARAMS = churn.Params()
DAY = date(2017, 6, 30)


def visits(**days: list[int]) -> pd.DataFrame:
    """Visits of customers, as days after 2017-01-01."""
    rows = [(m, date(2017, 1, 1) + timedelta(days=d)) for m, ds in days.items() for d in ds]
    return pd.DataFrame(rows, columns=["customer_id", "order_date"])


def cases(n: int = 600, seed: int = 1) -> pd.DataFrame:
    """Customers whose risk is planted: it grows with silence, and with nothing else."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({name: draw.gamma(2.0, 1.0, n) for name in churn.FEATURES})
    frame["recency_days"] = draw.integers(0, 60, n)
    frame["sd_gap_days"] = frame["sd_gap_days"].where(draw.random(n) < 0.8)  # not known of one in five
    frame["churned"] = (draw.random(n) < 1 / (1 + np.exp(-(frame["recency_days"] - 40) / 5))).astype(int)
    return frame.assign(customer_id=[f"m{i:04}" for i in range(n)])


@pytest.fixture(scope="module")
def model() -> xgb.Booster:
    return churn.train(cases(seed=1), cases(seed=2), PARAMS)


# ---- the label and time ----


def test_horizon_is_when_nine_in_ten_are_back_in_whole_weeks():
    # Mean gaps of 7, 14, 21, 28 and 35 days: the 90th percentile is 32.2 days, 4.6 weeks.
    frame = visits(a=[0, 7], b=[0, 14, 28], c=[0, 20, 42], d=[0, 28], e=[0, 35], once=[3])
    assert churn.horizon_days(frame, PARAMS) == 35


@pytest.mark.parametrize(("gap", "days"), [(1, 14), (200, 56)])
def test_horizon_is_between_two_weeks_and_eight(gap, days):
    assert churn.horizon_days(visits(a=[0, gap]), PARAMS) == days


def test_two_orders_of_one_day_are_one_visit():
    assert churn.horizon_days(visits(a=[0, 0, 28, 28]), PARAMS) == 28


def test_nobody_came_twice():
    with pytest.raises(NotEnoughError, match="no customer has come twice"):
        churn.horizon_days(visits(a=[0], b=[5]), PARAMS)


def test_the_label_is_strictly_after_the_cutoff_and_ends_with_the_horizon():
    day = date(2017, 1, 31)
    frame = visits(same_day=[30], next_day=[1, 31], last_day=[2, 58], too_late=[3, 59])
    customers = pd.DataFrame({"as_of_date": day, "customer_id": ["same_day", "next_day", "last_day", "too_late"]})
    labels = churn.with_labels(customers, frame, days=28).set_index("customer_id")["churned"]
    assert labels.to_dict() == {"same_day": 1, "next_day": 0, "last_day": 0, "too_late": 1}


def test_label_windows_do_not_overlap_and_end_by_as_of():
    cutoffs = churn.choose_cutoffs(date(2017, 1, 1), DAY, 28, PARAMS)
    ends = [c + timedelta(days=28) for c in cutoffs]
    assert ends[-1] == DAY
    assert all(end <= start for end, start in zip(ends, cutoffs[1:], strict=False))
    assert cutoffs[0] >= date(2017, 1, 1) + timedelta(days=PARAMS.min_history_days)
    assert len(churn.choose_cutoffs(date(2015, 1, 1), DAY, 28, PARAMS)) == PARAMS.max_cutoffs + 2


def test_too_short_a_past_says_when_it_will_do():
    with pytest.raises(NotEnoughError, match="needs orders up to 2017-05-21; it is 2017-05-20"):
        churn.choose_cutoffs(date(2017, 1, 1), date(2017, 5, 20), 28, PARAMS)
    assert len(churn.choose_cutoffs(date(2017, 1, 1), date(2017, 5, 21), 28, PARAMS)) == 3


# ---- features of several days by one build ----


def lake(spark, later: bool):
    """Two customers over half a year, and lines of orders that are nobody's; with `later`, orders after the last
    cutoff too."""
    draw, orders, lines = np.random.default_rng(3), [], []
    for customer in ("m1", "m2", None):
        for i, day in enumerate(sorted(draw.choice(200 if later else 150, 30, replace=False))):
            at = {
                "order_id": f"{customer}-{i}{' later' * later}",
                "order_date": date(2017, 1, 1) + timedelta(days=int(day)),
            }
            if customer:
                orders.append({
                    **at, "customer_id": customer, "is_purchase": True, "store_id": f"s{i % 2}", "line_count": 2,
                    "net_amount": "3.00", "list_amount": "4.00", "paid_amount": "2.50",
                    "coupon_discount_amount": "0.50",
                })  # fmt: skip
            lines += [{**at, "line_number": n, "product_id": f"p{(i + n) % 3}", "net_amount": "1.50"} for n in (1, 2)]
    products = [
        {"product_id": f"p{n}", "department": d, "category": f"c{n}", "brand": b}
        for n, (d, b) in enumerate([("GROCERY", "National"), ("PRODUCE", "Private")])
    ]  # p2 is not in the master
    return make(spark, "customer_orders", orders), make(spark, "order_lines", lines), make(spark, "products", products)


def test_one_build_of_many_days_equals_one_build_a_day(spark):
    cutoffs = [date(2017, 5, 26), date(2017, 4, 28)]
    wanted = pd.concat([customer_features.build(*lake(spark, later=False), as_of=c).toPandas() for c in cutoffs])
    for later in (False, True):  # and what comes after a cutoff changes nothing
        tables = lake(spark, later)
        if later:
            orders, lines, products = tables
            short = lake(spark, later=False)
            tables = (orders.where("order_date > '2017-05-26'").unionByName(short[0]),
                      lines.where("order_date > '2017-05-26'").unionByName(short[1]), products)  # fmt: skip
        found = churn.features_at(cutoffs, *tables).toPandas()
        by = ["as_of_date", "customer_id"]
        pd.testing.assert_frame_equal(
            found.sort_values(by, ignore_index=True),
            wanted[found.columns].sort_values(by, ignore_index=True),
            check_exact=True,
        )


def test_cutoffs_keep_their_weekday():
    with pytest.raises(ValueError, match="whole weeks apart"):
        churn.features_at([date(2017, 5, 26), date(2017, 5, 24)], None, None, None)  # type: ignore[arg-type]


# ---- measures, scores and reasons ----


def test_measures_against_hand_values():
    churned = pd.Series([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    chance = np.array([0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    found = churn.measures(churned, chance)
    assert found["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)  # precision at each churned customer, ranked
    assert found["auc"] == pytest.approx(15 / 16)  # of 2 × 8 pairs one is the wrong way round
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.09 + 7 * 0.01) / 10)
    assert found["ece"] == pytest.approx((0.1 + 0.8 + 0.3 + 7 * 0.1) / 10)  # ten bins of one
    assert found["top_decile_lift"] == pytest.approx(1 / 0.2)
    assert found["top_decile_gain"] == 1.0


@pytest.mark.parametrize(("in_top", "gain"), [(4, 1.0), (3, (0.75 - 0.7) / 0.3), (2, (0.5 - 0.7) / 0.3)])
def test_the_gain_of_the_tenth_most_at_risk_knows_how_many_churn_anyway(in_top, gain):
    """28 of 40 churn: a lift of 1.5 is out of reach of any model, a gain of 1 is not."""
    top = [1] * in_top + [0] * (4 - in_top)
    rest = [1] * (28 - in_top) + [0] * (8 + in_top)
    found = churn.measures(pd.Series(top + rest), np.linspace(1, 0, 40))
    assert found["top_decile_gain"] == pytest.approx(gain)


def test_calibration_bins_are_even_and_rising():
    frame = cases()
    table = churn.calibration(frame["churned"], np.linspace(0, 1, len(frame)))
    assert table["customers"].tolist() == [60] * 10
    assert table["predicted"].is_monotonic_increasing


def test_planted_risk_is_learned_and_named_as_the_reason(model):
    test = cases(seed=3)
    assert churn.evaluate(model, test)["auc"] > 0.9
    scores = churn.score(model, test)
    silent = scores[test["recency_days"] > 55]
    assert silent["reason_1"].str.contains("days since the last order: raises the risk").all()
    assert scores.loc[test["recency_days"] < 5, "reason_1"].str.contains("lowers the risk").all()


def test_scores_are_the_models_own_and_deciles_rank_them(model):
    test = cases(seed=3, n=101)
    scores = churn.score(model, test)
    direct = model.predict(xgb.DMatrix(test[list(churn.FEATURES)].astype(float)))
    assert scores["churn_probability"].tolist() == direct.astype(float).tolist()
    assert scores["decile"].value_counts().between(10, 11).all()
    assert scores.groupby("decile")["churn_probability"].mean().is_monotonic_decreasing
    shuffled = churn.score(model, test.sample(frac=1, random_state=4))
    pd.testing.assert_frame_equal(shuffled.sort_index(), scores)


def test_reasons_are_the_largest_of_what_adds_up_to_the_score(model):
    row = cases(seed=3).head(1)
    shap = model.predict(xgb.DMatrix(row[list(churn.FEATURES)].astype(float)), pred_contribs=True)[0]
    chance = churn.probability(model, row)[0]
    assert shap.sum() == pytest.approx(np.log(chance / (1 - chance)), abs=1e-4)
    top = list(churn.FEATURES)[int(np.abs(shap[:-1]).argmax())]
    assert churn.reasons(model, row)[0][0].startswith(churn.FEATURES[top].format(row[top].iloc[0]))


def test_what_is_not_known_is_told_so(model):
    nobody = cases().head(1).assign(**dict.fromkeys(churn.FEATURES, np.nan))
    assert "not known" in churn.reasons(model, nobody)[0][0]


def test_training_twice_is_the_same_model(model):
    again = churn.train(cases(seed=1), cases(seed=2), PARAMS)
    assert again.get_dump(with_stats=True) == model.get_dump(with_stats=True)


def test_longer_silence_never_lowers_the_risk(model):
    row = cases().head(1)
    rows = pd.concat([row.assign(recency_days=d) for d in range(100)])
    assert (np.diff(churn.probability(model, rows)) >= 0).all()


def test_a_model_of_other_features_is_refused(model):
    with pytest.raises(ValueError, match="recency_days"):
        churn.probability(model, cases().drop(columns="recency_days"))


def test_baselines_know_what_they_may(model):
    training, test = cases(seed=1), cases(seed=3)
    blind = test.assign(**{f: 0.0 for f in churn.FEATURES if f != "recency_days"})
    naive = churn.recency_only(training)
    assert naive.predict_proba(churn.inputs(test)).tolist() == naive.predict_proba(churn.inputs(blind)).tolist()
    assert churn.logistic(training).predict_proba(churn.inputs(test)).shape == (len(test), 2)  # gaps and all
