"""What the writers of demo data share: files that are replaced whole, and only if that changes them."""

import filecmp
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Written:
    """What a writer left in the drop folder: how many files are there, and how many of them it wrote or replaced."""

    files: int
    changed: int


def put(fresh: Path, path: Path) -> bool:
    """Give a finished file its name; False, and the old one untouched, if that says the same already."""
    if path.is_file() and filecmp.cmp(fresh, path, shallow=False):
        fresh.unlink()
        return False
    fresh.replace(path)
    return True


def quoted(path: object) -> str:
    """A path as SQL text."""
    return "'" + str(path).replace("'", "''") + "'"
