"""A new source and a new table as README.md and docs/howto.md say it: their commands and files, in a copy of the
checkout, on the demo's lake. A database as a source: tests/landing/test_new_source.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from jobs.kit.settings import CHECKOUT
from tests.landing.test_new_source import fill

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
DAY = "2025-06-30"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout that shares what is installed."""
    copy = tmp_path / "checkout"
    shutil.copytree(CHECKOUT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    (copy / ".shoplake").symlink_to(CHECKOUT / ".shoplake")
    return copy


@pytest.fixture
def shell(checkout: Path, demo_lake: dict[str, str]) -> Callable:
    """`shell(line)`: what a line of a page prints, in the demo's lake or one with `other` settings. It is to end with
    `code`."""

    def run(line: str, code: int = 0, **other: str) -> str:
        words = shlex.split(line, comments=True)
        if words[0] == "shoplake":
            words = ["python", "-m", "jobs.cli", *words[1:]]
        if words[0] == "pytest":
            words = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *words[1:]]
        assert words[0] == "python", f"nobody here does what {words[0]} does"
        env = os.environ | demo_lake | {"PYTHONPATH": str(checkout)} | other
        done = subprocess.run([sys.executable, *words[1:]], cwd=checkout, env=env, capture_output=True, text=True)
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def section(page: str, heading: str) -> str:
    """What stands below a heading of the second level, or a word in bold, up to the next."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return re.split(r"^(?:## |\*\*[A-Z])", text.split(f"\n{heading}", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(demo_lake: dict[str, str], table: str) -> list[dict]:
    return DeltaTable(f"{demo_lake['SHOPLAKE_HOME']}/lake/{table}").to_pyarrow_table().to_pylist()


def test_a_table(shell, checkout, demo_lake):
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", section("docs/howto.md", "## Add a table"), re.M | re.S)
    try:
        for kind, text in blocks:
            if kind == "sh":
                for line in text.splitlines():
                    shell(line)
            else:
                if text.startswith("# jobs/gold/basket_size.py"):
                    assert "jobs/gold/basket_size.py: TODO in line" in shell("shoplake contract lint", code=1)
                fill(checkout, text)
        orders = [r for r in rows(demo_lake, "silver/orders") if r["is_purchase"]]
        assert sum(r["order_count"] for r in rows(demo_lake, "gold/basket_size")) == len(orders) > 0
        assert "gold.basket_size ← silver.orders" in (checkout / "tests/shape/lineage.txt").read_text()
    finally:
        shutil.rmtree(f"{demo_lake['SHOPLAKE_HOME']}/lake/gold/basket_size", ignore_errors=True)


def test_a_source_in_five_lines(shell, checkout, tmp_path):
    """README.md says what to do in each line; here it is done."""
    said = section("README.md", "**A source**")
    shell(re.search(r"`(shoplake new source [^`]*)`", said)[1])
    contract = checkout / "jobs/bronze/loyalty_points.yaml"
    text = re.sub(r'"?TODO[^"\n,}]*"?', "said", contract.read_text())
    contract.write_text(text.replace("name: loyalty_points_id", "name: points"))
    gate = checkout / "expectations/bronze/loyalty_points.yaml"
    gate.write_text(gate.read_text().replace("TODO: say why it matters", "An empty export is a failed one."))
    shell("shoplake contract lint")
    folder = tmp_path / re.search(r"`\.shoplake/(drop/[^`]*)`", said)[1]
    folder.mkdir(parents=True)
    (folder / f"loyalty_points_{DAY}.csv").write_text("points\n1\n2\n")
    own = {"SHOPLAKE_LAKE": str(tmp_path / "lake"), "SHOPLAKE_DROP": str(tmp_path / "drop")}
    shell(re.search(r"`(shoplake run [^`]*)`", said)[1], **own)
    found = DeltaTable(str(tmp_path / "lake/bronze/loyalty_points")).to_pyarrow_table()
    assert found["points"].to_pylist() == ["1", "2"]
