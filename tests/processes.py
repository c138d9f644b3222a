"""For tests that run `shoplake` as others do, in processes of its own, on lakes of their own."""

import os
import sys
from pathlib import Path

from tests.kit.test_increments import all_names, content


def command() -> str:
    return str(Path(sys.executable).with_name("shoplake"))


def environment(folder: Path, home: Path) -> dict[str, str]:
    """`folder` holds lake and drop, `home` all else; several lakes may share a home, and so an engine."""
    said = {"HOME": home, "LAKE": folder / "lake", "DROP": folder / "drop", "ENGINE": ""}
    return {**os.environ, **{f"SHOPLAKE_{k}": str(v) for k, v in said.items()}}


def assert_same(lakes, folder: Path, wanted_folder: Path) -> None:
    """Every table of bronze, silver, gold and the quarantine has the same content in both lakes."""
    with lakes(folder):
        found = {t: content(t) for t in all_names()}
    with lakes(wanted_folder):
        wanted = {t: content(t) for t in all_names()}
    for table in wanted:
        assert found[table] == wanted[table], f"{table} differs"
    assert wanted["gold.sales_daily"], "there was to be something to compare"
