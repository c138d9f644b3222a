"""A database becomes a source as docs/sources.md says it, step by step: the page's own tables, commands and files, in a
copy of the checkout. What the page leaves to the reader is made up here: the rows."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from deltalake import DeltaTable

from jobs.kit import engine, services
from jobs.kit.settings import CHECKOUT, Settings, settings

PAGE = (CHECKOUT / "docs" / "sources.md").read_text(encoding="utf-8")
(SECTION,) = re.findall(r"^## A database, step by step\n(.*?)^## ", PAGE, re.M | re.S)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", SECTION, re.M | re.S)
PLACE = "gifts.example.com:5432"
DAY, NEXT, QUIET = "2025-06-30", "2025-07-01", "2025-07-02"

ROWS = """
INSERT INTO gifts.gifts VALUES
    ('G1', '保温杯, "blue"', 500, true), ('G2', 'Towel', 100, true), ('G3', 'Mug', 200, false);
INSERT INTO gifts.redemptions SELECT n, 'M' || lpad((n % 70)::text, 6, '0'), 'G' || n % 3 + 1, 100 + n / 4.0, at, at
FROM (SELECT n, timestamptz '2025-06-30 23:50+08' - n * interval '1 hour' AS at FROM generate_series(1, 200) n) made"""
NEWS = """
INSERT INTO gifts.redemptions SELECT n, 'M000001', 'G1', 500, '2025-07-01 09:00+08', '2025-07-01 09:00+08'
FROM generate_series(201, 220) n;
UPDATE gifts.redemptions SET points_spent = points_spent + 1, updated_at = '2025-07-01 23:59:59+08' WHERE id <= 10;
UPDATE gifts.redemptions SET points_spent = 0, updated_at = '2025-07-01 12:00+08' WHERE id = 11;
DELETE FROM gifts.redemptions WHERE id BETWEEN 101 AND 107;
DELETE FROM gifts.gifts WHERE code = 'G3';
UPDATE gifts.gifts SET name = 'Beach towel' WHERE code = 'G2'"""


@pytest.fixture(scope="module")
def owner() -> Iterator[str]:
    """The address of a PostgreSQL with the page's tables and our rows, as its owner; the page's account may read."""
    with tempfile.TemporaryDirectory(prefix="shoplake-test-", ignore_cleanup_errors=True) as folder:
        there = Settings(home=Path(folder))
        services.up(there, ["postgres"], say=lambda _: None)
        address = services.postgres_url(there, "loyalty").replace("+psycopg2", "")
        ask(address.replace("/loyalty", "/postgres"), "CREATE DATABASE loyalty")
        (tables,) = (text for kind, text in BLOCKS if kind == "sql")
        ask(address, tables + ROWS)
        ask(address, "CREATE ROLE lake LOGIN PASSWORD 'secret'; GRANT pg_read_all_data TO lake")
        yield address
        services.down(there, say=lambda _: None)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the checkout that shares what is installed."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "golden")
    shutil.copytree(CHECKOUT, tmp_path / "checkout", ignore=ignored)
    (tmp_path / "checkout" / ".shoplake").symlink_to(CHECKOUT / ".shoplake")
    return tmp_path / "checkout"


@pytest.fixture
def shell(checkout, owner, tmp_path) -> Callable:
    """`shell(line)`: what a line of the page prints, `export` included. It is to succeed, or to end with `code`."""
    own = {"SHOPLAKE_LAKE": str(tmp_path / "lake"), "SHOPLAKE_DROP": str(tmp_path / "drop")}
    shared = {"SHOPLAKE_ENGINE": engine.attach(settings())}  # pytest has a home of its own, and would start another
    env = os.environ | own | shared | {"PYTHONPATH": str(checkout)}

    def run(line: str, code: int = 0) -> str:
        program, *words = shlex.split(line, comments=True)
        if program == "export":
            name, _, value = words[0].partition("=")
            env[name] = value.replace(PLACE, owner.rpartition("@")[2].partition("/")[0])
            return ""
        modules = {"shoplake": ["jobs.cli"], "pytest": ["pytest", "-q", "-p", "no:cacheprovider"]}
        assert program in modules, f"nobody here does what {program} does"
        command = [sys.executable, "-m", *modules[program], *words]
        done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def test_the_page_leads_from_a_database_to_a_table_of_silver(spark, shell, checkout, tmp_path, owner):
    lake = tmp_path / "lake"
    for kind, text in BLOCKS:
        if kind == "sh":
            for line in text.splitlines():
                if "run redemptions" in line and NEXT in line:
                    assert rows(lake, "bronze/gifts_deletions") == []
                    ask(owner, NEWS)
                shell(line)
        elif kind != "sql":
            if text.startswith("# jobs/bronze/gifts.yaml"):
                assert "jobs/bronze/gifts.yaml: TODO in line" in shell("shoplake contract lint", code=1)
            fill(checkout, text)

    redemptions = rows(lake, "bronze/redemptions")
    states = sorted(int(r["id"]) for r in redemptions)
    assert states == sorted([*range(1, 221), *range(1, 11)]), "a row that changed is there twice"
    assert len(rows(lake, "bronze/gifts")) == 3 + 2, "two exports"
    gone = {(r["table_name"], r["row_key"], r["is_deleted"]) for r in rows(lake, "bronze/gifts_deletions")}
    assert gone == {("gifts", "G3", "Y")} | {("redemptions", str(n), "Y") for n in range(101, 108)}
    (refused,) = re.findall(r'"id":"(\d+)"', shell("shoplake quarantine show redemptions"))
    assert refused == "11", "whose news cost no points"

    found = {r["redemption_id"]: r for r in rows(lake, "silver/gift_redemptions")}
    there = ask(owner, "SELECT id::text, member_card_id, gift_code, points_spent, redeemed_at FROM gifts.redemptions")
    columns = ("redemption_id", "member_card_id", "gift_code", "points_spent", "redeemed_at")
    live = {tuple(r[c] for c in columns) for r in found.values() if not r["is_deleted"]}
    assert live - set(there) == {tuple(found["11"][c] for c in columns)} and len(live) == len(there)
    assert {int(n) for n in found if found[n]["is_deleted"]} == set(range(101, 108))
    names = {"G1": '保温杯, "blue"', "G2": "Beach towel", "G3": "Mug"}
    assert {r["gift_code"]: r["gift_name"] for r in found.values()} == names

    shell(f"shoplake run redemptions --as-of {QUIET}")
    assert len(rows(lake, "bronze/redemptions")) == len(redemptions), "a night without news is fine"
    assert f"as of {QUIET}" in shell("shoplake run redemptions"), "without --as-of the latest day, which it says"
    assert "left bronze.redemptions as it is" in shell(
        "shoplake new source --system gifts --relation 'gifts.*' --deletions"
    )


def test_what_is_not_written_or_not_yet_said_is_told(shell, checkout, owner):
    ask(owner, "CREATE SCHEMA shop; CREATE TABLE shop.orders (id bigint PRIMARY KEY)")
    columns = "card_id text, number int, changed_on date NOT NULL, PRIMARY KEY (card_id, number)"
    ask(owner, f"CREATE TABLE shop.vouchers ({columns})")
    shell(f"export SHOPLAKE_SOURCES__SHOP=postgresql://lake:secret@{PLACE}/loyalty")
    said = shell("shoplake new source --system shop --relation 'shop.*' --deletions")
    other = "shoplake new source shop_orders --system shop --relation shop.orders"
    assert f"not written: shop.orders, for there is silver.orders. Name it: {other}" in said
    assert "shop.vouchers has no key of one column" in said and "shop_deletions.yaml" not in said
    assert "jobs/bronze/shop_orders.yaml" in shell(f"{other} --deletions")
    assert "keys: {shop_orders: id}" in (checkout / "jobs/bronze/shop_deletions.yaml").read_text()

    contract = checkout / "jobs/bronze/vouchers.yaml"
    assert "card_id of shop.vouchers; key there; TODO classification" in contract.read_text()
    contract.write_text(
        contract.read_text().replace("{name: card_id,", "{name: card_id, classification: pseudonymous,")
    )
    told = shell("shoplake contract lint", code=1)
    assert "card_id tells of persons, and nothing says whose a record is" in told
    assert "- {property: subject, value: {erasure: delete, by: {erp: card_id}}}" in told
    assert "SHOPLAKE_SOURCES__ERP=postgresql://" in shell("shoplake new source --system till --relation 'a.*'", code=2)


def fill(checkout: Path, text: str) -> None:
    """Write what a block says into the file that its first line names: a whole file; or lines, each in place of the one
    that begins alike, properties and expectations at the end."""
    first, _, rest = text.partition("\n")
    path = checkout / first.removeprefix("# ")
    assert path.exists(), f"{path.name} is not written by shoplake new"
    if rest.startswith(("apiVersion:", "table:", '"""')):
        path.write_text(rest, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in rest.splitlines():
        if line.lstrip().startswith(("- {property:", "- {type:")):
            lines.append(line)
            continue
        head = re.match(r"\s*(?:- \{\w+: \w+,|\w+:)", line)[0]
        (place,) = [n for n, there in enumerate(lines) if there.startswith(head)]
        lines[place] = line
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def ask(address: str, said: str) -> list[tuple]:
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True  # as CREATE DATABASE wants it
        with connection.cursor() as cursor:
            cursor.execute(said)
            return cursor.fetchall() if cursor.description else []


def rows(lake: Path, table: str) -> list[dict]:
    return DeltaTable(str(lake / table)).to_pyarrow_table().to_pylist()
