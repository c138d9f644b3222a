"""Processes of ours: told from others', stopped whole, on free ports, with private secrets."""

import os
import signal
import socket
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from jobs.kit import process
from jobs.kit.process import Handle, NotStarted


def spawn(tmp_path: Path, code: str) -> Handle:
    return process.spawn([sys.executable, "-c", code], log=tmp_path / "p.log", env=os.environ, cwd=tmp_path)


def test_a_later_process_with_the_same_pid_is_not_ours() -> None:
    me = psutil.Process()
    assert Handle(me.pid, me.create_time()).process() == me
    assert Handle(me.pid, me.create_time() - 100).process() is None
    assert process.stop(Handle(me.pid, me.create_time() - 100)) == []  # and we are still here


def test_it_outlives_its_starter_in_a_session_of_its_own(tmp_path: Path) -> None:
    handle = spawn(tmp_path, "import time; time.sleep(60)")
    assert os.getsid(handle.pid) == handle.pid != os.getsid(0)
    assert process.stop(handle) == [handle]
    assert handle.process() is None
    assert process.stop(handle) == []


def test_a_deaf_process_and_its_children_end_too(tmp_path: Path) -> None:
    deaf = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    child = f"import subprocess,sys; print(subprocess.Popen([sys.executable, '-c', {deaf + '; time.sleep(60)'!r}],"
    child += " start_new_session=True).pid, flush=True)"
    handle = spawn(tmp_path, f"{deaf}\n{child}\ntime.sleep(60)")
    log = tmp_path / "p.log"
    while not log.read_text().strip():
        time.sleep(0.05)
    process.stop(handle, patience=0.3)
    assert handle.process() is None
    time.sleep(0.2)
    pid = int(log.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_a_killed_process_leaves_behind_ends_too(tmp_path: Path) -> None:
    child = (
        "import subprocess,sys,time; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid"
    )
    handle = spawn(tmp_path, child + ", flush=True); time.sleep(60)")
    log = tmp_path / "p.log"
    while not log.read_text().strip():
        time.sleep(0.05)
    leader = psutil.Process(handle.pid)
    leader.kill()
    leader.wait(5)
    assert handle.process() is None and psutil.pid_exists(int(log.read_text()))
    assert process.stop(handle) == [handle]
    assert not psutil.pid_exists(int(log.read_text()))


def test_the_first_signal_can_be_chosen(tmp_path: Path) -> None:
    code = "import signal,time\nsignal.signal(signal.SIGINT, lambda *a: (print('bye', flush=True), exit()))"
    handle = spawn(tmp_path, f"{code}\nprint('hello', flush=True)\ntime.sleep(60)")
    while "hello" not in (tmp_path / "p.log").read_text():
        time.sleep(0.05)
    process.stop(handle, first=signal.SIGINT)
    assert "bye" in (tmp_path / "p.log").read_text()


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert process.listens(port)
        assert process.free_port(port) > port
    assert process.free_port(port) == port
    assert process.free_port(port, taken={port}) > port


def test_a_secret_is_private_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "token"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: process.secret(path), range(32)))
    assert len(found) == 1 and len(found.pop()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_what_ends_while_starting_is_quoted(tmp_path: Path) -> None:
    handle = spawn(tmp_path, "raise RuntimeError('no such database')")
    with pytest.raises(NotStarted, match="It ended while starting: RuntimeError: no such database"):
        process.wait_until(lambda: False, handle, "It", tmp_path / "p.log", 30)


def test_what_never_answers_is_given_up(tmp_path: Path) -> None:
    handle = spawn(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(NotStarted, match="It was not ready after 0 s: it said nothing"):
        process.wait_until(lambda: False, handle, "It", tmp_path / "p.log", 0.3)
    process.stop(handle)


def test_the_settings_of_another_python_do_not_reach_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "yes")
    env = process.environment(MORE="this")
    assert "PYTHONDONTWRITEBYTECODE" not in env and env["KEPT"] == "yes" and env["MORE"] == "this"
