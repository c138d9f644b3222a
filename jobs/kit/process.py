"""Long-lived processes that we start: secrets, ports, logs, and stopping only what is ours."""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

# Settings meant for the caller's Python; ours would import twice as slowly, or the wrong modules, with them.
FOREIGN = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")
LOOPBACK = "127.0.0.1"


class NotStarted(RuntimeError):
    """One sentence that says what did not start and why."""


@dataclass(frozen=True)
class Handle:
    """A process of ours. The time of its creation tells it from a later process with the same pid."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Handle | None":
        """The handle of a living process, by its pid."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """The living process, or None: gone, a zombie, or its pid is another's by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 2 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if same else None


def spawn(command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path, **account: Any) -> Handle:
    """Start a process that outlives its starter: a session of its own, no terminal, its words in a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    with log.open("wb") as words:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            **account,
        )
    return Handle.of(process.pid) or Handle(process.pid, time.time())


def stop(*handles: Handle, patience: float = 20, first: signal.Signals = signal.SIGTERM) -> list[Handle]:
    """End processes and what they started, politely first, all at once; returns those that had anything to end."""
    alive = {handle: found for handle in handles if (found := _family(handle))}
    members = [member for family in alive.values() for member in family]
    for handle in alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; macOS says so differently
            os.killpg(handle.pid, first)
    _, members = psutil.wait_procs(members, timeout=patience)
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(members, timeout=5)
    return list(alive)


def _family(handle: Handle) -> list[psutil.Process]:
    """The process, its descendants, and those left in its session, which outlive it when it is killed."""
    leader = handle.process()
    if leader is None and (other := Handle.of(handle.pid)) and other.process():
        return []  # the pid is another's by now, so nothing of the old session is left
    family = [leader, *leader.children(recursive=True)] if leader else []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == handle.pid and process not in family:
                family.append(process)
    return family


def environment(**more: str) -> dict[str, str]:
    """Our environment, cleaned, and some more."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN} | more


def secret(path: Path) -> str:
    """The secret in this file; made up, readable by its owner alone, when there is none yet."""
    if not path.exists():
        part = _private(path, secrets.token_urlsafe(24))
        with contextlib.suppress(FileExistsError):  # of two at once, one wins and both read the same
            os.link(part, path)
        part.unlink()
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    _private(path, text).replace(path)


def _private(path: Path, text: str) -> Path:
    """Write the text to a new file beside path (mkstemp's are private)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(number, "w") as file:
        file.write(text)
    return Path(part)


def write_json(path: Path, value: object) -> None:
    """Write a private JSON file."""
    write_private(path, json.dumps(value, indent=2, default=str))


def listens(port: int) -> bool:
    """Whether somebody answers on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port(preferred: int, taken: set[int] | None = None) -> int:
    """The preferred loopback port, or the next one that nobody has."""
    for port in range(preferred, min(preferred + 200, 65536)):
        if port in (taken or ()) or listens(port):
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of our own, just closed, is free
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        return port
    raise NotStarted(f"No free port from {preferred} on.")


def wait_until(ready: Callable[[], bool], handle: Handle, name: str, log: Path, seconds: float) -> None:
    """Wait until it is ready; say in one sentence, with its last words, why it is not."""
    until = time.monotonic() + seconds
    while not ready():
        if handle.process() is None:
            raise NotStarted(f"{name} ended while starting: {last_error(log)} (log: {log})")
        if time.monotonic() > until:
            raise NotStarted(f"{name} was not ready after {seconds:.0f} s: {last_error(log)} (log: {log})")
        time.sleep(0.1)


def last_error(log: Path) -> str:
    """The last line of a log that looks like a reason."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    signs = ("ERROR", "FATAL", "Error:", "Exception", "error:", "Caused by")
    reasons = [line for line in lines if any(sign in line for sign in signs) and not line.startswith("\tat ")]
    return (reasons or lines or ["it said nothing"])[-1].strip()[:300]


class Background:
    """A call in a thread that does not hold up the end of the program (Ctrl-C), with its error kept for `join`."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._error = error

    def join(self) -> None:
        """Wait for the end of the call; raises what it raised."""
        while self._thread.is_alive():
            self._thread.join(0.2)
        if self._error:
            raise self._error


@contextlib.contextmanager
def alone(home: Path, name: str, say_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the name on this machine: one run of a table, one start of the services at a time; a second waits."""
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say_waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
