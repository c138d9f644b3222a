"""Drift: whether what a model is given now is distributed as what it was trained on.

**Measure.** The population stability index (PSI) over the deciles of training, missing values a class of their own:
sum of (now - then) * ln(now / then) over classes, `then` and `now` being shares with half a case added to each class,
so that an empty one is finite. 0 is no change. By custom (Siddiqi, Credit Risk Scorecards, 2006) up to 0.1 is stable,
from 0.25 on the model wants another look.

**Chance.** Two samples of one population differ too: (1/N + 1/M) times the 95 % quantile of chi-squared with classes -
1 degrees of freedom bounds what 19 in 20 of such pairs reach (Yurdakul and Naranjo, Statistical properties of the
population stability index, 2020). What stays below is called stable, whatever custom says: with fifty customers a PSI
of 0.3 means nothing. The bound takes cases as independent; a customer who is in training at several cutoffs is not
quite, so it is a little low.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

MOVED, SHIFTED = 0.1, 0.25
CONFIDENCE = 0.95
CLASSES = 10


def reference(training: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """What to compare with later, of each column of floats: edges of its classes, cases in each, its mean. As JSON."""
    found = {}
    for name, values in training.astype(float).items():
        known = values.dropna()
        inner = np.linspace(0, 1, CLASSES + 1)[1:-1]
        # Edges are values that there are. One that many share is one edge: fewer classes then.
        cut = np.quantile(known, inner, method="inverted_cdf") if len(known) else np.array([])
        edges = [float(e) for e in np.unique(cut[cut < known.max()])]
        found[str(name)] = {"edges": edges, "cases": _cases(values, edges), "mean": _mean(values)}
    return found


def compare(reference: Mapping[str, Mapping[str, Any]], now: pd.DataFrame) -> pd.DataFrame:
    """One row per feature of the reference: how far `now` is from it. No rows if there is nothing now.

    psi, psi_by_chance (what chance alone reaches in 1 of 20 cases), verdict (stable, moved, shifted), means and shares
    of missing values then and now, training_row_count and customer_count.
    """
    rows = []
    for name, said in reference.items() if len(now) else ():
        values = now[name].astype(float)
        then_cases, now_cases = np.array(said["cases"]), np.array(_cases(values, said["edges"]))
        there = then_cases + now_cases > 0
        then, today = _shares(then_cases[there]), _shares(now_cases[there])
        psi = float(np.sum((today - then) * np.log(today / then)))
        by_chance = float((1 / then_cases.sum() + 1 / len(values)) * chi2.ppf(CONFIDENCE, max(len(then) - 1, 1)))
        rows.append(
            {
                "feature": name,
                "psi": psi,
                "psi_by_chance": by_chance,
                "verdict": verdict(psi, by_chance),
                "mean_in_training": said["mean"],
                "mean_now": _mean(values),
                "missing_share_in_training": float(then_cases[-1] / then_cases.sum()),
                "missing_share_now": float(values.isna().mean()),
                "training_row_count": int(then_cases.sum()),
                "customer_count": len(values),
            }
        )
    return pd.DataFrame(rows)


def verdict(psi: float, by_chance: float) -> str:
    """`stable`, `moved` or `shifted`."""
    if psi < MOVED or psi <= by_chance:
        return "stable"
    return "moved" if psi < SHIFTED else "shifted"


def _cases(values: pd.Series, edges: list[float]) -> list[int]:
    """How many fall into each class: below or on the first edge, …, above the last, missing."""
    known = values.dropna().to_numpy()
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return [int(n) for n in counts] + [int(values.isna().sum())]


def _shares(cases: np.ndarray) -> np.ndarray:
    shares: np.ndarray = (cases + 0.5) / (cases.sum() + 0.5 * len(cases))
    return shares


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if values.notna().any() else None
