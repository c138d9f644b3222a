"""The services: only ours are stopped, ports give way, settings reach Airflow, and the lot comes up and goes down."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest

from jobs import cli
from jobs.kit import process, services
from jobs.kit.process import NotStarted
from jobs.kit.services import Service
from jobs.kit.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    mine = Settings(home=tmp_path / "home", engine="", mlflow_uri="")
    yield mine
    services.down(mine, say=lambda line: None)


def pretend(settings: Settings, name: str, pid: int, created: float, address: str = "127.0.0.1:15499") -> None:
    """Write down a service as if `up` had started it."""
    record = services._Record(Service(name, address, "", pid, settings.home / "x.log"), created, 15499)
    services._record(settings, record)


def test_nothing_runs_before_up_and_down_is_fine_then(settings: Settings) -> None:
    assert services.status(settings) == []
    assert services.down(settings, say=print) == []


def test_down_leaves_a_process_that_only_has_an_old_pid_of_ours(settings: Settings) -> None:
    me = psutil.Process()
    pretend(settings, "mlflow", me.pid, me.create_time() - 1000)
    assert services.status(settings) == []
    assert services.down(settings, say=print) == []


def test_down_stops_what_was_written_down_and_says_so(settings: Settings) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    pretend(settings, "mlflow", sleeper.pid, psutil.Process(sleeper.pid).create_time())
    assert [service.name for service in services.status(settings)] == ["mlflow"]
    said: list[str] = []
    assert services.down(settings, said.append) == ["mlflow"]
    assert said == ["mlflow stopped"] and services.status(settings) == []


def test_an_unknown_service_is_refused(settings: Settings) -> None:
    with pytest.raises(NotStarted, match=r"There is no service redis; there are .*airflow, kafka"):
        services.up(settings, ["redis"])


def test_what_runs_already_is_not_said_to_be_up(settings: Settings, monkeypatch) -> None:
    monkeypatch.setattr(services._Postgres, "up", lambda self: None)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    said: list[str] = []
    services.up(settings, ["postgres"], said.append)
    pretend(settings, "postgres", sleeper.pid, psutil.Process(sleeper.pid).create_time())
    services.up(settings, ["postgres"], said.append)
    assert said == ["PostgreSQL is up (0 s)"]


def test_a_full_disk_is_said_before_anything_is_started(settings: Settings, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(int(0.3e9)))
    with pytest.raises(NotStarted, match=r"needs 1 GB of free disk .* there are 0\.30"):
        services.up(settings)
    assert services.status(settings) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        duckdb.IOException('IO Error: Could not write file "x": No space left on device'),
    ],
)
def test_a_disk_that_fills_up_is_one_sentence(monkeypatch, capsys, error: Exception) -> None:
    def fill() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fill)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    said = " ".join(capsys.readouterr().err.split())
    assert "The disk is full." in said and "Traceback" not in said


def test_a_database_of_a_server_that_is_not_there_is_refused(settings: Settings) -> None:
    with pytest.raises(NotStarted, match="PostgreSQL is not running"):
        services.postgres_url(settings, "mlflow")


def test_airflow_gets_its_choices_from_the_repository_and_its_secrets_from_home(settings: Settings) -> None:
    pretend(settings, "postgres", 1, 0.0)
    env = services.airflow_environment(settings)
    assert Path(env["AIRFLOW_CONFIG"]).is_file() and Path(env["AIRFLOW__CORE__DAGS_FOLDER"]).name == "dags"
    assert env["AIRFLOW_HOME"] == str(settings.home / "airflow") and env["SHOPLAKE_HOME"] == str(settings.home)
    password = process.secret(settings.home / "secrets" / "postgres")
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == (
        f"postgresql+psycopg2://shoplake:{password}@127.0.0.1:15499/airflow"
    )
    assert services.airflow_environment(settings) == env  # the secrets stay


def test_postgres_lives_dies_and_lives_again(settings: Settings) -> None:
    """Started on another port than a taken one; after kill -9, or a lost record, its data is still there."""
    import psycopg2

    def ask(statement: str) -> list[tuple[str, ...]]:
        url = services.postgres_url(settings, "mlflow").replace("+psycopg2", "")
        connection = psycopg2.connect(url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    said: list[str] = []
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken = process.free_port(services.PORTS["postgres"])
        other.bind(("127.0.0.1", taken))
        other.listen()
        (server,) = services.up(settings, ["postgres"], said.append)
    assert f"Port {services.PORTS['postgres']} is taken: PostgreSQL uses {server.address.split(':')[1]}" in said
    ask("CREATE TABLE kept AS SELECT 'yes' AS it")

    psutil.Process(server.pid).kill()
    psutil.wait_procs([psutil.Process(server.pid)], timeout=5)
    (again,) = services.up(settings, ["postgres"], said.append)
    assert again.pid != server.pid and ask("SELECT it FROM kept") == [("yes",)]
    assert services.up(settings, ["postgres"], said.append) == [again]  # twice is once

    (settings.home / "services.json").unlink()  # nobody knows of it any more; it must not keep the data to itself
    (third,) = services.up(settings, ["postgres"], said.append)
    assert third.pid != again.pid and ask("SELECT it FROM kept") == [("yes",)]

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(
            host="127.0.0.1", port=third.address.split(":")[1], user="shoplake", password="x", dbname="mlflow"
        )
    assert services.down(settings, said.append) == ["postgres"]
    assert not psutil.pid_exists(third.pid)


@pytest.mark.slow
def test_all_services_come_up_and_go_down(settings: Settings) -> None:
    found = {service.name: service for service in services.up(settings, ["mlflow", "airflow"])}
    assert list(found) == ["postgres", "mlflow", *services.AIRFLOW_PARTS]
    with urllib.request.urlopen(found["mlflow"].address, timeout=30) as page:
        assert page.status == 200
    user, _, password = found["airflow"].login.partition(" / ")
    request = urllib.request.Request(
        found["airflow"].address + "/auth/token",
        json.dumps({"username": user, "password": password}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["access_token"]
    listed = subprocess.run(
        [services.airflow_binary(), "dags", "list-import-errors", "-o", "json"],
        env=services.airflow_environment(settings),
        capture_output=True,
        text=True,
        cwd=os.sep,
    )
    assert listed.returncode == 0, listed.stderr
    assert services.down(settings)[-1] == "postgres"
    assert not any(psutil.pid_exists(service.pid) for service in found.values())
