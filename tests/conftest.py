"""One Spark session serves a whole test run: the engine named by SHOPLAKE_ENGINE, or one started for the run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

# A home of the run's own, before anything reads the settings: a test never touches a developer's lake.
_HOME = Path(tempfile.mkdtemp(prefix="shoplake-test-"))
os.environ["SHOPLAKE_HOME"] = str(_HOME)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    from jobs.kit import engine, session, settings

    yield session.session()
    if not settings.settings().engine:
        engine.stop(settings.settings())


def pytest_sessionfinish() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)
