"""The embedded engine: one per lake, whoever asks, and whatever killed the last one."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pyspark.sql.connect.session import SparkSession

from jobs.kit import engine, process
from jobs.kit.process import NotStarted
from jobs.kit.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    mine = Settings(
        home=tmp_path / "a home", engine="", master="local[2]", driver_memory="1g", engine_port=25002, sql_port=21000
    )
    yield mine
    engine.stop(mine)


def record(settings: Settings, **changes: object) -> None:
    home = settings.home / "engine"
    state = {"pid": 1, "created": 0.0, "connect_port": 1, "sql_port": 2, "started": "2017-01-01T00:00:00+00:00"}
    process.write_json(home / "state.json", state | changes)


def test_no_engine_has_no_status_and_stopping_it_is_fine(settings: Settings) -> None:
    assert engine.status(settings) is None
    assert engine.stop(settings) is False


def test_a_pid_that_another_process_has_by_now_is_left_alone(settings: Settings) -> None:
    me = psutil.Process()
    record(settings, pid=me.pid, created=me.create_time() - 1000)
    assert engine.status(settings) is None
    assert engine.stop(settings) is False


def test_a_state_that_cannot_be_read_is_no_state(settings: Settings) -> None:
    (settings.home / "engine").mkdir(parents=True)
    (settings.home / "engine" / "state.json").write_text('{"pid": 1')
    assert engine.status(settings) is None


def test_another_spark_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.importlib.metadata, "version", lambda package: "4.2.1")
    with pytest.raises(NotStarted, match=r"^The engine runs pyspark 4.2.0 .*and nothing else; this is 4.2.1.$"):
        engine.start(settings)


def test_a_heap_beyond_the_machine_is_refused(settings: Settings) -> None:
    with pytest.raises(NotStarted, match="set SHOPLAKE_DRIVER_MEMORY to less"):
        engine.start(settings.model_copy(update={"driver_memory": "9000g"}))


def test_a_start_that_fails_says_why_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/bash\necho 'Error: no room for the heap'; exit 1\n")
    java.chmod(0o755)
    with pytest.raises(NotStarted, match="The engine ended while starting: Error: no room for the heap"):
        engine.start(settings.model_copy(update={"java_home": str(tmp_path / "java")}))
    assert engine.status(settings) is None


def test_an_engine_that_no_state_names_is_found_and_stopped(settings: Settings) -> None:
    words = [engine.MAIN, "--conf", f"spark.shoplake.home={settings.home}"]
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", *words], start_new_session=True, cwd="/"
    )
    assert engine.stop(settings) is True
    assert not psutil.pid_exists(stray.pid)


@contextmanager
def connected(url: str) -> Iterator[SparkSession]:
    """A session that does not wait for ten minutes, at the end of the process, for an engine that is gone."""
    from pyspark.sql.connect.client.retries import DefaultPolicy

    spark = SparkSession.builder.remote(url).create()
    spark.client.set_retry_policies([DefaultPolicy(max_retries=2)])
    try:
        yield spark
    finally:
        spark.stop()


@pytest.mark.slow
def test_the_life_of_an_engine(settings: Settings) -> None:
    """Started by many at once, attached to, killed, started again; its secrets are private and stay."""
    with socket.socket() as other:  # its usual port is taken
        other.bind(("127.0.0.1", settings.engine_port))
        other.listen()
        with ThreadPoolExecutor(4) as pool:
            started = list(pool.map(lambda _: engine.start(settings, warm=False), range(4)))
    first = started[0]
    assert started == [first] * 4
    assert first.connect_port > settings.engine_port and first.sql_port == settings.sql_port
    assert first.token not in " ".join(first.handle.process().cmdline())  # type: ignore[union-attr]
    assert (settings.home / "engine" / "spark.conf").stat().st_mode & 0o077 == 0

    with connected(engine.attach(settings)) as spark:
        assert spark.sql("SELECT 1").collect() == [(1,)]
    wrong = first.url.replace(first.token, "wrong")
    with pytest.raises(Exception, match=r"(?i)token|unauthenticated"), connected(wrong) as spark:
        spark.sql("SELECT 1").collect()

    process.stop(first.handle, patience=0.01)  # as good as kill -9: nobody removed its state
    (settings.home / "engine" / "state.json").write_text(
        json.dumps({"pid": os.getpid(), "created": 0.0, "connect_port": 1, "sql_port": 2, "started": ""})
    )
    second = engine.start(settings, warm=False)
    assert second.pid != first.pid and second.token == first.token
    with connected(second.url) as spark:
        assert spark.sql("SELECT 1").collect() == [(1,)]
    assert engine.stop(settings) is True
    assert engine.status(settings) is None and not process.listens(second.connect_port)


@pytest.mark.slow
def test_a_starter_that_is_killed_leaves_an_engine_that_the_next_one_takes_over(settings: Settings) -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from jobs.kit import engine; from jobs.kit.settings import settings as s; engine.start(s())",
        ],
        env=os.environ
        | {
            "SHOPLAKE_HOME": str(settings.home),
            "SHOPLAKE_ENGINE_PORT": str(settings.engine_port),
            "SHOPLAKE_SQL_PORT": str(settings.sql_port),
            "SHOPLAKE_DRIVER_MEMORY": "1g",
            "SHOPLAKE_ENGINE": "",
        },
    )
    state = settings.home / "engine" / "state.json"
    while not state.exists():
        time.sleep(0.05)
    starter.kill()
    starter.wait()
    launched = json.loads(state.read_text())["pid"]
    assert engine.start(settings, warm=False).pid == launched


def test_a_port_that_was_taken_meanwhile_costs_a_start_and_no_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched, free = [], process.free_port
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def free_at_first(preferred: int, **more: set[int]) -> int:
            launched.append(preferred)
            return int(taken.getsockname()[1]) if len(launched) == 1 else free(preferred, **more)

        monkeypatch.setattr(process, "free_port", free_at_first)
        info = engine.start(settings, warm=False)
    assert len(launched) == 4, "two ports, twice"
    assert engine.status(settings) == info
