"""What can be wrong with a machine or a lake, found and named with its fix."""

import importlib.metadata
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import SecretStr

from jobs.kit.settings import CHECKOUT, Settings, settings


@dataclass(frozen=True)
class Examined:
    """One thing looked at."""

    what: str
    found: str
    ok: bool
    fix: str = ""


def examine() -> Iterator[Examined]:
    """Machine, installation, settings, services, contracts, data: in the order in which they would stop a run."""
    said = settings()
    said.home.mkdir(parents=True, exist_ok=True)
    yield Examined("Python", sys.version.split()[0], sys.version_info >= (3, 11), "Python 3.11 or newer is wanted")
    yield from _machine(said)
    yield from _installed(said)
    yield _settings(said)
    yield _secrets(said)
    yield _engine(said)
    yield _services(said)
    yield _contracts()
    yield _tables()
    yield _last_runs()
    yield _drop(said)


def _machine(said: Settings) -> Iterator[Examined]:
    memory = psutil.virtual_memory().available / 2**30
    yield Examined("memory free", f"{memory:.1f} GiB", memory > 3, "close something, or set SHOPLAKE_DRIVER_MEMORY=1g")
    disk = shutil.disk_usage(said.home).free / 2**30
    yield Examined("disk free", f"{disk:.1f} GiB in {said.home}", disk > 3, "free some, or set SHOPLAKE_HOME elsewhere")


def _installed(said: Settings) -> Iterator[Examined]:
    pins = tomllib.loads((CHECKOUT / "infra" / "jars.toml").read_text(encoding="utf-8"))
    there = {package: importlib.metadata.version(package) for package in pins["pair"]}
    pair = ", ".join(f"{package} {version}" for package, version in there.items())
    yield Examined("Spark and Delta", pair, there == pins["pair"], "make install puts the tested pair back")
    jars = ["{1}-{2}.jar".format(*jar["coordinates"].split(":")) for jar in pins["jar"]]
    missing = [jar for jar in jars if not (CHECKOUT / ".shoplake" / "jars" / jar).exists()]
    text = f"missing: {', '.join(missing)}" if missing else f"{len(jars)} there"
    yield Examined("Delta's jars", text, not missing, "make install")
    java = Path(said.java_home or CHECKOUT / ".shoplake" / "java") / "bin" / "java"
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr.splitlines()
        version = told[0] if told else "says nothing"
    except (OSError, subprocess.TimeoutExpired) as error:
        version = f"does not run: {error}"
    fits = any(f'"{major}.' in version for major in (17, 21))
    yield Examined("Java", version, fits, "Spark wants 17 or 21: make install, or set SHOPLAKE_JAVA_HOME to one")


def _settings(said: Settings) -> Examined:
    """The settings that are not as they are by default; addresses and passwords are not shown."""
    plain = Settings.model_construct()
    shown = []
    for name, field in Settings.model_fields.items():
        value = getattr(said, name)
        if name in ("home", "lake", "drop", "mlflow_artifacts", "run_by"):
            shown += [f"{name}={value}"] if name in ("home", "lake", "drop") else []
        elif value != getattr(plain, name, field.default):
            secret = isinstance(value, SecretStr | dict)
            shown.append(f"{name}={', '.join(value) if isinstance(value, dict) else '…' if secret else value}")
    return Examined("settings", "  ".join(shown), True)


def _secrets(said: Settings) -> Examined:
    """Keys and passwords that others on this machine could read."""
    found = [said.home / "settings.env", *(said.home / "engine").glob("*password"), *(said.home / "secrets").rglob("*")]
    found += (said.home / "engine").glob("*.token")
    open_ = [p.name for p in found if p.is_file() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    from jobs.kit import lake, vault

    if lake.version(vault.TABLE) is not None and not (said.home / "secrets" / "vault.json").exists():
        text = "the vault has values, and its key is gone: none of them can be read"
        return Examined("secrets", text, False, "put <home>/secrets/vault.json back from your backup")
    text = f"others can read {', '.join(open_)}" if open_ else f"{sum(p.is_file() for p in found)}, their owner's alone"
    return Examined("secrets", text, not open_, f"chmod -R go= {said.home / 'secrets'} and what else is named")


def _engine(said: Settings) -> Examined:
    from jobs.kit import engine

    if said.engine:
        return Examined("engine", f"another's: {said.engine.partition(';')[0]}", True)
    found = engine.status(said)
    if found is None:
        return Examined("engine", "not running (the first run starts it)", True)
    return Examined("engine", f"pid {found.pid}, Connect port {found.connect_port}, SQL port {found.sql_port}", True)


def _services(said: Settings) -> Examined:
    from jobs.kit import services

    runs = {s.name for s in services.status(said)}
    gone = sorted(set(services.started(said)) - runs)
    text = f"died: {', '.join(gone)}" if gone else ", ".join(sorted(runs)) or "none runs (make demo, or shoplake up)"
    return Examined("services", text, not gone, f"shoplake up starts them again; logs: {said.home / 'logs'}")


def _contracts() -> Examined:
    from jobs.kit import gate, lineage
    from jobs.kit.contracts import ContractError, all_contracts

    try:
        lineage.order()
        for contract in all_contracts():
            gate.checks(contract)
    except (ContractError, lineage.LineageError) as error:
        return Examined("contracts", str(error).splitlines()[0], False, "shoplake contract lint names every problem")
    return Examined("contracts", f"{len(all_contracts())}, all read strictly", True)


def _tables() -> Examined:
    from jobs.kit import lake
    from jobs.kit.contracts import all_contracts

    broken, published = [], 0
    for contract in all_contracts():
        try:
            published += bool(lake.stamp(contract.name))
        except Exception as error:
            broken.append(f"{contract.name}: {str(error).splitlines()[0]}")
    text = "; ".join(broken) or f"{published} published, all can be opened"
    return Examined("tables", text, not broken, "delete the broken table's folder and run it again with --full")


def _last_runs() -> Examined:
    """Tables whose last run was held by its gate, or ended with an error."""
    from jobs.kit import lake

    bad = []
    if lake.version("ops.runs") is not None:
        last = 'SELECT "table", last_value(verdict ORDER BY finished_at) AS verdict FROM t GROUP BY 1 ORDER BY 1'
        rows = lake.read_small("ops.runs", last).to_pylist()
        bad = [f"{r['table']} {r['verdict']}" for r in rows if r["verdict"] in ("refused", "crashed")]
    fix = "shoplake quarantine show TABLE for what was refused; shoplake explain TABLE for its last runs"
    return Examined("last runs", "; ".join(bad) or "none was held, none crashed", not bad, fix)


def _drop(said: Settings) -> Examined:
    """Folders under the drop folder that no contract reads."""
    from jobs.kit.contracts import all_contracts

    known = {c.drop.folder for c in all_contracts() if c.drop}
    there = {f"{p.parent.name}/{p.name}" for p in said.drop.glob("*/*") if p.is_dir()}
    stray = sorted(there - known)
    text = f"nobody reads {', '.join(stray)}" if stray else f"{len(there)} folders, each with a contract"
    return Examined("drop folder", text, not stray, "a contract names its folder: shoplake new source; or remove it")
