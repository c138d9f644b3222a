"""Relational databases: a table's rows, asked of PostgreSQL, as the CSV that its contract describes.

What is asked for stands in the contract's `pull`:

- `relation`: a table or view, `schema.name`. Of it the contract's columns, by the names under which they are received;
  further columns stay where they are.
- `cursor`: the column that says when a row was last changed (timestamp or date). Asked for is what changed in the days;
  a row that changed again comes again, and silver keeps the newest. Without it the whole, whatever the days.
- `keys`: instead of a relation, the tables of the same source whose deleted rows are to be seen, each with the column
  that tells its rows apart. Asked for is the difference: what was landed and is there no longer, and what came back
  (docs/decisions/0701-relational.md). Memory: about 100 bytes a key.

PostgreSQL writes the CSV itself (COPY), so a table of any size goes through in constant memory and no value is changed
on the way: numbers keep their digits, a point in time is ISO 8601 in the business time zone with its offset, text is in
the contract's encoding. A timestamp without time zone stays without one: where the contract wants a point in time, a
view says the zone. Rows come by the cursor, then by all their columns: same rows, same bytes.

The account needs nothing but SELECT. Every question is asked in one read-only snapshot.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from jobs.kit.contracts import Contract, Pull, load
from jobs.landing.files import landed, newest
from jobs.landing.pulls import Days, PullError

PATIENCE = 10  # seconds for a connection
LOCK_PATIENCE = "60s"  # somebody changes the table
_TIMES = {"timestamp with time zone", "timestamp without time zone", "date"}


def pull(contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
    """Write the rows of the contract's relation that changed in these days. PullError if they cannot be had."""
    asked, drop = _asked(contract), contract.drop
    assert drop
    if drop.format != "csv":
        raise PullError(f"{contract.name}: a relation is pulled as csv, its drop says format: {drop.format}")
    with _connect(str(contract.source), address, days.zone.key, contract.name) as connection:
        found = _columns(contract, asked.relation, connection)
        names = [c.received_as for c in contract.columns if c.derived is None and c.received_as in found]
        rows = sql.SQL("SELECT {fields} FROM {relation} AS source WHERE {when} ORDER BY {order}").format(
            fields=sql.SQL(", ").join(_as_text(name, found[name]) for name in names),
            relation=_identifier(asked.relation),
            when=_when(contract, asked, days, found, connection),
            order=sql.SQL(", ").join(_order(names, asked.cursor)),
        )
        copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER, DELIMITER {}, ENCODING {})").format(
            rows, sql.Literal(drop.delimiter), sql.Literal(drop.encoding)
        )
        with connection.cursor() as cursor:
            cursor.copy_expert(copy, file)


def pull_deletions(contract: Contract, address: str, days: Days, landing: Path, file: BinaryIO) -> None:
    """Write which keys of the tables in `keys` are gone since they were landed, and which came back.

    The columns are table_name, row_key, is_deleted (Y or N), seen_on (the last of the days).
    """
    asked, drop = _asked(contract), contract.drop
    assert drop
    gone_before = _gone(contract, days, landing)
    writer = csv.writer(codecs.getwriter(drop.encoding)(file), delimiter=drop.delimiter, lineterminator="\n")
    with _connect(str(contract.source), address, days.zone.key, contract.name) as connection:
        writer.writerow(["table_name", "row_key", "is_deleted", "seen_on"])
        for table, column in sorted(asked.keys.items()):
            of = load(f"bronze.{table}")
            missing, back = _landed_keys(of, column, landing), list[str]()
            before = gone_before.get(table, set())
            for key in _keys(of, column, connection):
                missing.discard(key)
                if key in before:
                    back.append(key)
            said = [(key, "Y") for key in missing - before] + [(key, "N") for key in back]
            writer.writerows((table, key, word, days.last.isoformat()) for key, word in sorted(said))


# ---- the question ----


def _asked(contract: Contract) -> Pull:
    if contract.pull is None:
        raise PullError(
            f"{contract.source}: {contract.name} does not say where its rows are: "
            f"add `pull: {{relation: …}}` to {contract.path.name}"
        )
    return contract.pull


def _columns(contract: Contract, relation: str, connection: Connection) -> dict[str, tuple[str, bool]]:
    """Of each column of the relation its type, and whether it is never null. PullError if one that we need is missing.

    An optional one may be missing, as in a file.
    """
    with connection.cursor() as cursor:
        quoted = _identifier(relation).as_string(connection)
        cursor.execute(
            "SELECT attname, format_type(coalesce(nullif(typbasetype, 0), t.oid), NULL), attnotnull "
            "FROM pg_attribute JOIN pg_type t ON t.oid = atttypid "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (quoted,),
        )
        found = {name: (type_, never_null) for name, type_, never_null in cursor}
    if not found:
        raise PullError(
            f"{contract.source}: there is no relation {relation} that we may see; {contract.path.name} names it"
        )
    required = [c.received_as for c in contract.columns if c.derived is None and c.required]
    if missing := [name for name in required if name not in found]:
        raise PullError(
            f"{contract.source}: {relation} has no column {', '.join(missing)}, which {contract.name} requires; "
            f"it has {', '.join(found)}"
        )
    return found


def _as_text(name: str, column: tuple[str, bool]) -> sql.Composable:
    """A column as text: times and floats as JSON has them (ISO 8601; no exponent), all else as PostgreSQL does."""
    as_json = column[0] in _TIMES or column[0] in {"real", "double precision"}
    return sql.SQL("to_jsonb({0})#>>'{{}}' AS {0}" if as_json else "{0}::text AS {0}").format(sql.Identifier(name))


def _when(
    contract: Contract, asked: Pull, days: Days, found: dict[str, tuple[str, bool]], connection: Connection
) -> sql.Composable:
    """The condition for a row to belong to the days."""
    if not asked.cursor:
        return sql.SQL("true")
    type_, never_null = found.get(asked.cursor, ("", False))
    if type_ not in _TIMES:
        said = f"is {type_}" if type_ else "is missing"
        raise PullError(
            f"{contract.source}: the cursor of {contract.name} is to be a date or a time, "
            f"{asked.relation}.{asked.cursor} {said}"
        )
    if not never_null:
        _refuse_nulls(contract, asked, connection)
    # Literals with their offset: a cursor without time zone is compared in the session's, the business time zone.
    until = sql.SQL("{} < {}::timestamptz").format(sql.Identifier(asked.cursor), sql.Literal(days.until.isoformat()))
    if not days.since:
        return until
    since = sql.Literal(days.since.isoformat())
    return sql.SQL("{} >= {}::timestamptz AND {}").format(sql.Identifier(asked.cursor), since, until)


def _refuse_nulls(contract: Contract, asked: Pull, connection: Connection) -> None:
    with connection.cursor() as cursor:
        which = {"relation": _identifier(asked.relation), "cursor": sql.Identifier(asked.cursor)}
        cursor.execute(sql.SQL("SELECT 1 FROM {relation} WHERE {cursor} IS NULL LIMIT 1").format(**which))
        if cursor.fetchone():
            raise PullError(
                f"{contract.source}: {asked.relation} has rows without {asked.cursor}, which would never be asked for; "
                f"fill it there, or pull {contract.name} without cursor"
            )


def _order(names: Sequence[str], cursor: str) -> list[sql.Composable]:
    """By text in the order of its bytes, whatever the database's language."""
    # Named with their relation: a bare name would be the text that the column becomes.
    by_cursor: list[sql.Composable] = [sql.Identifier("source", cursor)] if cursor else []
    return by_cursor + [sql.SQL('{}::text COLLATE "C"').format(sql.Identifier("source", name)) for name in names]


def _identifier(relation: str) -> sql.Identifier:
    return sql.Identifier(*relation.split("."))


# ---- what there is ----


@dataclass(frozen=True)
class Relation:
    """A table or view as its database describes it: columns as (name, type, never null, comment), keys, comment."""

    name: str
    columns: tuple[tuple[str, str, bool, str], ...]
    keys: tuple[str, ...]
    comment: str


def describe(source: str, address: str, wanted: Sequence[str]) -> list[Relation]:
    """The relations that these names mean, `schema.table` or `schema.*`. PullError if one means none."""
    found: dict[str, Relation] = {}
    with _connect(source, address, "UTC", "the list of tables") as connection:
        for name in wanted:
            schema, _, table = name.partition(".")
            with connection.cursor() as cursor:
                cursor.execute(_THERE, {"schema": schema, "table": table or "*"})
                rows = cursor.fetchall()
            if not rows:
                raise PullError(f"{source}: there is no relation {name} that we may see")
            for relation, comment, columns, keys in rows:
                found[relation] = Relation(relation, tuple(map(tuple, columns)), tuple(keys or ()), comment or "")
    return [found[name] for name in sorted(found)]


_THERE = """
SELECT n.nspname || '.' || c.relname, obj_description(c.oid, 'pg_class'),
       (SELECT json_agg(json_build_array(
                   attname, format_type(coalesce(nullif(typbasetype, 0), t.oid), NULL), attnotnull,
                   coalesce(col_description(c.oid, attnum), '')) ORDER BY attnum)
          FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
         WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
       (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_index JOIN pg_attribute
            ON attrelid = indrelid AND attnum = ANY(indkey) WHERE indrelid = c.oid AND indisprimary)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND (%(table)s = '*' OR c.relname = %(table)s)
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(c.oid, 'SELECT')
"""


# ---- deletions ----


def _keys(contract: Contract, column: str, connection: Connection) -> Iterator[str]:
    """The keys that a relation has now, each once."""
    relation = _asked(contract).relation
    if column not in (found := _columns(contract, relation, connection)):
        raise PullError(f"{contract.source}: {relation} has no column {column}, by which deleted rows are to be seen")
    which = {"key": _as_text(column, found[column]), "relation": _identifier(relation)}
    with connection.cursor("keys") as cursor:
        cursor.itersize = 20_000
        cursor.execute(sql.SQL("SELECT DISTINCT {key} FROM {relation}").format(**which))
        for (key,) in cursor:
            if key is not None:
                yield key


def _landed_keys(contract: Contract, column: str, landing: Path) -> set[str]:
    """The keys of all rows that were ever landed."""
    files = newest(landed(contract, landing))
    return {row[0] for file in files for row in _read(contract, str(file.path), column) if row[0]}


def _gone(contract: Contract, days: Days, landing: Path) -> dict[str, set[str]]:
    """By table, the keys that the files of the days before told to be gone, and of which nothing was told since."""
    gone: dict[str, set[str]] = {}
    files = [f for f in newest(landed(contract, landing)) if f.file_date and days.first and f.file_date < days.first]
    for file in sorted(files, key=lambda f: str(f.file_date)):
        for table, key, is_deleted in _read(contract, str(file.path), "table_name", "row_key", "is_deleted"):
            (set.add if is_deleted == "Y" else set.discard)(gone.setdefault(str(table), set()), str(key))
    return gone


def _read(contract: Contract, path: str, *columns: str) -> Iterator[tuple[str | None, ...]]:
    """Columns of a landed file, as the door reads it."""
    from jobs.kit import arrivals, door  # only here: importing Spark takes a second

    for batch in door.parse(path, arrivals.layout(contract)):
        yield from zip(*(batch.column(c).to_pylist() for c in columns), strict=True)


# ---- the connection ----


@contextmanager
def _connect(source: str, address: str, zone: str, asked: str) -> Iterator[Connection]:
    """One read-only snapshot; whatever goes wrong in it is told in one sentence without the password."""
    place = _place(source, address)
    try:
        connection = psycopg2.connect(
            address, connect_timeout=PATIENCE, application_name="shoplake", keepalives_idle=30, keepalives_count=3
        )
    except psycopg2.Error as error:
        # libpq's own words may hold parts of an address that it misunderstood.
        wrong = next(
            (told for sign, told in _REFUSALS.items() if sign in str(error)), "nobody answers there, or not to us"
        )
        raise PullError(f"{source}: no connection to {place}: {wrong}") from None
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        connection.set_client_encoding("UTF8")
        with connection.cursor() as cursor:
            for name, value in (("timezone", zone), ("datestyle", "ISO"), ("intervalstyle", "iso_8601")):
                cursor.execute("SELECT set_config(%s, %s, true)", (name, value))
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_PATIENCE,))
        yield connection
    except psycopg2.Error as error:
        said = (error.diag.message_primary or str(error) or type(error).__name__).strip().splitlines()[0]
        raise PullError(f"{source}: {asked} could not be pulled from {place}: {said}") from None
    finally:
        connection.close()


_REFUSALS = {
    "password authentication failed": "it refuses this user with this password",
    "no password supplied": "it wants a password, and the address has none",
    "no pg_hba.conf entry": "it lets nobody in from here (pg_hba.conf)",
    "connection slots": "it has too many connections",
    "too many": "it has too many connections",
    "starting up": "it is starting up",
    "shutting down": "it is shutting down",
    "could not translate host name": "there is no such host",
    "does not exist": "there is no such database or user",
}


def _place(source: str, address: str) -> str:
    """Host, port and database. PullError for an address in which the password's signs are taken for something else."""
    try:
        said: dict[str, Any] = parse_dsn(address)
    except psycopg2.Error:
        said = {}
    host, port, database = (said.get(word, "") for word in ("host", "port", "dbname"))
    if not said or "@" in host or ("@" in address and "user" not in said):
        raise PullError(
            f"{source}: PostgreSQL knows no such address; one is postgresql://user:password@host/database, "
            "with signs such as @ : / ? # % in the password written %40 %3A %2F %3F %23 %25"
        )
    return f"{host or 'this machine'}:{port or 5432}/{database}"
