"""One Spark session serves a whole test run: the engine named by SHOPLAKE_ENGINE, or one started for the run."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

# A home of the run's own, before anything reads the settings: a test never touches a developer's lake.
_HOME = Path(tempfile.mkdtemp(prefix="shoplake-test-"))
os.environ["SHOPLAKE_HOME"] = str(_HOME)
os.environ.setdefault("SHOPLAKE_DRIVER_MEMORY", "2g")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    from jobs.kit import broker, engine, process, session, settings

    with suppress(process.NotStarted):  # whoever needs it says so; an engine that runs takes in no further jars
        broker.install()
    yield (spark := session.session())
    spark.stop()
    if not settings.settings().engine:
        engine.stop(settings.settings())


@contextmanager
def lake_at(folder: Path) -> Iterator[Path]:
    """Settings whose lake and drop folder are in `folder`; the engine stays the run's one."""
    from jobs.kit.settings import settings

    names = {"SHOPLAKE_LAKE": str(folder / "lake"), "SHOPLAKE_DROP": str(folder / "drop")}
    before = {name: os.environ.get(name) for name in names}
    os.environ |= names
    settings.cache_clear()
    try:
        yield folder
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        settings.cache_clear()


@pytest.fixture
def lake(tmp_path: Path, spark: SparkSession) -> Iterator[Path]:
    """An empty lake of the test's own; returns the folder with `lake` and `drop`."""
    with lake_at(tmp_path):
        yield tmp_path


@pytest.fixture
def lakes(spark: SparkSession) -> Callable:
    """`with lakes(folder):` for tests that need more than one lake."""
    return lake_at


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The demo's lake, built without Airflow (ten minutes): the environment of processes that use it.

    SHOPLAKE_DEMO_HOME names one that is there already.
    """
    there = os.environ.get("SHOPLAKE_DEMO_HOME")
    with tempfile.TemporaryDirectory(prefix="shoplake-demo-", ignore_cleanup_errors=True) as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith("SHOPLAKE_")}
        env |= {"SHOPLAKE_HOME": there or folder, "SHOPLAKE_RUN_BY": "test", "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", "jobs.cli"]
        words = ["up", "postgres"] if there else ["demo", "--no-airflow"]
        done = subprocess.run([*command, *words], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield env
        if not there:
            subprocess.run([*command, "down"], env=env)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """Not pytest's, which each run of pytest closes to others: where root runs it, PostgreSQL is another."""
    with tempfile.TemporaryDirectory(prefix="shoplake-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def pytest_sessionfinish() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)
