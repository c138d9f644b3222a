"""The model registry: the only code that talks to MLflow.

A version is registered in one order: files first, then the version with all it is known by, last the alias. Scoring
loads by the alias `@champion` alone, so that whatever is cut short before that leaves nothing which scoring would load.

Models are kept as data: XGBoost's own .ubj, JSON for the rest, brought back by code (jobs/kit/served.py). Nothing is
pickled, and MLflow is told to refuse pickles.
"""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from jobs.kit.lake import NotThereError
from jobs.kit.settings import settings
from jobs.models import contract as contracts
from jobs.models.base import Champion, Fitted

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
EXPERIMENT = "shoplake"
SERVED = Path(__file__).with_name("served.py")


class NoChampionError(NotThereError):
    """A model that was never promoted: what scores with it has to wait."""


class UnusableError(Exception):
    """A version that its module cannot bring back, say because features were renamed since."""


@dataclass(frozen=True)
class Overview:
    """A model's champion (or its newest version, if none was ever promoted) beside its baselines."""

    name: str
    version: int
    metric: str
    value: float
    baselines: Mapping[str, float]
    verdict: str


@dataclass(frozen=True)
class Version:
    """One registered version: its metrics and those of its baselines, on the later window that it was judged on."""

    name: str
    version: int
    as_of: str
    standing: str  # champion | challenger | former
    verdict: str
    metric: str  # the one that decides; empty where the model has no contract any more
    metrics: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    registered_at: datetime


@lru_cache
def _client() -> "MlflowClient":
    """MLflow on the database of the settings; its tables are made at the first call."""
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")  # else each version carries a copy of uv.lock
    import mlflow

    logging.getLogger("alembic").setLevel(logging.ERROR)

    uri = settings().mlflow_uri
    if not uri:
        from jobs.kit import services

        uri = services.postgres_url(settings(), "mlflow")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient()


def _set_experiment(client: "MlflowClient") -> None:
    """Make the experiment if need be; models are read without it, and sooner."""
    import mlflow

    if client.get_experiment_by_name(EXPERIMENT) is None:
        root = settings().mlflow_artifacts
        client.create_experiment(EXPERIMENT, root if "://" in root else Path(root).absolute().as_uri())
    mlflow.set_experiment(EXPERIMENT)


def register(
    name: str,
    fitted: Fitted,
    *,
    module: str,
    as_of: date,
    data_versions: Mapping[str, int],
    fingerprint: str,
    requires: Sequence[str],
) -> int:
    """Log a model with its signature, example, metrics, parameters and data versions; return its new version.

    The version is nobody's champion yet. `requires` names the distributions that predicting needs; they are pinned.
    """
    import mlflow
    from mlflow.models import infer_signature

    client = _client()
    _set_experiment(client)
    tags = {
        "fingerprint": fingerprint,
        "as_of": as_of.isoformat(),
        "metrics": json.dumps(dict(fitted.metrics)),
        "baselines": json.dumps({name: dict(metrics) for name, metrics in fitted.baselines.items()}),
        **{f"data.{table}": str(version) for table, version in data_versions.items()},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hint about missing integers, of which predictions have none
        signature = infer_signature(fitted.example, _predict(fitted.model, fitted.example))
    told: dict[str, Any] = {
        "name": name,
        "signature": signature,
        "input_example": fitted.example,
        "pip_requirements": [f"{d}=={installed(d)}" for d in requires],
    }
    with mlflow.start_run(run_name=f"{name} as of {as_of}", tags={"model": name, **tags}) as run:
        mlflow.log_params(dict(fitted.params))
        mlflow.log_metrics({k: v for k, v in fitted.metrics.items() if pd.notna(v)})
        for baseline, metrics in fitted.baselines.items():
            mlflow.log_metrics({f"{baseline}.{k}": v for k, v in metrics.items() if pd.notna(v)})
        for title, table in fitted.tables.items():
            mlflow.log_table(table, f"{title}.json")
        if _is_booster(fitted.model):
            model = mlflow.xgboost.log_model(fitted.model, model_format="ubj", **told)
        else:
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder) / "model.json"
                data.write_text(json.dumps(fitted.model.to_data(), indent=1), encoding="utf-8")
                model = mlflow.pyfunc.log_model(
                    python_model=str(SERVED), artifacts={"data": str(data)}, model_config={"module": module}, **told
                )
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=contracts.load(name).purpose)
    return int(
        client.create_model_version(name, model.model_uri, run.info.run_id, tags, model_id=model.model_id).version
    )


def find(name: str, fingerprint: str) -> int | None:
    """The version that was registered from the same data by the same code; None if there is none."""
    found = _client().search_model_versions(f"name = '{name}' and tag.fingerprint = '{fingerprint}'")
    return max((int(v.version) for v in found), default=None)


def verdict(name: str, version: int) -> str | None:
    """What was said when this version was judged; None if judging it was cut short."""
    said: str | None = _client().get_model_version(name, str(version)).tags.get("verdict")
    return said


def metrics(name: str, version: int) -> dict[str, float]:
    """The metrics of a version on the later window that it was judged on."""
    said: dict[str, float] = json.loads(_client().get_model_version(name, str(version)).tags["metrics"])
    return said


def champion_version(name: str) -> int:
    """The version behind `@champion`. NoChampionError if there is none."""
    found = _champion(name)
    if found is None:
        raise NoChampionError(f"models.{name} has no champion yet: shoplake train {name}")
    return int(found.version)


def champion(name: str) -> Champion:
    """The model behind `@champion`, loaded. NoChampionError if there is none."""
    found = _champion(name)
    if found is None:
        raise NoChampionError(f"models.{name} has no champion yet: shoplake train {name}")
    return Champion(
        name=name,
        version=int(found.version),
        as_of=date.fromisoformat(found.tags["as_of"]),
        model=_load(name, int(found.version)),
        metrics=json.loads(found.tags["metrics"]),
    )


def overview() -> list[Overview]:
    """Every registered model that has a contract."""
    client, found = _client(), []
    for model in client.search_registered_models():
        version = _champion(model.name) or max(
            client.search_model_versions(f"name = '{model.name}'"), key=lambda v: int(v.version), default=None
        )
        try:
            metric = contracts.load(model.name).metric.name
        except contracts.ModelContractError:
            continue
        if version is not None:
            baselines = json.loads(version.tags["baselines"])
            found.append(
                Overview(
                    model.name,
                    int(version.version),
                    metric,
                    json.loads(version.tags["metrics"])[metric],
                    {name: metrics[metric] for name, metrics in baselines.items()},
                    "champion" if CHAMPION in version.aliases else version.tags.get("verdict", "not judged"),
                )
            )
    return sorted(found, key=lambda m: m.name)


def versions() -> list[Version]:
    """Every registered version of every model, oldest first. Nothing is started where no model was ever kept."""
    if not _any_kept():
        return []
    client, found = _client(), []
    for model in client.search_registered_models():
        try:
            metric = contracts.load(model.name).metric.name
        except contracts.ModelContractError:
            metric = ""
        alias = {str(version): name for name, version in model.aliases.items()}
        found += [
            Version(
                name=model.name,
                version=int(version.version),
                as_of=version.tags["as_of"],
                standing=alias.get(str(version.version), "former"),
                verdict=version.tags.get("verdict", "not judged"),
                metric=metric,
                metrics=json.loads(version.tags["metrics"]),
                baselines=json.loads(version.tags["baselines"]),
                registered_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).replace(tzinfo=None),
            )
            for version in client.search_model_versions(f"name = '{model.name}'")
        ]
    return sorted(found, key=lambda v: (v.name, v.version))


def trained_since(day: date) -> list[str]:
    """The versions of all models that were trained as of this day or later: `churn 3 (champion)`.

    Nothing is started to find out where no model was ever kept.
    """
    if not _any_kept():
        return []
    client, found = _client(), []
    for model in client.search_registered_models():
        for version in client.search_model_versions(f"name = '{model.name}'"):
            if version.tags.get("as_of", "") >= day.isoformat():
                is_champion = str(model.aliases.get(CHAMPION)) == str(version.version)
                found.append(f"{model.name} {version.version}" + " (champion)" * is_champion)
    return sorted(found)


def _any_kept() -> bool:
    root = settings().mlflow_artifacts
    return "://" in root or (Path(root).is_dir() and any(Path(root).iterdir()))


def settle(name: str, version: int, *, promoted: bool, why: str) -> None:
    """Give a judged version its alias, and write down why. Ends the same however often it is cut short and repeated."""
    client = _client()
    client.set_registered_model_alias(name, CHAMPION if promoted else CHALLENGER, str(version))
    challenger = client.get_registered_model(name).aliases.get(CHALLENGER)
    if promoted and challenger is not None and int(challenger) <= version:
        client.delete_registered_model_alias(name, CHALLENGER)  # it was beaten too, or is the champion now
    client.update_model_version(name, str(version), description=why)
    client.set_model_version_tag(name, str(version), "verdict", why)


def _champion(name: str) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        return _client().get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _load(name: str, version: int) -> Any:
    """A version as its module knows it: a Booster, or what the module made `from_data`."""
    import mlflow

    uri = f"models:/{name}/{version}"
    try:
        if "xgboost" in mlflow.models.get_model_info(uri).flavors:
            return mlflow.xgboost.load_model(uri)
        return mlflow.pyfunc.load_model(uri).unwrap_python_model().model
    except (mlflow.MlflowException, ValueError, KeyError, OSError) as error:
        raise UnusableError(f"version {version} of {name} cannot be loaded: {error}") from error


def _is_booster(model: Any) -> bool:
    import xgboost

    return isinstance(model, xgboost.Booster)


def _predict(model: Any, example: pd.DataFrame) -> Any:
    if _is_booster(model):
        import xgboost

        return model.predict(xgboost.DMatrix(example))
    return model.predict(example)
