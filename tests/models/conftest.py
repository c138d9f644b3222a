"""A registry of the test run's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """MLflow on SQLite in a folder of its own; gives the folder of the artifacts."""
    from jobs.kit import registry
    from jobs.kit.settings import settings

    folder, conf = tmp_path_factory.mktemp("mlflow"), settings()
    before = conf.mlflow_uri, conf.mlflow_artifacts
    conf.mlflow_uri, conf.mlflow_artifacts = f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts")
    registry._client.cache_clear()
    yield folder / "artifacts"
    conf.mlflow_uri, conf.mlflow_artifacts = before
    registry._client.cache_clear()
