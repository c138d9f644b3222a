"""Tables of a real PostgreSQL: what is pulled is what the retailer's files say, to the digit and the second."""

import csv
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from jobs.demo import retailer
from jobs.demo.live import database
from jobs.demo.retailer.world import Scale
from jobs.kit import scaffold
from jobs.kit.contracts import Contract, Pull, load, parse
from jobs.landing import files as landing
from jobs.landing import pulls, relational
from jobs.landing.pulls import Days, PullError

ZONE = ZoneInfo("Asia/Shanghai")
SCALE = Scale(0.002, 1, date(2025, 3, 24), date(2025, 4, 6))
DAYS = [SCALE.first + timedelta(days=n) for n in range(SCALE.days)]
SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "20"))


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Not pytest's folder: where root runs it, PostgreSQL is another, to whom those are closed."""
    with tempfile.TemporaryDirectory(prefix="shoplake-test-", ignore_cleanup_errors=True) as folder:
        retailer.write(Path(folder) / "files", Path(folder) / "truth", SCALE)
        yield Path(folder)
        database.stop(Path(folder))


@pytest.fixture(scope="module")
def addresses(home) -> dict[str, str]:
    return database.start(home / "files", home)


@pytest.fixture
def sql(home, addresses):
    """Do as the owner of the database does; what a test made in schema `test` is gone behind it."""
    with closing(database._connect(home, database.DATABASE)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA test; GRANT USAGE ON SCHEMA test TO lake")
            cursor.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA test GRANT SELECT ON TABLES TO lake")
            yield cursor.execute
            cursor.execute("DROP SCHEMA test CASCADE")


@pytest.fixture
def asked(addresses, tmp_path):
    """`asked(contract, day)`: pull as of a day and land, as a run of bronze does; all rows that are landed so far."""

    def once(contract: Contract, day: date) -> list[dict[str, str]]:
        where = contract, tmp_path / "drop", tmp_path / "landing"
        pulls.pull(contract, addresses[str(contract.source)], *where[1:], as_of=day, zone=ZONE)
        landing.land(*where, as_of=day)
        found = landing.newest(landing.landed(contract, tmp_path / "landing"))
        return [row for f in sorted(found, key=lambda f: f.name) for row in rows(contract, Path(f.path).read_bytes())]

    return once


@pytest.fixture
def products(sql, monkeypatch) -> Contract:
    """bronze.product_master, as if the ERP kept it in test.products and said when each last changed."""
    sql("CREATE TABLE test.products (product_id text PRIMARY KEY, manufacturer_id text, department text, brand text, "
        "category text, product_type text, package_size text, updated_at timestamptz NOT NULL)")  # fmt: skip
    sql("INSERT INTO test.products (product_id, category, updated_at) VALUES ('1', 'ICE', '2025-04-01 09:00+08'), "
        "('2', 'TEA', '2025-04-02 00:00+08'), ('3', 'OIL', '2025-04-02 23:59+08')")  # fmt: skip
    return replace(load("bronze.product_master"), pull=Pull("test.products", "updated_at"), partition="x")


def rows(contract: Contract, said: bytes) -> list[dict[str, str]]:
    text = said.decode(contract.drop.encoding).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=contract.drop.delimiter, strict=True))


def sent(home: Path, contract: Contract, first: date, last: date) -> list[dict[str, str]]:
    """What the files of these days say, less what is no row: a till's test print."""
    found = [r for day, p in database._files(contract, home / "files") if first <= day <= last
             for r in rows(contract, p.read_bytes())]  # fmt: skip
    return [r for r in found if contract.table != "pos_lines" or r["quantity"].removeprefix("-").isdigit()]


def multiset(found: list[dict[str, str]]) -> Counter:
    return Counter(tuple(sorted(row.items())) for row in found)


def pull(contract: Contract, address: str, first: date | None = None, last: date = SCALE.last) -> bytes:
    file = io.BytesIO()
    relational.pull(contract, address, Days(first, last, ZONE), file)
    return file.getvalue()


def ids(found: list[dict[str, str]]) -> list[str]:
    return [row["product_id"] for row in found]


# --- the retailer -----------------------------------------------------------------------------------------------------


def test_pulled_day_by_day_or_at_once_is_what_the_files_say(home, asked, addresses):
    """Every table of tills, ERP, CRM and stock, from a database that knows no more than the day."""
    contracts = {table: load(f"bronze.{table}") for table in database.TABLES}
    by_day = dict[str, list]()
    for day in DAYS:
        database.know_until(home, day)
        by_day |= {table: asked(contract, day) for table, contract in contracts.items()}
    for table, contract in contracts.items():
        wanted = multiset(sent(home, contract, *(SCALE.first, SCALE.last)))
        assert multiset(by_day[table]) == wanted != Counter(), table
        assert multiset(rows(contract, pull(contract, addresses[contract.source]))) == wanted, f"{table} at once"
    assert max(multiset(by_day["pos_lines"]).values()) == 2, "no till sent a line twice"


def test_a_window_holds_its_days_and_same_days_are_same_bytes(home, addresses):
    database.know_until(home, SCALE.last)
    contract, days = load("bronze.pos_lines"), (date(2025, 3, 27), date(2025, 3, 29))
    said = pull(contract, addresses["pos"], *days)
    assert multiset(rows(contract, said)) == multiset(sent(home, contract, *days)) != Counter()
    assert said == pull(contract, addresses["pos"], *days)


def test_a_new_export_updates_inserts_and_deletes_and_says_when(home, addresses, sql, tmp_path):
    """The stand-in itself: how a whole export becomes a state."""
    contract = load("bronze.store_master")
    (day, path), *_ = database._files(contract, home / "files")
    header, first, second, *others = path.read_text().splitlines(keepends=True)
    newer = tmp_path / "newer.csv"
    newer.write_text("".join([header, first, second.replace("supermarket", "convenience"), *others[:-1]]))
    with database._cursor(home) as cursor:
        cursor.execute("CREATE TEMP TABLE before AS SELECT * FROM erp.stores")
        database._take(cursor, contract, date(2025, 4, 5), newer)
        cursor.execute(
            "SELECT store_id, updated_at::date FROM erp.stores EXCEPT SELECT store_id, updated_at::date FROM before"
        )
        assert cursor.fetchall() == [("S0002", date(2025, 4, 5))]
        cursor.execute("SELECT store_id FROM before EXCEPT SELECT store_id FROM erp.stores")
        assert cursor.fetchall() == [(others[-1].split(",")[0],)]
        cursor.connection.rollback()
    assert day == SCALE.first


# --- by cursor --------------------------------------------------------------------------------------------------------


def test_a_day_begins_at_its_first_moment_where_the_business_is(products, asked):
    assert ids(asked(products, date(2025, 4, 1))) == ["1"]
    assert ids(asked(products, date(2025, 4, 2))) == ["1", "2", "3"]


def test_a_row_that_changed_comes_again_and_behind_what_it_was(products, asked, sql):
    asked(products, date(2025, 4, 2))
    sql("UPDATE test.products SET category = 'COFFEE', updated_at = '2025-04-03 10:00+08' WHERE product_id = '2'")
    found = asked(products, date(2025, 4, 3))
    assert [(r["product_id"], r["category"]) for r in found] == [
        ("1", "ICE"), ("2", "TEA"), ("3", "OIL"), ("2", "COFFEE")]  # fmt: skip


def test_a_relation_without_rows_is_a_header_and_its_day_is_asked_for_once(products, asked, sql, tmp_path):
    sql("DELETE FROM test.products")
    assert asked(products, date(2025, 4, 2)) == asked(products, date(2025, 4, 2)) == []
    (file,) = landing.landed(products, tmp_path / "landing")
    assert Path(file.path).read_text() == (
        "product_id,manufacturer_id,department,brand,category,product_type,package_size\n"
    )


@pytest.mark.parametrize("type_", ["timestamp", "date"])
def test_a_cursor_without_time_zone_is_in_the_business_time_zone(products, addresses, sql, type_):
    sql("SET timezone = 'Asia/Shanghai'")
    sql(f"ALTER TABLE test.products ALTER updated_at TYPE {type_}")
    found = pull(products, addresses["erp"], date(2025, 4, 2), date(2025, 4, 2))
    assert ids(rows(products, found)) == ["2", "3"]


def test_a_row_without_cursor_is_not_lost_but_told(products, addresses, sql):
    sql("ALTER TABLE test.products ALTER updated_at DROP NOT NULL")
    assert len(rows(products, pull(products, addresses["erp"]))) == 3
    sql("UPDATE test.products SET updated_at = NULL WHERE product_id = '3'")
    with pytest.raises(PullError, match=r"erp: test.products has rows without updated_at"):
        pull(products, addresses["erp"])


def test_without_cursor_the_whole_comes_and_only_if_it_changed(products, asked, sql, tmp_path):
    whole = replace(products, pull=Pull("test.products"), partition=None)
    for day in (1, 2, 3):
        assert ids(asked(whole, date(2025, 4, day))) == ["1", "2", "3"]
    sql("UPDATE test.products SET category = 'FAT' WHERE product_id = '3'")
    assert len(asked(whole, date(2025, 4, 4))) == 6
    assert [f.name[-14:-4] for f in landing.landed(whole, tmp_path / "landing")] == ["2025-04-01", "2025-04-04"]


# --- deletions --------------------------------------------------------------------------------------------------------


def test_a_deleted_row_is_told_once_and_so_is_its_return(asked, sql, monkeypatch):
    sql("CREATE TABLE test.cards (member_id text, registered_on date, updated_at timestamptz NOT NULL)")
    sql("INSERT INTO test.cards SELECT n, '2025-04-01', '2025-04-01 09:00+08' FROM generate_series(1, 4) n")
    cards = replace(load("bronze.erp_members"), pull=Pull("test.cards", "updated_at"))
    cards = replace(cards, columns=tuple(c for c in cards.columns if c.name in ("member_id", "registered_on")))
    deletions = replace(load("bronze.erp_deletions"), pull=Pull(keys={"erp_members": "member_id"}))
    monkeypatch.setattr(relational, "load", {"bronze.erp_members": cards}.__getitem__)

    def told(day: int) -> list[tuple[str, ...]]:
        found = asked(deletions, date(2025, 4, day))
        asked(cards, date(2025, 4, day))
        return [tuple(r.values()) for r in found if r["seen_on"] == f"2025-04-0{day}"]

    assert told(1) == told(2) == []  # nothing was landed yet; nothing was deleted since
    sql("DELETE FROM test.cards WHERE member_id IN ('2', '3')")
    gone = [("erp_members", "2", "Y", "2025-04-03"), ("erp_members", "3", "Y", "2025-04-03")]
    assert told(3) == told(3) == gone
    assert told(4) == []
    sql("INSERT INTO test.cards VALUES ('3', '2025-04-01', '2025-04-05 09:00+08')")
    assert told(5) == [("erp_members", "3", "N", "2025-04-05")]
    assert told(6) == []
    sql("DELETE FROM test.cards WHERE member_id = '3'")
    assert told(7) == [("erp_members", "3", "Y", "2025-04-07")]


def test_where_files_come_from_elsewhere_no_deletion_is_asked_for(tmp_path):
    contract = load("bronze.crm_deletions")
    assert pulls.pull(contract, "https://x", tmp_path, tmp_path, as_of=SCALE.last, zone=ZONE) == []


@pytest.mark.slow
def test_a_product_deleted_in_the_erp_is_dated_in_silver(home, addresses, lake, monkeypatch):
    from jobs.kit.lake import read_small
    from jobs.kit.run import run
    from jobs.kit.settings import settings

    monkeypatch.setenv("SHOPLAKE_SOURCES__ERP", addresses["erp"])
    monkeypatch.setenv("SHOPLAKE_TIMEZONE", ZONE.key)
    settings.cache_clear()
    database.know_until(home, SCALE.last)
    for table in ("product_master", "erp_deletions", "products"):
        run(table, SCALE.last)
    assert {r["deleted_date"] for r in read_small("silver.products").to_pylist()} == {None}
    with database._cursor(home) as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT * FROM erp.products WHERE product_id = 'P000007'")
        cursor.execute("DELETE FROM erp.products WHERE product_id = 'P000007'")
    try:
        tomorrow = SCALE.last + timedelta(days=1)
        assert [r.rows_out for r in run("erp_deletions", tomorrow)] == [1]
        assert [r.scope for r in run("products", tomorrow)] == ["1 keys"]
        gone = {r["product_id"]: r["deleted_date"] for r in read_small("silver.products").to_pylist()}
        assert len(gone) == 300
        assert {k: v for k, v in gone.items() if v} == {"P000007": tomorrow}
    finally:
        with database._cursor(home) as cursor:
            cursor.execute("INSERT INTO erp.products SELECT * FROM kept; DROP TABLE kept")


# --- types ------------------------------------------------------------------------------------------------------------


def of(*columns: tuple[str, str], **drop: str) -> Contract:
    """A contract of test.things with these columns: (name, logicalType)."""
    contract = load("bronze.store_master")
    made = [replace(contract.columns[0], name=n, received_as=n, logical=t, required=False) for n, t in columns]
    return replace(contract, columns=tuple(made), drop=replace(contract.drop, **drop), pull=Pull("test.things"))


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        ("numeric", "12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
        ("numeric(18,2)", "4.4", "4.40"),
        ("bigint", "-9223372036854775808", "-9223372036854775808"),
        ("double precision", "1e-7", "0.0000001"),
        ("real", "0.1", "0.1"),
        ("boolean", "true", "true"),
        ("date", "2025-04-06", "2025-04-06"),
        ("timestamptz", "2025-04-06 07:00:55+00", "2025-04-06T15:00:55+08:00"),
        ("timestamptz", "2025-04-06 07:00:55.120001+00", "2025-04-06T15:00:55.120001+08:00"),
        ("timestamp", "2025-04-06 07:00:55", "2025-04-06T07:00:55"),
        ("test.moment", "2025-04-06 07:00:55+00", "2025-04-06T15:00:55+08:00"),
        ("char(5)", "ab", "ab"),
        ("uuid", "0e37df36-f698-11e6-8dd4-cb9ced3df976", "0e37df36-f698-11e6-8dd4-cb9ced3df976"),
        ("text", None, ""),
    ],
)
def test_a_value_is_written_as_it_is(sql, addresses, type_, value, text):
    sql("CREATE DOMAIN test.moment AS timestamptz")
    sql(f"CREATE TABLE test.things (a text, v {type_})")
    sql("INSERT INTO test.things VALUES ('x', %s)", (value,))
    contract = of(("a", "string"), ("v", "string"))
    assert rows(contract, pull(contract, addresses["erp"])) == [{"a": "x", "v": text}]


TEXTS = [
    'say "hi"',
    "two\nlines",
    "a\r\nb",
    "a,b|c;d\te",
    "\\.",
    "'",
    "=1+1",
    " blanks ",
    "龘䶮𠮷",
    "喆鑫·锟",
    "naïve €",
    "😀",
    "\\N",
]


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ","), ("utf-8", "|"), ("gb18030", ","), ("gb18030", "|")]
)
def test_a_text_survives_in_the_encoding_of_its_contract(sql, addresses, tmp_path, encoding, delimiter):
    from jobs.kit import arrivals, door

    sql("CREATE TABLE test.things (n int, v text)")
    for n, text in enumerate(TEXTS):
        sql("INSERT INTO test.things VALUES (%s, %s)", (n, text))
    contract, file = of(("v", "string"), ("n", "integer"), encoding=encoding, delimiter=delimiter), tmp_path / "x.csv"
    file.write_bytes(pull(contract, addresses["erp"]))
    assert door.check_file(str(file), arrivals.layout(contract)).accepted
    found = [r for batch in door.parse(str(file), arrivals.layout(contract)) for r in batch.to_pylist()]
    assert [r["_rule"] for r in found if r["_rule"]] == []
    assert [TEXTS[int(r["n"])] for r in found] == [r["v"] for r in found] == sorted(TEXTS, key=str.encode)


def test_what_an_encoding_cannot_say_is_an_error(sql, addresses):
    sql("CREATE TABLE test.things (v text)")
    sql("INSERT INTO test.things VALUES ('😀')")
    with pytest.raises(PullError, match=r"erp: .*no equivalent in encoding .GBK."):
        pull(of(("v", "string"), encoding="gbk"), addresses["erp"])


def test_a_column_that_has_another_name_there(sql, addresses):
    sql('CREATE TABLE test.things ("Artikel Nr" text)')
    sql("INSERT INTO test.things VALUES ('7')")
    contract = of(("product_id", "string"))
    contract = replace(contract, columns=(replace(contract.columns[0], received_as="Artikel Nr"),))
    assert pull(contract, addresses["erp"]) == b"Artikel Nr\n7\n"


# --- errors -----------------------------------------------------------------------------------------------------------

SECRET = "zQ%23xK%40jV"  # zQ#xK@jV


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"postgresql://lake:{SECRET}@HERE/retailer", "refuses this user with this password"),
        (f"postgresql://nobody:{SECRET}@HERE/retailer", "refuses this user with this password"),
        ("postgresql://lake:RIGHT@HERE/nothing", "no such database"),
        (f"postgresql://lake:{SECRET}@127.0.0.1:1/retailer", "127.0.0.1:1/retailer: nobody answers there"),
        (f"postgresql://lake:{SECRET}@no-host.invalid/retailer", "there is no such host"),
        ("postgresql://lake:zQ#xK@jV@HERE/retailer", "%40"),
        ("postgresql://lake:zQ/xK@HERE/retailer", "%40"),
        ("postgresql://lake:zQ:xK%@HERE/retailer", "%40"),
    ],
)  # fmt: skip
def test_who_is_not_let_in_is_told_without_the_password(addresses, address, said):
    right, here = addresses["erp"].split("lake:")[1].split("@")
    address = address.replace("HERE", here.split("/")[0]).replace("RIGHT", right)
    with pytest.raises(PullError, match=r"^erp: [^\n]*$") as error:
        pull(load("bronze.store_master"), address)
    assert said in str(error.value)
    assert not any(word in f"{error.value} {error.value.__cause__}" for word in (right, "zQ", "xK", "jV"))


def test_what_is_missing_is_named(sql, addresses, products):
    def error(contract: Contract) -> str:
        with pytest.raises(PullError, match=r"^erp: [^\n]*$") as error:
            pull(contract, addresses["erp"])
        return str(error.value)

    assert "no relation test.nothing" in error(replace(products, pull=Pull("test.nothing")))
    assert "test.products.changed is missing" in error(replace(products, pull=Pull("test.products", "changed")))
    assert "test.products.brand is text" in error(replace(products, pull=Pull("test.products", "brand")))
    sql("ALTER TABLE test.products RENAME product_id TO id")
    assert "no column product_id, which bronze.product_master requires" in error(products)
    sql("ALTER TABLE test.products RENAME id TO product_id; REVOKE SELECT ON test.products FROM lake")
    assert "permission denied for table products" in error(products)
    with pytest.raises(PullError, match=r"does not say where its rows are: add `pull: \{relation"):
        pull(replace(products, pull=None), addresses["erp"])


def test_an_optional_column_that_is_missing_is_left_out_as_a_file_would(sql, addresses, products):
    sql("ALTER TABLE test.products DROP brand")
    assert "brand" not in rows(products, pull(products, addresses["erp"]))[0]


def test_the_lake_may_only_read(addresses):
    denied = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with closing(psycopg2.connect(addresses["pos"])) as connection, connection.cursor() as cursor, denied:
        cursor.execute("DELETE FROM pos.lines")


# --- killed -----------------------------------------------------------------------------------------------------------

PULL = """
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo
from jobs.kit.contracts import load
from jobs.landing import files, pulls, relational
print("asking now", flush=True)
home, address, tables, *days = sys.argv[1:]
for table in tables.split(","):
    for day in map(date.fromisoformat, days):
        where = load(f"bronze.{table}"), Path(home) / "drop", Path(home) / "landing"
        pulls.pull(where[0], address, *where[1:], as_of=day, zone=ZoneInfo("Asia/Shanghai"))
        files.land(*where, as_of=day)
"""


def begin(home: Path, address: str, tables: tuple[str, ...], days: list[date]) -> subprocess.Popen:
    home.mkdir(exist_ok=True)
    words = [sys.executable, "-c", PULL, str(home), address, ",".join(tables), *map(str, days)]
    run = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": "."}, stdout=subprocess.PIPE)
    assert run.stdout.readline(), "a kill while Python imports would prove nothing"
    return run


def landed(home: Path, tables: tuple[str, ...]) -> dict[str, str]:
    every = [f for t in tables for f in landing.newest(landing.landed(load(f"bronze.{t}"), home / "landing"))]
    return {f.name: f.sha256 for f in every}


def test_a_pull_killed_while_rows_come_leaves_nothing_that_counts(home, addresses, sql, tmp_path):
    database.know_until(home, SCALE.last)
    with closing(database._connect(home, database.DATABASE)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE pos.lines")  # so that the pull is on its way, and stays there
        run = begin(tmp_path / "killed", addresses["pos"], ("pos_lines",), DAYS[-1:])
        part = tmp_path / "killed" / "drop" / "pos" / "pos_lines" / f".pos_lines_{DAYS[-1]}.csv.tmp"
        while not part.exists():
            assert run.poll() is None
            time.sleep(0.01)
        run.kill()
        run.wait()
        assert landed(tmp_path / "killed", ("pos_lines",)) == {}
        other.rollback()
    for folder in ("killed", "whole"):
        assert begin(tmp_path / folder, addresses["pos"], ("pos_lines",), DAYS[-1:]).wait(60) == 0
    assert landed(tmp_path / "killed", ("pos_lines",)) == landed(tmp_path / "whole", ("pos_lines",)) != {}
    assert not part.exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_pull_killed_at_random_moments_lands_what_an_undisturbed_one_lands(home, addresses, tmp_path):
    database.know_until(home, SCALE.last)
    tables = (*database.TABLES, "erp_deletions")
    run, begun = begin(tmp_path / "whole", addresses["erp"], tables, DAYS), time.monotonic()
    assert run.wait(600) == 0
    longest, dice, killed, whole, parts = time.monotonic() - begun, random.Random(SEED), 0, 0, 0
    while killed < KILLS:
        run, since = begin(tmp_path / "killed", addresses["erp"], tables, DAYS), time.time()
        try:
            assert run.wait(dice.uniform(0, longest / 2)) == 0
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            killed += 1
            parts += any(p.stat().st_mtime > since for p in (tmp_path / "killed" / "drop").rglob(".*.tmp"))
        else:  # it got through: begin anew
            assert landed(tmp_path / "killed", tables) == landed(tmp_path / "whole", tables)
            shutil.rmtree(tmp_path / "killed")
            whole += 1
    assert begin(tmp_path / "killed", addresses["erp"], tables, DAYS).wait(600) == 0
    assert landed(tmp_path / "killed", tables) == landed(tmp_path / "whole", tables) != {}
    print(f"{killed} kills, {parts} left a part, {whole} pulls got through, seed {SEED}, undisturbed {longest:.1f} s")


def test_a_contract_is_written_from_what_the_database_says(sql, addresses, tmp_path, monkeypatch):
    sql(
        """
        CREATE TABLE test.transfers (
            transfer_id bigint PRIMARY KEY, "fromStore" text NOT NULL, weight numeric(12, 3), is_cold boolean,
            driver_phone text, sent timestamp, updated_at timestamptz NOT NULL DEFAULT '2025-04-01T10:00:00+08:00');
        COMMENT ON TABLE test.transfers IS 'Goods on their way between stores';
        COMMENT ON COLUMN test.transfers.weight IS 'Kilograms, packed';
        INSERT INTO test.transfers VALUES (1, 'S0001', 12.500, true, '13700000000', '2025-03-31 08:00');
        CREATE VIEW test.light AS SELECT transfer_id FROM test.transfers
        """
    )
    address = addresses["erp"]
    assert [r.name for r in relational.describe("erp", address, ["test.*"])] == ["test.light", "test.transfers"]
    (found,) = relational.describe("erp", address, ["test.transfers"])
    monkeypatch.setattr(scaffold, "CHECKOUT", tmp_path)
    written = scaffold.of_relation(found, "transfers", "logistics")
    assert sorted(map(str, written)) == [
        "expectations/bronze/transfers.yaml", "jobs/bronze/transfers.yaml", "jobs/landing/logistics.py"
    ]  # fmt: skip
    text = (tmp_path / "jobs/bronze/transfers.yaml").read_text()
    for old, new in {"TODO classification: identifier, personal, pseudonymous or none?": "",
                     "domain: TODO": "domain: supply", "name: TODO": "name: logistics"}.items():  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "jobs/bronze/transfers.yaml").write_text(text)
    contract = parse(tmp_path / "jobs/bronze/transfers.yaml")
    assert contract.pull == Pull("test.transfers", "updated_at") and "on their way" in contract.purpose
    gate_file = (tmp_path / "expectations/bronze/transfers.yaml").read_text()
    assert "updated_at" in gate_file and "row_count" not in gate_file, "a night without news is no reason to hold"
    logical = {c.name: (c.logical, c.required, c.received_as) for c in contract.columns}
    assert logical["transfer_id"] == ("integer", True, "transfer_id")
    assert logical["fromstore"] == ("string", True, "fromStore")
    assert (logical["weight"][0], logical["is_cold"][0], logical["sent"][0]) == ("number", "boolean", "string")
    file = io.BytesIO()
    relational.pull(contract, address, Days(None, date(2025, 4, 2), ZONE), file)
    (row,) = rows(contract, file.getvalue())
    assert (row["transfer_id"], row["fromStore"], row["weight"]) == ("1", "S0001", "12.500")
    with pytest.raises(PullError, match=r"no relation test\.nowhere"):
        relational.describe("erp", address, ["test.nowhere"])
