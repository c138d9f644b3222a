"""The simulated retailer's database: tills, ERP, CRM and stock as tables of one PostgreSQL, from its files.

One database `retailer` with a schema per source, typed by the contracts (numeric, timestamptz, date, bigint, text),
with primary keys and `updated_at`; a role that may only read is what the lake gets. It knows what the files say up to a
business day (`know_until`); `updated_at` is the evening of the day of the file that last changed a row.

What is pulled **equals what the files give**, as rows of bronze, where a file is what came since the last one
(`EVENTS`), however many days are pulled at once. What the door refuses there, a table with types never held: the tills'
test prints and broken amounts are missing here, not refused. A line that a till sent twice is there twice: pos.lines is
what the tills sent, under numbers of its own.

Where files are **whole exports** (`STATES`) the database holds the newest one: its rows, inserted, updated or deleted.
A pull is a whole export too. So pulled on the day of each file it equals that file; pulled later it equals the newest
one before, and what was in between is lost: a history made of exports (silver.members) begins with the first pull.
"""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from jobs.kit import process, services
from jobs.kit.contracts import Contract, load
from jobs.kit.settings import Settings

DATABASE, READER = "retailer", "lake"
LINE_ID = "line_id"
EVENTS = {  # with their primary keys
    "pos_lines": LINE_ID,
    "pos_tickets": "order_id",
    "pos_payments": "order_id, payment_number",
    "price_list": "product_id, valid_from",
    "erp_members": "member_id",
    "consent_changes": "crm_id, channel, purpose, changed_at",
    "stock_moves": "movement_id",
    "stock_snapshots": "store_id, product_id, counted_on",
    "purchase_orders": "purchase_order_id",
}
STATES = {
    "product_master": "product_id",
    "product_details": "product_id",
    "store_master": "store_id",
    "crm_members": "crm_id",
    "member_attributes": "member_id",
}
TABLES = EVENTS | STATES
SOURCES = ("pos", "erp", "operations", "crm")
TYPES = {"string": "text", "integer": "bigint", "number": "numeric", "date": "date", "timestamp": "timestamptz"}


EVENING = time(20, tzinfo=ZoneInfo("Asia/Shanghai"))


def start(files: Path, home: Path) -> dict[str, str]:
    """Start PostgreSQL below `home` with an empty database for these files; the address of each source.

    What is there already stays as it is. NotStarted if PostgreSQL does not start.
    """
    services.up(Settings(home=home), ["postgres"], say=lambda _: None)
    with _cursor(home, "postgres") as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        is_there = cursor.fetchone()
    if not is_there:
        with closing(_connect(home, "postgres")) as connection:
            connection.autocommit = True  # as CREATE DATABASE wants it
            connection.cursor().execute(f"CREATE DATABASE {DATABASE}")
    password = process.secret(home / "secrets" / "retailer")
    with _cursor(home) as cursor:
        cursor.execute("SELECT to_regclass('known_files')")
        if cursor.fetchone() == (None,):
            _make(cursor, files, password)
    place = services.postgres_url(Settings(home=home), DATABASE).rpartition("@")[2]
    return {source: f"postgresql://{READER}:{password}@{place}" for source in SOURCES}


def stop(home: Path) -> None:
    """Stop the PostgreSQL below `home`, and all else that services.py started there."""
    services.down(Settings(home=home), say=lambda _: None)


def know_until(home: Path, day: date) -> None:
    """Let the database know what its systems said up to this business day; what it knows already stays."""
    with _cursor(home) as cursor:
        cursor.execute("SELECT path FROM folder")
        (folder,) = cursor.fetchone() or ("",)
        cursor.execute("SELECT table_name, file_date FROM known_files")
        known = set(cursor.fetchall())
        for table in TABLES:
            contract = load(f"bronze.{table}")
            for file_date, path in _files(contract, Path(folder)):
                if file_date <= day and (table, file_date) not in known:
                    _take(cursor, contract, file_date, path)
                    cursor.execute("INSERT INTO known_files VALUES (%s, %s)", (table, file_date))


def _files(contract: Contract, folder: Path) -> list[tuple[date, Path]]:
    assert contract.drop
    found = [(re.fullmatch(contract.drop.name, p.name), p) for p in (folder / contract.drop.folder).glob("[!.]*")]
    return sorted((date.fromisoformat(match["file_date"]), path) for match, path in found if match)


def _make(cursor: Cursor, files: Path, password: str) -> None:
    cursor.execute("CREATE TABLE folder AS SELECT %s AS path", (str(files),))
    cursor.execute("CREATE TABLE known_files (table_name text, file_date date, PRIMARY KEY (table_name, file_date))")
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,))
    if not cursor.fetchone():
        cursor.execute(f"CREATE ROLE {READER} LOGIN")
    cursor.execute(f"ALTER ROLE {READER} PASSWORD %s", (password,))
    for source in SOURCES:
        cursor.execute(f"CREATE SCHEMA {source}; GRANT USAGE ON SCHEMA {source} TO {READER}")
    for table, key in TABLES.items():
        contract = load(f"bronze.{table}")
        columns = [f"{name} {type_}{' NOT NULL' * required}" for name, type_, required in _columns(contract)]
        if key == LINE_ID:
            columns.insert(0, f"{LINE_ID} bigint GENERATED ALWAYS AS IDENTITY")
        relation = _relation(contract)
        cursor.execute(
            f"CREATE TABLE {relation} ({', '.join(columns)}, updated_at timestamptz NOT NULL, PRIMARY KEY ({key}));"
            f"CREATE INDEX ON {relation} (updated_at); GRANT SELECT ON {relation} TO {READER}"
        )


def _take(cursor: Cursor, contract: Contract, file_date: date, path: Path) -> None:
    """What one file says: new rows, changed rows and, of a whole export, what is there no longer."""
    assert contract.drop
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    header = text.partition(b"\n")[0].decode().strip().replace(contract.drop.delimiter, " text, ")
    cursor.execute(f"CREATE TEMP TABLE received ({header} text)")
    copy = f"COPY received FROM STDIN (FORMAT csv, HEADER match, DELIMITER '{contract.drop.delimiter}', "
    cursor.copy_expert(f"{copy} ENCODING '{contract.drop.encoding}')", io.BytesIO(text))
    columns, key, relation = _columns(contract), TABLES[contract.table], _relation(contract)
    names = ", ".join(name for name, _, _ in columns)
    fits = [f"coalesce(pg_input_is_valid({name}, '{type_}'), true)" for name, type_, _ in columns]
    fits += [f"{name} IS NOT NULL" for name, _, required in columns if required]
    insert = (
        f"INSERT INTO {relation} AS old ({names}, updated_at) "
        f"SELECT {', '.join(f'{name}::{type_}' for name, type_, _ in columns)}, %s FROM received "
        f"WHERE {' AND '.join(fits)}"
    )
    if key != LINE_ID:
        new = ", ".join(f"excluded.{name}" for name, _, _ in columns)
        old = ", ".join(f"old.{name}" for name, _, _ in columns)
        insert += (
            f" ON CONFLICT ({key}) DO UPDATE SET ({names}, updated_at) = ROW ({new}, excluded.updated_at) "
            f"WHERE ({old}) IS DISTINCT FROM ({new})"
        )
    cursor.execute(insert, (datetime.combine(file_date, EVENING),))
    if contract.table in STATES:
        cursor.execute(f"DELETE FROM {relation} WHERE {key} NOT IN (SELECT {key} FROM received)")
    cursor.execute("DROP TABLE received")


def _columns(contract: Contract) -> list[tuple[str, str, bool]]:
    """Name, type and whether it is required, of each column that a file has."""
    return [(c.received_as, TYPES[c.logical], c.required) for c in contract.columns if c.derived is None]


def _relation(contract: Contract) -> str:
    assert contract.pull
    return contract.pull.relation


@contextmanager
def _cursor(home: Path, database: str = DATABASE) -> Iterator[Cursor]:
    """One transaction as the owner of all."""
    with closing(_connect(home, database)) as connection, connection, connection.cursor() as cursor:
        yield cursor


def _connect(home: Path, database: str) -> Connection:
    return psycopg2.connect(services.postgres_url(Settings(home=home), database).replace("+psycopg2", ""))
