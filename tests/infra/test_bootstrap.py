"""The installer: what it fetches, what it refuses, and what an interruption leaves behind. No network."""

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The installer, on a checkout of its own and without the settings of whoever runs the tests."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "infra" / "bootstrap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    home = tmp_path / ".shoplake"
    paths = {"ROOT": tmp_path, "HOME": home, "UV": home / "bin" / "uv", "LAKE": home / "env" / "lake"}
    paths |= {"AIRFLOW": home / "env" / "airflow", "JARS": home / "jars", "JAVA": home / "java" / "bin" / "java"}
    for name, value in (paths | {"STAMP": home / "installed"}).items():
        monkeypatch.setattr(module, name, value)
    for name in (*module.INDEX_SETTINGS, *module.MAVEN_SETTINGS, "SHOPLAKE_JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "infra").mkdir()
    for name in (
        "uv.lock",
        "pyproject.toml",
        "infra/jars.toml",
        "infra/SqlLogin.scala",
        "infra/SqlRoles.scala",
        "infra/bootstrap.py",
    ):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return module


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server: its address and its folder."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "wheel"),
    [
        ("Linux", "x86_64", "glibc", "manylinux_2_17_x86_64"),
        ("Linux", "AMD64", "glibc", "manylinux_2_17_x86_64"),
        ("Darwin", "arm64", "", "macosx_11_0_arm64"),
        ("Darwin", "x86_64", "", "macosx_10_12_x86_64"),
    ],
)
def test_the_wheel_fits_the_platform(bootstrap: ModuleType, system: str, machine: str, libc: str, wheel: str) -> None:
    lock = bootstrap.tomllib.loads((ROOT / "uv.lock").read_text())
    url, digest = bootstrap.uv_wheel(lock, bootstrap.platform_pattern(system, machine, libc))
    assert wheel in url
    assert "musl" not in url.replace(".musllinux", "") and len(digest) == 64


@pytest.mark.parametrize(
    ("system", "machine", "libc"), [("Windows", "AMD64", ""), ("Linux", "x86_64", ""), ("Linux", "riscv64", "glibc")]
)
def test_another_platform_is_refused_in_one_sentence(
    bootstrap: ModuleType, system: str, machine: str, libc: str
) -> None:
    with pytest.raises(bootstrap.Failure, match="runs on Linux"):
        bootstrap.platform_pattern(system, machine, libc)


def test_a_file_with_another_hash_is_thrown_away(bootstrap: ModuleType, site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    (folder / "a.jar").write_bytes(b"something else")
    target = tmp_path / "jars" / "a.jar"
    with pytest.raises(bootstrap.Failure, match="not the file that was locked"):
        bootstrap.fetch(f"{address}/a.jar", target, sha256(b"what was locked"))
    assert list(target.parent.iterdir()) == []


def test_an_interrupted_download_goes_on(bootstrap: ModuleType, site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    (folder / "a.jar").write_bytes(b"whole")
    target = tmp_path / "jars" / "a.jar"
    target.parent.mkdir()
    target.with_name("a.jar.part").write_bytes(b"who")
    bootstrap.fetch(f"{address}/a.jar", target, sha256(b"whole"))
    assert [file.name for file in target.parent.iterdir()] == ["a.jar"]


def test_no_network_is_one_sentence(bootstrap: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(bootstrap.Failure, match=r"^Could not fetch a.jar from 127.0.0.1: .*\.$"):
        bootstrap.fetch("http://127.0.0.1:9/a.jar", tmp_path / "a.jar", sha256(b""))


def test_jars_come_from_the_repository_that_is_set(
    bootstrap: ModuleType, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = site
    path = folder / bootstrap.jar_path("io.delta:delta-storage:4.4.0")
    assert path == folder / "io/delta/delta-storage/4.4.0/delta-storage-4.4.0.jar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"jar")
    (bootstrap.ROOT / "infra" / "jars.toml").write_text(
        f'[[jar]]\ncoordinates = "io.delta:delta-storage:4.4.0"\nsha256 = "{sha256(b"jar")}"\n'
    )
    monkeypatch.setenv("SHOPLAKE_MAVEN_REPOSITORY", address)
    bootstrap.install_jars()
    assert [jar.name for jar in bootstrap.JARS.iterdir()] == ["delta-storage-4.4.0.jar"]


def test_the_default_repository_is_the_one_that_ships_with_spark(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "LAKE", Path(sys.prefix))
    assert bootstrap.maven_repository().endswith("/maven2/")


def test_uv_comes_from_the_index_that_is_set(
    bootstrap: ModuleType, site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = site
    (folder / "files").mkdir()
    wheel = folder / "files" / "uv-9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("uv-9.data/scripts/uv", "#!/bin/sh\necho uv 9\n")
    (folder / "simple" / "uv").mkdir(parents=True)
    page = folder / "simple" / "uv" / "index.html"
    page.write_text('<a href="../../files/uv-9-py3-none-any.whl#sha256=x">uv</a>')
    locked = ("https://somewhere.invalid/uv-9-py3-none-any.whl", sha256(wheel.read_bytes()))
    monkeypatch.setattr(bootstrap, "uv_wheel", lambda lock, pattern: locked)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"mine={address}/simple")
    bootstrap.install_uv()
    assert subprocess.run([bootstrap.UV], capture_output=True, text=True).stdout == "uv 9\n"
    page.unlink()  # a second time nothing is fetched
    bootstrap.install_uv()


def test_an_index_without_the_file_is_one_sentence(bootstrap: ModuleType, site: tuple[str, Path]) -> None:
    address, folder = site
    (folder / "uv").mkdir()
    (folder / "uv" / "index.html").write_text("<a href='uv-0-py3-none-any.whl'>uv</a>")
    with pytest.raises(bootstrap.Failure, match="does not have uv-9"):
        bootstrap.on_index(address, "uv", "uv-9-py3-none-any.whl")


TOLD = """\
Resolved 519 packages in 2ms
 + pandas==2.3.3
error: Failed to install: big-1.0-py3-none-any.whl (big==1.0)
  Caused by: failed to copy file
  Caused by: No space left on device
"""


def pretend_uv(bootstrap: ModuleType, code: int) -> Path:
    """A uv that says all that and ends; its log."""
    bootstrap.UV.parent.mkdir(parents=True)
    bootstrap.UV.write_text(f"#!/bin/sh\ncat >&2 <<'E'\n{TOLD}E\nsleep 1\nexit {code}\n")
    bootstrap.UV.chmod(0o755)
    return bootstrap.HOME / "logs" / "install.log"


def test_an_error_of_uv_is_told_whole_without_the_list_of_packages(bootstrap: ModuleType) -> None:
    log = pretend_uv(bootstrap, 2)
    log.parent.mkdir(parents=True)
    log.write_text("error: of an earlier installation\n")
    with pytest.raises(bootstrap.Failure) as failure:
        bootstrap.uv("sync")
    told = str(failure.value)
    assert TOLD[TOLD.index("error") :] in told and str(log) in told
    assert "pandas" not in told and "earlier" not in told
    assert log.read_text().count(TOLD) == 1


def test_a_terminal_sees_one_line_that_moves_and_the_log_all(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = pretend_uv(bootstrap, 0)
    bootstrap.uv("sync")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bootstrap.uv("sync")
    said = capsys.readouterr().err
    assert "Caused by: No space left on device" in said and "\n" not in said and said.endswith("\r\033[K")
    assert log.read_text() == TOLD * 2


def finish(bootstrap: ModuleType) -> list[str]:
    """Let the steps of an installation only note that they ran, and make what they would make."""
    ran: list[str] = []

    def step(name: str) -> None:
        ran.append(name)
        for piece in (bootstrap.UV, bootstrap.LAKE / "bin/shoplake", bootstrap.AIRFLOW / "bin/airflow", bootstrap.JAVA):
            piece.parent.mkdir(parents=True, exist_ok=True)
            piece.touch()
        bootstrap.JARS.mkdir(exist_ok=True)

    bootstrap.STEPS[:] = [("one", partial(step, "one")), ("two", partial(step, "two"))]
    return ran


def test_twice_does_the_work_once(bootstrap: ModuleType) -> None:
    ran = finish(bootstrap)
    bootstrap.install()
    bootstrap.install()
    assert ran == ["one", "two"]


@pytest.mark.parametrize("change", ["uv.lock", "infra/jars.toml"])
def test_a_changed_lock_installs_again(bootstrap: ModuleType, change: str) -> None:
    ran = finish(bootstrap)
    bootstrap.install()
    with (bootstrap.ROOT / change).open("a") as file:
        file.write("\n# changed\n")
    bootstrap.install()
    assert len(ran) == 4


def test_a_lost_piece_installs_again(bootstrap: ModuleType) -> None:
    ran = finish(bootstrap)
    bootstrap.install()
    bootstrap.JAVA.unlink()
    bootstrap.install()
    assert len(ran) == 4 and bootstrap.JAVA.exists()


def test_a_failed_step_is_one_sentence_and_leaves_it_unfinished(
    bootstrap: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise bootstrap.Failure("The network is gone.")

    monkeypatch.setattr(sys, "argv", ["bootstrap.py"])
    bootstrap.STEPS[:] = [("one", fail)]
    assert bootstrap.main() == 1
    assert capsys.readouterr().err == "The network is gone.\n"
    assert not bootstrap.is_installed()
    finish(bootstrap)
    assert bootstrap.main() == 0 and bootstrap.is_installed()


def test_ctrl_c_is_one_sentence(
    bootstrap: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["bootstrap.py"])
    bootstrap.STEPS[:] = [("one", interrupt)]
    assert bootstrap.main() == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_second_terminal_waits_and_finds_it_done(bootstrap: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    ran = finish(bootstrap)
    bootstrap.HOME.mkdir()
    with (bootstrap.HOME / "install.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=bootstrap.install)
        second.start()
        second.join(0.5)
        assert second.is_alive() and ran == []
    second.join(10)
    assert ran == ["one", "two"]
    assert "Another terminal is installing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("memory", "disk", "says"), [(2e9, 100e9, "4 GB of memory; this machine has 2.0"), (16e9, 1e9, "6 GB of free disk")]
)
def test_a_machine_too_small_is_refused(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, memory: float, disk: float, says: str
) -> None:
    monkeypatch.setattr(bootstrap, "memory_bytes", lambda: memory)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: bootstrap.shutil._ntuple_diskusage(0, 0, disk))
    with pytest.raises(bootstrap.Failure, match=says):
        bootstrap.check_machine()


def test_an_unfit_java_is_refused(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "own" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/bash\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("SHOPLAKE_JAVA_HOME", str(tmp_path / "own"))
    with pytest.raises(bootstrap.Failure, match="needs Java 17 or 21"):
        bootstrap.install_java()
    assert not bootstrap.JAVA.exists()


def test_an_old_python_is_told_so() -> None:
    code = (
        "import sys; sys.version_info = (3, 9, 0)\n"
        f"exec(compile(open({str(ROOT / 'infra' / 'bootstrap.py')!r}).read(), 'bootstrap.py', 'exec'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == ("Shoplake needs Python 3.11 or newer; this is 3.9. Try `make PYTHON=python3.12 …`.")


def test_superset_is_installed_once_per_lock_and_on_a_python_that_has_its_wheels(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(bootstrap, "BI", tmp_path / ".shoplake" / "env" / "bi")
    bootstrap.BI.mkdir(parents=True)
    monkeypatch.setattr(bootstrap, "uv", lambda *words, **settings: asked.append(words))
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 14, 0))
    bootstrap.install_bi()
    bootstrap.install_bi()
    (words,) = asked
    assert words[words.index("--python") + 1] == "3.12" and words[words.index("--group") + 1] == "bi"
    (tmp_path / "uv.lock").write_text("another")
    bootstrap.install_bi()
    assert len(asked) == 2
