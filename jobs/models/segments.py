"""What kinds of customers there are: K-means on standardised, log-scaled features of gold.customer_features.

**How many.** Each candidate k is fitted on the customers themselves and on bootstrap resamples of them. Stability is
the mean adjusted Rand index between the two partitions; of the candidates that are stable enough, the one with the best
silhouette is taken (if none is, the most stable).

**Names** are made from the centroid: the features in which a segment differs most from the average customer, in words.

**The same from run to run.** `align` pairs new centroids with those of the present champion (Hungarian assignment on
their distance) and hands on its ids and names; only a segment unlike all former ones gets a new id.

One customer in five is held back: fitted models and the champion are judged on them. scikit-learn on a collected frame,
because customers are thousands to a few millions and ten numbers each; a Spark job per Lloyd iteration would cost more
than the whole fit.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from jobs.models.base import Fitted, NotEnoughError

REQUIRES = ("numpy", "pandas", "scipy", "scikit-learn")

# Each feature with the word for much of it and the word for little. Few and independent ones: with eight, no number of
# segments was stable (adjusted Rand below 0.6) on the demo data. How long ago a customer came is churn's affair.
# Counts and amounts are told apart by ratio, so that all are taken as logarithms; shares as log(1 + 10 x), which
# spreads the small ones.
FEATURES: Mapping[str, tuple[str, str]] = {
    "order_count_91d": ("frequent", "rare"),
    "mean_order_amount_365d": ("big baskets", "small baskets"),
    "discount_share_365d": ("discount-led", "full price"),
    "private_label_share_365d": ("own-label", "brand-led"),
    "fuel_share_365d": ("fuel", "no fuel"),
}
SPEND = "net_amount_91d"  # the naive baseline cuts customers by it alone
SHARES = [name for name in FEATURES if "_share_" in name]


@dataclass(frozen=True)
class Params:
    """What may be set in segments.yaml."""

    candidates: tuple[int, ...] = (4, 5, 6, 7, 8, 9, 10)
    resamples: int = 8
    min_stability: float = 0.6
    min_customers: int = 100
    sample: int = 10_000  # customers that k is chosen on, and silhouettes are measured on
    seed: int = 7


@dataclass(frozen=True)
class Segments:
    """The model: how to scale, the centroids (in scaled units), and each one's id and name."""

    mean: np.ndarray
    scale: np.ndarray
    centroids: np.ndarray
    ids: tuple[int, ...]
    names: tuple[str, ...]

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Segment of each customer, and how far from its centroid the customer is."""
        distances = cdist((logged(frame) - self.mean) / self.scale, self.centroids)
        nearest = distances.argmin(axis=1)
        return pd.DataFrame(
            {
                "segment_id": np.array(self.ids)[nearest],
                "segment_name": np.array(self.names, dtype=object)[nearest],
                "centroid_distance": distances.min(axis=1),
            },
            index=frame.index,
        )

    def to_data(self) -> dict[str, Any]:
        """All of it as what JSON can hold; `from_data` brings it back."""
        return {
            "features": list(FEATURES),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "segments": [
                {"id": i, "name": name, "centroid": centroid.tolist()}
                for i, name, centroid in zip(self.ids, self.names, self.centroids, strict=True)
            ],
        }


def from_data(said: dict[str, Any]) -> Segments:
    """The model of `Segments.to_data`. ValueError if it was fitted on other features than today's."""
    if said["features"] != list(FEATURES):
        raise ValueError(f"the model was fitted on other features: {', '.join(said['features'])}")
    segments = said["segments"]
    return Segments(
        np.array(said["mean"]),
        np.array(said["scale"]),
        np.array([s["centroid"] for s in segments]),
        tuple(s["id"] for s in segments),
        tuple(s["name"] for s in segments),
    )


def fit(customer_features: DataFrame, *, as_of: date, params: Params = Params()) -> Fitted:
    """Segment four customers in five as they were on `as_of`; the fifth is held back to be judged on."""
    customers = (
        customer_features.where(F.col("as_of_date") == F.lit(as_of))
        .select("customer_id", *FEATURES, F.col(SPEND).cast("double").alias(SPEND))
        .toPandas()
    )
    if len(customers) < params.min_customers:
        raise NotEnoughError(
            f"segments wants {params.min_customers} customers, there are {len(customers)} as of {as_of}"
        )
    return fit_customers(customers, params)


def fit_customers(customers: pd.DataFrame, params: Params) -> Fitted:
    """The same on a collected frame, in whatever order its rows are."""
    customers = customers.sort_values("customer_id", ignore_index=True)
    held_back = is_held_back(customers["customer_id"])
    training, window = customers[~held_back], customers[held_back].reset_index(drop=True)
    model, chosen = choose(training, params)
    scores = evaluate(model, window)
    return Fitted(
        model=model,
        window=window,
        metrics=scores | {"stability": float(chosen["stability"][len(model.ids)])},
        baselines={"spend_tiers": {"silhouette": silhouette(window, spend_tiers(window, len(model.ids)))}},
        params={**asdict(params), "candidates": ", ".join(map(str, params.candidates)), "k": len(model.ids)},
        example=window[list(FEATURES)].head(5).astype(float),
        tables={"choice_of_k": chosen.reset_index(), "centroids": centroid_table(model)},
    )


def evaluate(model: Segments, window: pd.DataFrame) -> dict[str, float]:
    """How well the segments part customers whom no fit has seen (silhouette), and how even they are."""
    found = model.predict(window)["segment_id"]
    shares = found.value_counts(normalize=True)
    return {
        "silhouette": silhouette(window, found),
        "segments": float(len(model.ids)),
        "largest_share": float(shares.max()),
        "customers": float(len(window)),
    }


def is_held_back(customer_ids: pd.Series) -> pd.Series:
    """One customer in five, by a hash of the id: the same ones in every run."""
    return pd.util.hash_pandas_object(customer_ids, index=False) % 5 == 0


def logged(frame: pd.DataFrame) -> np.ndarray:
    """Features on a scale where equal steps are equal ratios; a negative value (returns above sales) counts as 0."""
    values = frame[list(FEATURES)].astype(float).clip(lower=0)
    values[SHARES] *= 10
    return np.log1p(values.to_numpy())


def choose(training: pd.DataFrame, params: Params) -> tuple[Segments, pd.DataFrame]:
    """The segments of the best k, with a table of what each candidate showed."""
    values = logged(training)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    points = (values - mean) / scale
    draw = np.random.default_rng(params.seed)
    sample = points if len(points) <= params.sample else points[draw.choice(len(points), params.sample, replace=False)]
    rows = {}
    for k in params.candidates:
        whole = kmeans(sample, k, params).labels_
        resampled = [
            kmeans(sample[draw.integers(0, len(sample), len(sample))], k, params).predict(sample)
            for _ in range(params.resamples)
        ]
        stability = float(np.mean([adjusted_rand_score(whole, other) for other in resampled]))
        rows[k] = {"silhouette": float(silhouette_score(sample, whole)), "stability": stability}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")
    stable = table[table["stability"] >= params.min_stability]
    best = stable["silhouette"] if len(stable) else table["stability"]
    k = int(best.index.to_numpy()[best.argmax()])
    # Largest first, so that ids of a first run mean something.
    fitted = kmeans(points, k, params)
    order = np.argsort(-np.bincount(fitted.labels_, minlength=k), kind="stable")
    centroids = fitted.cluster_centers_[order]
    return Segments(mean, scale, centroids, tuple(range(1, k + 1)), name_all(centroids)), table


def kmeans(points: np.ndarray, k: int, params: Params) -> KMeans:
    """k-means++ starts, the best of five."""
    return KMeans(n_clusters=k, n_init=5, random_state=params.seed).fit(points)


def name_all(centroids: np.ndarray, taken: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Names from what sets each centroid apart, most telling first; as few words as keep them distinct."""
    names: list[str] = []
    for centroid in centroids:
        words = [
            list(FEATURES.values())[i][0 if centroid[i] > 0 else 1]
            for i in np.argsort(-np.abs(centroid), kind="stable")
        ]
        telling = max(1, min(3, int((np.abs(centroid) >= 0.4).sum())))
        options = [", ".join(words[:n]) for n in range(telling, len(words) + 1)]
        options += [f"{options[0]} ({n})" for n in range(2, len(centroids) + len(taken) + 2)]
        names.append(next(o for o in options if o not in names and o not in taken))
    return tuple(names)


def align(model: Segments, previous: Segments, reach: float = 1.5) -> Segments:
    """Hand ids and names on from the previous model's segments to the new ones nearest to them.

    Distances are in standard deviations; a pair further apart than `reach` is no pair.
    """
    there = previous.centroids * previous.scale + previous.mean  # both in the new model's units
    distances = cdist(model.centroids, (there - model.mean) / model.scale)
    pairs = {int(n): int(o) for n, o in zip(*linear_sum_assignment(distances), strict=True) if distances[n, o] <= reach}
    fresh = [i for i in range(len(model.ids)) if i not in pairs]
    kept = frozenset(previous.names[o] for o in pairs.values())
    new_names = dict(zip(fresh, name_all(model.centroids[fresh], kept), strict=True))
    new_ids = dict(zip(fresh, range(max(previous.ids) + 1, max(previous.ids) + 1 + len(fresh)), strict=True))
    return replace(
        model,
        ids=tuple(previous.ids[pairs[i]] if i in pairs else new_ids[i] for i in range(len(model.ids))),
        names=tuple(previous.names[pairs[i]] if i in pairs else new_names[i] for i in range(len(model.ids))),
    )


def spend_tiers(window: pd.DataFrame, k: int) -> pd.Series:
    """The naive baseline: as many tiers of equal size, by spend alone."""
    return (window[SPEND].rank(method="first") - 1) * k // len(window)


def silhouette(window: pd.DataFrame, labels: pd.Series) -> float:
    """Silhouette in the window's own units, so that models with other scales are judged alike; -1 for one label."""
    if not 1 < labels.nunique() < len(labels):
        return -1.0
    values = logged(window)
    scale = values.std(axis=0)
    points = (values - values.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    return float(
        silhouette_score(points, labels, sample_size=min(len(points), Params.sample), random_state=Params.seed)
    )


def centroid_table(model: Segments) -> pd.DataFrame:
    """Centroids in standard deviations from the average customer, to be looked at."""
    table = pd.DataFrame(model.centroids, columns=list(FEATURES))
    table.insert(0, "segment_id", model.ids)
    table.insert(1, "segment_name", model.names)
    return table
