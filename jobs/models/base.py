"""What all models share: what a fit hands back and what a scoring table is given. Pure data; no MLflow here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd


class NotEnoughError(Exception):
    """There is too little data to fit or judge a model: says what is missing. The present champion stays."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model and how it did on a later window that it never saw.

    `window` is that later window as the module's `evaluate(model, window)` takes it, so that the present champion can
    be judged on the very same rows. `example` is a few rows as `model.predict` takes them.
    """

    model: Any
    window: Any
    metrics: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    params: Mapping[str, Any]
    example: pd.DataFrame
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # shown beside the metrics, e.g. calibration


@dataclass(frozen=True)
class Champion:
    """The model behind the alias `@champion`: a scoring table takes it by its name, as it takes any other input."""

    name: str
    version: int
    as_of: date
    model: Any
    metrics: Mapping[str, float] = field(default_factory=dict)
