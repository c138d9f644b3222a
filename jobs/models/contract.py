"""Model contracts: what a model is for, what it is measured by and what it must beat, read strictly.

ODCS describes tables, not models, so that a model's contract (`jobs/models/<name>.yaml`) has this schema of its own.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

FOLDER = Path(__file__).parent


class ModelContractError(Exception):
    """A model contract that cannot be read: names the file and what is wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(_Strict):
    """The one number that decides, and which way is better."""

    name: str
    better: Literal["higher", "lower"]
    min_gain: float = Field(0.0, ge=0, description="By how much a challenger must be better")


class Label(_Strict):
    """What is predicted and over which time; always strictly after what it is predicted from."""

    definition: str
    window: str


class Bound(_Strict):
    """What a metric may be, at the least or at the most."""

    min: float | None = None
    max: float | None = None


class ModelContract(_Strict):
    """One model's promise. `baseline` is the naive answer that it must beat by `metric`."""

    name: str
    kind: Literal["rules", "clusters", "classifier"]
    owner: str
    purpose: str
    schedule: str = Field(description="Cron line of its training")
    inputs: tuple[str, ...] = Field(description="Full table names, as in the signature of `fit`")
    label: Label
    metric: Metric
    baseline: str
    thresholds: dict[str, Bound] = {}
    params: dict[str, Any] = Field({}, description="Given to the module's Params")
    limits: str = ""


@lru_cache
def load(name: str) -> ModelContract:
    """The contract of a model. ModelContractError if there is none or it says something unknown."""
    return parse(FOLDER / f"{name}.yaml")


def parse(path: Path) -> ModelContract:
    """Read one contract file."""
    if not path.is_file():
        raise ModelContractError(f"No model {path.stem}: {path} does not exist")
    try:
        contract = ModelContract.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ModelContractError(f"{path}: {error}") from error
    if contract.name != path.stem:
        raise ModelContractError(f"{path}: name is {contract.name!r}, the file's name says {path.stem!r}")
    return contract
