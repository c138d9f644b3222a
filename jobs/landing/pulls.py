"""Pulling: where a source system can be asked, what it has that is new goes to its drop folder first, as if it had
sent it, and is landed from there like any other file.

Which systems can be asked is a setting: `SHOPLAKE_SOURCES__ERP=postgresql://…`. The address says how: `postgresql`
(relational.py), `s3` (bucket.py), `http` and `https` (the source's own module in this folder). Without an address the
files come by themselves.

What is asked per day becomes **one file per table and business day**, under the name that the contract gives. The file
of a day holds all since the last file before it, so that the landed names are the only memory of how far one has read:
nothing else has to agree with them after a kill. A day that was over when it was asked is asked once; any other again,
until it is: its file grows, and the newest delivery of a name counts. A killed pull leaves a part that starts with a
dot, which nobody lands; the next one asks again.
"""

import hashlib
import importlib
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol
from zoneinfo import ZoneInfo

from jobs.kit.contracts import Contract, ContractError
from jobs.landing.files import landed, newest


@dataclass(frozen=True)
class Days:
    """Business days to ask for, both inclusive, in the business time zone; `first` None: since the beginning."""

    first: date | None
    last: date
    zone: ZoneInfo

    @property
    def since(self) -> datetime | None:
        """When the first day begins."""
        return datetime.combine(self.first, time(), self.zone) if self.first else None

    @property
    def until(self) -> datetime:
        """When the last day is over: what happened then is not asked for."""
        return datetime.combine(self.last + timedelta(days=1), time(), self.zone)


class Source(Protocol):
    """A module that knows how one kind of system is asked."""

    def pull(self, contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
        """Write what a table got in these days, in the format of its contract.

        Same days, same bytes, as long as the source did not change. PullError where it cannot be asked.
        """

    def pull_deletions(self, contract: Contract, address: str, days: Days, landing: Path, file: BinaryIO) -> None:
        """Only of databases: write what of other tables (`keys` of the contract) was landed and is there no longer."""


class PullError(Exception):
    """A source that could not be asked: one sentence that names it, never with its password."""


def pull(contract: Contract, address: str, drop: Path, landing: Path, *, as_of: date, zone: ZoneInfo) -> list[Path]:
    """Ask for what is not landed yet up to `as_of`; the files that were written, none if there was nothing to ask.

    `zone`: what says when a business day is over. PullError if the source cannot be asked.
    """
    assert contract.drop
    folder = drop / contract.drop.folder
    folder.mkdir(parents=True, exist_ok=True)
    scheme = address.partition(":")[0]
    if scheme == "s3":
        return importlib.import_module("jobs.landing.bucket").copy_new(contract, address, folder, as_of=as_of)
    if contract.pull and contract.pull.keys and scheme != "postgresql":
        return []  # deletions are seen in a database alone
    module = _module(contract, scheme)
    asked = [_ask(module, contract, address, folder, landing, days) for days in _days(contract, landing, as_of, zone)]
    return [path for path in asked if path]


def _ask(module: Source, contract: Contract, address: str, folder: Path, landing: Path, days: Days) -> Path | None:
    name = _file_name(contract, days.last)
    part = folder / f".{name}.tmp"
    try:
        with part.open("wb") as file:
            if contract.pull and contract.pull.keys:
                module.pull_deletions(contract, address, days, landing, file)
            else:
                module.pull(contract, address, days, file)
        if _is_known(contract, landing, part):
            part.unlink()
            return None
        return part.replace(folder / name)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _module(contract: Contract, scheme: str) -> Source:
    """The module whose `pull` speaks this scheme."""
    names = {"postgresql": "relational", "http": contract.source, "https": contract.source}
    if scheme not in names:
        raise PullError(f"{contract.source}: nothing here can ask an address that starts with {scheme}:")
    module = importlib.import_module(f"jobs.landing.{names[scheme]}")
    if not hasattr(module, "pull"):
        raise PullError(f"{contract.source}: jobs/landing/{names[scheme]}.py has no `pull`, so it has no {scheme} API")
    return module


def _days(contract: Contract, landing: Path, as_of: date, zone: ZoneInfo) -> list[Days]:
    """What to ask for: of dated rows the last file's days again, if it came before its day was over; the days since."""
    files = {f.file_date: f for f in landed(contract, landing) if f.file_date and f.sha256}
    dates = sorted(files)
    if any(d > as_of for d in dates):  # a later file holds this day too
        return []

    def since_the_file_before(day: date) -> Days:
        before = [d for d in dates if d < day]
        return Days(before[-1] + timedelta(days=1) if before else None, day, zone)

    # A whole export says what is so now: the next one is of the next day.
    wanted = {as_of, *dates[-1:]} if _is_dated(contract) else {as_of}
    asked = [since_the_file_before(day) for day in sorted(wanted)]
    return [d for d in asked if d.last not in files or files[d.last].arrived_at < d.until]


def _is_dated(contract: Contract) -> bool:
    """Whether a file holds what came in its days; else the whole, as it is now."""
    return bool(contract.partition or (contract.pull and contract.pull.cursor))


def _file_name(contract: Contract, day: date) -> str:
    """The name that the contract's pattern means for a day: the date filled in, what is optional left out."""
    assert contract.drop
    name = re.sub(r"\(\?P<file_date>[^)]*\)", day.isoformat(), contract.drop.name)
    name = re.sub(r"\([^)]*\)\?", "", name).replace("\\.", ".")
    if not re.fullmatch(contract.drop.name, name):
        raise ContractError(f"{contract.path}: no file name can be made of the pattern {contract.drop.name}")
    return name


def _is_known(contract: Contract, landing: Path, part: Path) -> bool:
    """Whether a whole export says nothing that the newest landed one does not."""
    if _is_dated(contract):  # a file without any row says that its day was asked for
        return False
    files = newest(landed(contract, landing))
    with part.open("rb") as file:
        return bool(files) and files[-1].sha256 == hashlib.file_digest(file, "sha256").hexdigest()
