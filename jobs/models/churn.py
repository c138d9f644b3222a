"""Which customers will not come back soon: gradient-boosted trees on features as of several past days.

**Label.** A customer has churned at a cutoff if no order follows within the H days after it. H comes from the data: the
time within which nine customers in ten come back on average (the 90th percentile, over customers, of the mean gap
between visit days), in whole weeks, between 2 and 8.

**Time.** With label windows of H days, the last cutoff whose label is known is `as_of` - H. It is the test; the one H
days earlier stops the training early; the ones before train. So every label that training sees ends before the test
begins, and features at a cutoff are `gold.customer_features.build` as of that day: they cannot know what came later.
The model is not fitted again on the test: what was measured is what is registered.

Features that grow with the age of the lake (orders in 365 days of a lake half a year old) are left out: at early
cutoffs they mean something else than on the day of scoring. What customers buy is left out as well: mean PR-AUC over
five months of the demo data was 0.634 with the departments' shares and without, and without them Spark never reads the
order lines.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from jobs.gold import customer_features
from jobs.models import drift
from jobs.models.base import Fitted, NotEnoughError

REQUIRES = ("xgboost-cpu", "numpy", "pandas")

# Each feature with the words that a reason is told in.
FEATURES: Mapping[str, str] = {
    "recency_days": "{:.0f} days since the last order",
    "recency_in_gaps": "silent for {:.1f} usual gaps",
    "mean_gap_days": "visits {:.1f} days apart on average",
    "sd_gap_days": "gaps between visits vary by {:.1f} days",
    "order_count_28d": "{:.0f} orders in 28 days",
    "order_count_prior_28d": "{:.0f} orders in the 28 days before those",
    "order_count_91d": "{:.0f} orders in 91 days",
    "net_amount_28d": "{:.2f} spent in 28 days",
    "net_amount_91d": "{:.2f} spent in 91 days",
    "mean_order_amount_365d": "{:.2f} per order",
    "mean_order_line_count_365d": "{:.1f} lines per order",
    "weekend_order_share_365d": "{:.0%} of orders at weekends",
    "discount_share_365d": "{:.0%} of the list price saved",
    "coupon_share_365d": "{:.1%} of the list price paid by coupons",
}
# What a retailer knows before any data: longer silence never lowers the risk, more visits and spend never raise it.
MONOTONE: Mapping[str, int] = {
    "recency_days": 1,
    "recency_in_gaps": 1,
    "order_count_28d": -1,
    "order_count_prior_28d": -1,
    "order_count_91d": -1,
    "net_amount_28d": -1,
    "net_amount_91d": -1,
}
REASONS = 3


@dataclass(frozen=True)
class Params:
    """What may be set in churn.yaml."""

    horizon_quantile: float = 0.9
    min_horizon_days: int = 14
    max_horizon_days: int = 56
    min_history_days: int = 56  # before the first cutoff, so that its features mean something
    max_cutoffs: int = 3  # of training; twice as many were no better on five months of the demo data
    min_cases: int = 10  # churned, and not churned, in each of training, validation and test
    learning_rate: float = 0.05
    max_depth: int = 2
    min_child_weight: float = 5.0
    max_rounds: int = 600
    stop_after: int = 40  # rounds without a better log loss on the validation cutoff
    seed: int = 7


def fit(
    customer_orders: DataFrame, order_lines: DataFrame, products: DataFrame, *, as_of: date, params: Params = Params()
) -> Fitted:
    """Train on past cutoffs, stop by the one after them, test on the last whose label is known."""
    visits = (
        customer_orders.where((F.col("order_date") <= F.lit(as_of)) & F.col("is_purchase"))
        .select("customer_id", "order_date")
        .distinct()
        .toPandas()
    )
    if visits.empty:
        raise NotEnoughError(f"churn: no orders of customers up to {as_of}")
    days = horizon_days(visits, params)
    cutoffs = choose_cutoffs(visits["order_date"].min(), as_of, days, params)
    features = features_at(cutoffs, customer_orders, order_lines, products).toPandas()
    cases = with_labels(features, visits, days)
    parts = {cutoff: part for cutoff, part in cases.groupby("as_of_date")}
    *early, validation, test = (parts.get(cutoff, cases.iloc[:0]) for cutoff in cutoffs)
    training = pd.concat(early)
    for what, part in (("training", training), ("validation", validation), ("test", test)):
        churned = int(part["churned"].sum())
        if min(churned, len(part) - churned) < params.min_cases:
            raise NotEnoughError(
                f"churn wants {params.min_cases} customers who churned and as many who did not for {what}; "
                f"there are {churned} and {len(part) - churned} (horizon {days} days, as of {as_of})"
            )
    model = train(training, validation, params)
    # Of cases that the trees were fitted to they are too sure: what they say in general is seen on others.
    said = inputs_and_score(model, validation)[["churn_probability"]]
    reference = drift.reference(inputs(training)) | drift.reference(said)
    model.set_attr(horizon_days=str(days), reference=json.dumps(reference))
    baselines = {
        "recency_only": measures(test["churned"], recency_only(training).predict_proba(inputs(test))[:, 1]),
        "logistic_regression": measures(test["churned"], logistic(training).predict_proba(inputs(test))[:, 1]),
    }
    return Fitted(
        model=model,
        window=test,
        metrics=evaluate(model, test),
        baselines=baselines,
        params={
            **asdict(params),
            "horizon_days": days,
            "rounds": model.best_iteration + 1,
            "training_cutoffs": ", ".join(map(str, cutoffs[:-2])),
            "validation_cutoff": str(cutoffs[-2]),
            "test_cutoff": str(cutoffs[-1]),
            "training_rows": len(training),
        },
        example=inputs(test).head(5),
        tables={"calibration": calibration(test["churned"], probability(model, test))},
    )


def evaluate(model: xgb.Booster, window: pd.DataFrame) -> dict[str, float]:
    """The measures of a model on features with known labels."""
    return measures(window["churned"], probability(model, window))


def horizon_days(visits: pd.DataFrame, params: Params) -> int:
    """H: the time within which `horizon_quantile` of the customers come back on average, in whole weeks."""
    ordered = visits.drop_duplicates().sort_values(["customer_id", "order_date"])
    day: Any = pd.to_datetime(ordered["order_date"])
    gaps = day.groupby(ordered["customer_id"]).diff().dt.days
    means = gaps.groupby(ordered["customer_id"]).mean().dropna()
    if means.empty:
        raise NotEnoughError("churn: no customer has come twice yet, so how soon they come back is not known")
    weeks = int(np.floor(means.quantile(params.horizon_quantile) / 7 + 0.5))
    return int(np.clip(7 * weeks, params.min_horizon_days, params.max_horizon_days))


def choose_cutoffs(first: date, as_of: date, days: int, params: Params) -> list[date]:
    """Days on which to pretend to stand, H apart, the last H before `as_of`: training ones, validation, test."""
    earliest = first + timedelta(days=params.min_history_days)
    cutoffs = [as_of - timedelta(days=days * i) for i in range(1, params.max_cutoffs + 3)]
    cutoffs = sorted(c for c in cutoffs if c >= earliest)
    if len(cutoffs) < 3:
        wanted = first + timedelta(days=params.min_history_days + 3 * days)
        raise NotEnoughError(f"churn with a horizon of {days} days needs orders up to {wanted}; it is {as_of}")
    return cutoffs


def features_at(
    cutoffs: list[date], customer_orders: DataFrame, order_lines: DataFrame, products: DataFrame
) -> DataFrame:
    """`customer_features` of several days by one build: as good as one build a day (a test holds that), far cheaper.

    Each customer's past is told once per cutoff, under a name of its own, and moved so that all cutoffs fall on one
    day. Cutoffs are whole weeks apart, so that a Saturday stays a Saturday.
    """
    day = max(cutoffs)
    if any((day - cutoff).days % 7 for cutoff in cutoffs):
        raise ValueError("cutoffs must be whole weeks apart")
    cutoff = F.col("_cutoff")

    retold = (
        customer_orders.withColumn("_cutoff", F.explode(F.array(*map(F.lit, cutoffs))))
        .where(F.col("order_date") <= cutoff)
        .withColumn("order_date", F.date_add("order_date", F.datediff(F.lit(day), cutoff)))
        .withColumn("customer_id", F.concat_ws("@", cutoff, "customer_id"))
        .drop("_cutoff")
    )
    built = customer_features.build(retold, order_lines, products, as_of=day)
    return built.select(
        F.to_date(F.substring("customer_id", 1, 10)).alias("as_of_date"),
        F.substring("customer_id", 12, 1_000).alias("customer_id"),
        *FEATURES,
    )


def with_labels(features: pd.DataFrame, visits: pd.DataFrame, days: int) -> pd.DataFrame:
    """`churned`: 1 if the customer has no visit in the `days` days after `as_of_date`, that day not among them."""
    pairs = features[["as_of_date", "customer_id"]].merge(visits, on="customer_id")
    ahead = (pd.to_datetime(pairs["order_date"]) - pd.to_datetime(pairs["as_of_date"])).dt.days
    back = pairs.loc[(ahead > 0) & (ahead <= days), ["as_of_date", "customer_id"]].drop_duplicates().assign(churned=0)
    labelled = features.merge(back, on=["as_of_date", "customer_id"], how="left", validate="one_to_one")
    labelled["churned"] = labelled["churned"].fillna(1).astype(int)
    # Spark returns rows in any order; training must not depend on it.
    return labelled.sort_values(["as_of_date", "customer_id"]).reset_index(drop=True)


def inputs(frame: pd.DataFrame) -> pd.DataFrame:
    """The features as the models take them: floats, empty where not known."""
    return frame[list(FEATURES)].astype(float)


def train(training: pd.DataFrame, validation: pd.DataFrame, params: Params) -> xgb.Booster:
    """The same trees on any machine: one thread, one seed."""
    booster: xgb.Booster = xgb.train(
        {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "learning_rate": params.learning_rate,
            "max_depth": params.max_depth,
            "min_child_weight": params.min_child_weight,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "monotone_constraints": MONOTONE,
            "seed": params.seed,
            "nthread": 1,
        },
        xgb.DMatrix(inputs(training), label=training["churned"]),
        num_boost_round=params.max_rounds,
        evals=[(xgb.DMatrix(inputs(validation), label=validation["churned"]), "validation")],
        early_stopping_rounds=params.stop_after,
        verbose_eval=False,
    )
    best = booster.best_iteration
    booster = booster[: best + 1]  # what is kept is what is used
    booster.set_attr(best_iteration=str(best))
    return booster


def probability(model: xgb.Booster, frame: pd.DataFrame) -> np.ndarray:
    """The model's probability that each customer churns. ValueError if it was trained on other features."""
    names = list(model.feature_names or [])
    if missing := set(names) - set(frame.columns):
        raise ValueError(f"the model wants features that are no more: {', '.join(sorted(missing))}")
    return np.asarray(model.predict(xgb.DMatrix(frame[names].astype(float))), dtype=float)


def inputs_and_score(model: xgb.Booster, frame: pd.DataFrame) -> pd.DataFrame:
    """What the model was trained on, of these cases, and what it says of them (`churn_probability`), as floats."""
    said = probability(model, frame)
    return frame[list(model.feature_names or [])].astype(float).assign(churn_probability=said)


def score(model: xgb.Booster, features: pd.DataFrame) -> pd.DataFrame:
    """Per customer: probability, decile (1 is the tenth most at risk) and the three features that speak loudest."""
    chance = probability(model, features)
    ranked = features[["customer_id"]].assign(chance=-chance).sort_values(["chance", "customer_id"])
    decile = pd.Series(np.arange(len(ranked)) * 10 // max(len(ranked), 1) + 1, index=ranked.index)
    return pd.DataFrame(
        {
            "customer_id": features["customer_id"],
            "churn_probability": chance,
            "decile": decile.reindex(features.index).astype(int),
            **{f"reason_{i + 1}": texts for i, texts in enumerate(reasons(model, features))},
        }
    )


def reasons(model: xgb.Booster, features: pd.DataFrame) -> list[list[str | None]]:
    """The first, second and third reasons of all customers: SHAP values, largest first, told in words.

    SHAP values are xgboost's own (`pred_contribs`): how far a feature moves this customer's log-odds from the average.
    """
    names = list(model.feature_names or [])
    data = features[names].astype(float)
    values = data.to_numpy()
    shap = model.predict(xgb.DMatrix(data), pred_contribs=True)[:, :-1]
    order = np.argsort(-np.abs(shap), axis=1, kind="stable")[:, :REASONS]

    def told(row: int, column: int) -> str | None:
        if shap[row, column] == 0:
            return None
        value = float(values[row, column])
        words = FEATURES.get(names[column], names[column].replace("_", " ") + " {:g}")
        text = words.format(value) if not np.isnan(value) else f"{names[column].replace('_', ' ')} not known"
        return f"{text}: {'raises' if shap[row, column] > 0 else 'lowers'} the risk"

    return [[told(row, order[row, i]) for row in range(len(data))] for i in range(min(REASONS, len(names)))]


def recency_only(training: pd.DataFrame) -> Pipeline:
    """The naive baseline: the longer silent, the likelier gone; nothing else is known."""
    only = FunctionTransformer(lambda x: np.log1p(x[["recency_days"]]))
    return make_pipeline(only, LogisticRegression()).fit(inputs(training), training["churned"])


def logistic(training: pd.DataFrame) -> Pipeline:
    """A second baseline: the same features in a straight line."""
    steps = SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)
    return make_pipeline(*steps).fit(inputs(training), training["churned"])


def measures(churned: pd.Series, chance: np.ndarray) -> dict[str, float]:
    """Ranking (PR-AUC, AUC, the tenth most at risk) and honesty (Brier score, calibration error).

    `top_decile_lift` is the churn rate of the tenth most at risk over the mean rate. Where most churn it cannot be
    large, so `top_decile_gain` says what part of the possible it is: 0 is none of it, 1 is all.
    """
    table = calibration(churned, chance)
    top = np.argsort(-chance, kind="stable")[: max(1, len(chance) // 10)]
    rate, hit = float(np.mean(churned)), float(np.asarray(churned)[top].mean())
    possible = min(1.0, float(np.sum(churned)) / len(top))
    return {
        "pr_auc": float(average_precision_score(churned, chance)),
        "auc": float(roc_auc_score(churned, chance)),
        "brier": float(brier_score_loss(churned, chance)),
        "ece": float((table["share"] * (table["predicted"] - table["observed"]).abs()).sum()),
        "top_decile_lift": hit / rate,
        "top_decile_gain": (hit - rate) / (possible - rate) if possible > rate else 0.0,
        "churn_rate": rate,
        "customers": float(len(churned)),
    }


def calibration(churned: pd.Series, chance: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """What was predicted beside what happened, in bins of equal counts from the least to the most at risk."""
    place = np.argsort(np.argsort(chance, kind="stable"), kind="stable") * bins // max(len(chance), 1)
    cases: Any = pd.DataFrame({"bin": place + 1, "predicted": chance, "observed": np.asarray(churned)}).groupby("bin")
    table = cases.agg(customers=("observed", "size"), predicted=("predicted", "mean"), observed=("observed", "mean"))
    return table.assign(share=table["customers"] / len(chance)).reset_index()
