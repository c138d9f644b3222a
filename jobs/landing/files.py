"""Landing: every file of a drop folder is taken once, whole, and never changed again.

A landed file lives at `<landing>/<folder>/<file_id>/<name>`; its sidecar `<landing>/<folder>/<file_id>.json`, written
last, makes it count. So a process killed at any moment leaves either a landed file or leftovers that the next run
replaces.

- `file_id` is the first 16 hex digits of the content's SHA-256. Content that comes back under its name after other
  content did (bad, repaired, bad again) is a new delivery and gets `<file_id>-2`, `-3`, …
- The newest arrival of a name supersedes the earlier ones; all are kept. `arrived_at` strictly increases per table.
- The same bytes under a second name are a duplicate where a table holds dated events (its contract names a partition
  date): loading them would double those events. If the first name gets other content later, the second was the right
  one after all and is delivered. Where files are whole exports of a state (a product master), the same bytes under a
  later date are no duplicate: the state went back, or stayed.
- What cannot be taken is refused by name and rule, and the rest goes on. A refusal has a sidecar and no bytes, except a
  file with an unexpected name, whose bytes are kept too.
- Names that start with a dot are unfinished by convention: senders write `.name.tmp` and rename.

The drop folder and landing are local file systems for now; all file operations are in the lower half of this module.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from jobs.kit.contracts import Contract

_CHUNK = 1 << 20
# A file written less than this ago may still change without its mtime moving (file systems tick every few ms): its
# index entry is not trusted until it has been seen older. git calls such an entry "racily clean".
_SETTLED = timedelta(seconds=2)


@dataclass(frozen=True)
class LandedFile:
    """One delivery: taken (`verdict` landed), the same bytes again (duplicate), or refused with its `rule`."""

    table: str
    name: str
    file_id: str
    verdict: str  # landed | duplicate | refused
    arrived_at: datetime
    source: str  # path within the drop folder
    file_date: date | None = None
    sha256: str | None = None
    bytes: int = 0
    path: str | None = None  # where the bytes are; None for a refusal without bytes
    rule: str | None = None
    detail: str | None = None
    duplicate_of: str | None = None  # "<name> (<file_id>)"

    def to_json(self) -> str:
        """The sidecar's text. The path is left out: landing may be moved."""
        said = {k: v for k, v in asdict(self).items() if k != "path"}
        said |= {"arrived_at": self.arrived_at.isoformat(timespec="microseconds")}
        said |= {"file_date": self.file_date.isoformat() if self.file_date else None}
        return json.dumps(said, indent=1, ensure_ascii=False, sort_keys=True)

    @classmethod
    def read(cls, sidecar: Path) -> "LandedFile":
        """The delivery that a sidecar tells of."""
        said = json.loads(sidecar.read_bytes())
        path = sidecar.with_suffix("") / said["name"]
        return cls(
            **said
            | {
                "arrived_at": datetime.fromisoformat(said["arrived_at"]),
                "file_date": date.fromisoformat(said["file_date"]) if said["file_date"] else None,
                "path": str(path) if said["sha256"] else None,
            }
        )


class RefusedError(Exception):
    """A file that cannot be taken: `rule` names why."""

    def __init__(self, rule: str, detail: str):
        super().__init__(detail)
        self.rule, self.detail = rule, detail


def landed(contract: Contract, landing: Path) -> list[LandedFile]:
    """Every delivery of a table so far, in the order of arrival."""
    sidecars = (landing / _folder(contract)).glob("[!.]*.json")
    return sorted(map(LandedFile.read, sidecars), key=lambda f: f.arrived_at)


def exchange(contract: Contract, landing: Path, file: LandedFile, content: Path | None) -> LandedFile | None:
    """Put other content in the place of a delivery, as if it had come in its stead; nothing is left of the old one.

    The one exception to "never changed": what an erasure takes. The new delivery has its own id, so that bronze loads
    it, and the old time of arrival, so that it is newer and older than the same ones. None: nothing takes its place.
    Killed and done again it ends the same.
    """
    home = landing / _folder(contract)
    with _locked(home):
        made = None
        if content is not None:
            sha256 = hashlib.sha256(content.read_bytes()).hexdigest()
            known = {f.file_id: f for f in landed(contract, landing)}
            free = (f"{sha256[:16]}{n}" for n in ("", *(f"-{i}" for i in range(2, len(known) + 3))))
            ours = (file.name, file.arrived_at)
            file_id = next(i for i in free if i not in known or (known[i].name, known[i].arrived_at) == ours)
            (home / file_id).mkdir(exist_ok=True)
            path = home / file_id / file.name
            shutil.copyfile(content, path)
            made = replace(file, file_id=file_id, sha256=sha256, bytes=path.stat().st_size, path=str(path))
            _write_whole(home / f"{file_id}.json", made.to_json())
        if made is None or made.file_id != file.file_id:
            (home / f"{file.file_id}.json").unlink(missing_ok=True)
            shutil.rmtree(home / file.file_id, ignore_errors=True)
        (home / ".incoming.tmp").unlink(missing_ok=True)
        return made


def dropped(contract: Contract, drop: Path) -> list[Path]:
    """The files of a table that stand in the drop folder, whatever their names."""
    folder = drop / _folder(contract)
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.is_symlink()) if folder.is_dir() else []


def newest(files: list[LandedFile]) -> list[LandedFile]:
    """Of each name, the delivery that counts: the newest that has bytes to read and is no duplicate."""
    by_name = {f.name: f for f in sorted(files, key=lambda f: f.arrived_at) if f.verdict == "landed"}
    return sorted(by_name.values(), key=lambda f: f.arrived_at)


def land(contract: Contract, drop: Path, landing: Path, *, as_of: date) -> list[LandedFile]:
    """Take what is new in the table's drop folder, dated up to `as_of`; returns the new deliveries and refusals."""
    folder = _folder(contract)
    home = landing / folder
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        shelf = _Shelf(contract, home, landed(contract, landing))
        for file_date, path in _candidates(drop / folder, shelf.pattern):
            if file_date is None or file_date <= as_of:
                shelf.take(path, f"{folder}/{path.name}", file_date)
        shelf.release_duplicates()
        shelf.save_index()
        return shelf.fresh


def _folder(contract: Contract) -> str:
    if contract.drop is None:
        raise ValueError(f"{contract.name} has no drop folder: only bronze tables are landed")
    return contract.drop.folder


def _candidates(folder: Path, pattern: re.Pattern[str]) -> list[tuple[date | None, Path]]:
    """The folder's entries, oldest date first, with the date in their name; None where the name is not as agreed."""
    entries = [p for p in folder.iterdir() if not p.name.startswith(".")] if folder.is_dir() else []
    return sorted(((_file_date(pattern, p.name), p) for p in entries), key=lambda e: (e[0] or date.min, e[1].name))


def _file_date(pattern: re.Pattern[str], name: str) -> date | None:
    match = pattern.fullmatch(name)
    try:
        return date.fromisoformat(match["file_date"]) if match else None
    except ValueError:  # 2017-02-30
        return None


class _Shelf:
    """One table's landed files while new ones are put beside them."""

    def __init__(self, contract: Contract, home: Path, known: list[LandedFile]):
        self.contract, self.home, self.fresh = contract, home, list[LandedFile]()
        self.ids: set[str] = set()
        self.last_event: dict[str, LandedFile] = {}  # by name
        self.current: dict[str, LandedFile] = {}  # by name, the last one with bytes
        self.last_arrival = datetime.min.replace(tzinfo=UTC)
        for file in known:
            self._remember(file)
        self.pattern = re.compile(contract.drop.name if contract.drop else "")
        self.headers = 0 if contract.drop and contract.drop.format == "jsonl" else 1  # lines that are no rows
        self.index = _read_index(home / ".index.json")

    def take(self, path: Path, source: str, file_date: date | None) -> None:
        """Land one file, or refuse it; nothing if it is known."""
        try:
            if self.index.get(path.name, ()) == _key(path.lstat()):
                return
        except OSError:
            pass  # told by _copy
        file = LandedFile(self.contract.table, path.name, "", "landed", self._now(), source, file_date)
        incoming = self.home / ".incoming.tmp"
        try:
            seen, sha256, lines = _copy(path, incoming)
        except RefusedError as refusal:
            incoming.unlink(missing_ok=True)
            self._refuse(file, refusal)
            return
        if datetime.fromtimestamp(seen.st_mtime, UTC) < datetime.now(UTC) - _SETTLED:
            self.index[path.name] = _key(seen)
        last = self.current.get(path.name)
        if last and last.sha256 == sha256:
            incoming.unlink()
            return
        file = replace(file, file_id=self._free_id(sha256[:16]), sha256=sha256, bytes=seen.st_size)
        if file_date is None:
            detail = f"{self.contract.table} expects names like {self.pattern.pattern}"
            file = replace(file, verdict="refused", rule="file:unexpected_name", detail=detail)
        elif lines > self.headers and (twin := self._twin(file)):  # days without sales all send the same header
            file = replace(
                file,
                verdict="duplicate",
                rule="file:duplicate_content",
                duplicate_of=f"{twin.name} ({twin.file_id})",
                detail=f"the same bytes came as {twin.name}",
            )
        self._keep(file, incoming)

    def release_duplicates(self) -> None:
        """Deliver what was held as a duplicate of a file that has other content by now."""
        for held in [f for f in self.current.values() if f.verdict == "duplicate" and not self._twin(f)]:
            incoming = self.home / ".incoming.tmp"
            shutil.copyfile(str(held.path), incoming)
            file = replace(held, verdict="landed", rule=None, detail=None, duplicate_of=None, arrived_at=self._now())
            self._keep(replace(file, file_id=self._free_id(str(held.sha256)[:16])), incoming)

    def save_index(self) -> None:
        """What was seen, so that an unchanged file is not read again. Losing it costs time, nothing else."""
        _write_whole(self.home / ".index.json", json.dumps(self.index))

    def _twin(self, file: LandedFile) -> LandedFile | None:
        if not self.contract.partition:
            return None
        same = (f for f in self.current.values() if f.sha256 == file.sha256 and f.name != file.name)
        return next((f for f in same if f.verdict == "landed"), None)

    def _refuse(self, file: LandedFile, refusal: RefusedError) -> None:
        last = self.last_event.get(file.name)
        if last is None or last.rule != refusal.rule:
            said = hashlib.sha256(f"{file.name}\n{refusal.rule}".encode()).hexdigest()
            file = replace(file, verdict="refused", rule=refusal.rule, detail=refusal.detail)
            self._keep(replace(file, file_id=self._free_id(said[:16])), None)

    def _keep(self, file: LandedFile, incoming: Path | None) -> None:
        if incoming:
            folder = self.home / file.file_id
            folder.mkdir(exist_ok=True)
            incoming.replace(folder / file.name)
            file = replace(file, path=str(folder / file.name))
        _write_whole(self.home / f"{file.file_id}.json", file.to_json())
        self.fresh.append(file)
        self._remember(file)

    def _remember(self, file: LandedFile) -> None:
        self.ids.add(file.file_id)
        self.last_event[file.name] = file
        self.last_arrival = file.arrived_at
        if file.sha256:
            self.current[file.name] = file

    def _free_id(self, stem: str) -> str:
        n, free = 1, stem
        while free in self.ids:
            n += 1
            free = f"{stem}-{n}"
        return free

    def _now(self) -> datetime:
        return max(datetime.now(UTC), self.last_arrival + timedelta(microseconds=1))


# ---- the file system ----


def _copy(path: Path, target: Path) -> tuple[os.stat_result, str, int]:
    """Copy a regular file; its stat, SHA-256 and line ends. RefusedError if it is none, is unreadable, or changes."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for its writer. O_NOFOLLOW: a link could lead out of the drop folder.
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise RefusedError(*_why(error)) from error
    try:
        before = os.fstat(source)
        if stat.S_ISDIR(before.st_mode):
            raise RefusedError("file:directory", "a directory where a file should be")
        if not stat.S_ISREG(before.st_mode):
            raise RefusedError("file:not_a_file", "a pipe, socket or device where a file should be")
        digest, size, lines = hashlib.sha256(), 0, 0
        with target.open("wb") as writer:
            while chunk := _read(source):
                digest.update(chunk)
                size += writer.write(chunk)
                lines += chunk.count(b"\n")
        if _key(os.fstat(source)) != _key(before) or size != before.st_size:
            raise RefusedError("file:changed_while_read", f"{before.st_size} bytes at first, {size} read")
        return before, digest.hexdigest(), lines
    finally:
        os.close(source)


def _read(source: int) -> bytes:
    try:
        return os.read(source, _CHUNK)
    except OSError as error:
        raise RefusedError(*_why(error)) from error


def _why(error: OSError) -> tuple[str, str]:
    rules = {
        errno.ELOOP: ("file:symlink", "a symbolic link where a file should be"),
        errno.ENOENT: ("file:vanished", "listed, and gone when it was opened"),
        errno.EISDIR: ("file:directory", "a directory where a file should be"),
    }
    return rules.get(error.errno or 0, ("file:unreadable", error.strerror or str(error)))


def _key(found: os.stat_result) -> list[int]:
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _read_index(path: Path) -> dict[str, list[int]]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One process at a time lands a table; another one waits."""
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
