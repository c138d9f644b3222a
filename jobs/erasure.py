"""Erase a person: repair the landed files, replay what hangs on them, lose the history, prove it.

The records are found by what the bronze contracts say of their `subject`; those of registrations, texts and doings go,
those of money and stock stay and forget whose they were. From the repaired files the ordinary runs make the tables
again, so that an erasure knows none of their rules. Then nothing is kept of any table touched but its present rows, and
all that the lake keeps is read for what named the person. docs/decisions/0706-erasure.md says why so.

Each step ends the same when done again. A journal in `<home>/erasures/`, which only its owner can read, has whom it is
about, for by then the tables may not; it goes with the last step. What is left for good is a row of `ops.erasures`,
which names nobody.
"""

import hashlib
import hmac
import json
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import (
    arrivals,
    bronze,
    door_rewrite,
    engine,
    extract,
    kept,
    lake,
    lineage,
    process,
    quarantine,
    registry,
    tokens,
    vault,
)
from jobs.kit.contracts import PSEUDONYM, Contract, all_contracts, load
from jobs.kit.run import run
from jobs.kit.settings import settings
from jobs.landing import files as landing
from jobs.landing import stream
from jobs.landing.files import LandedFile

IDENTITIES = "silver.identities"
LONG = 6  # characters; a shorter id or name is also part of what has nothing to do with the person
ERASURES = pa.schema(
    [
        ("erasure_id", pa.string()), ("subjects", pa.list_(pa.string())), ("reason", pa.string()),
        ("run_by", pa.string()), ("started_at", pa.timestamp("us", "UTC")), ("proved_at", pa.timestamp("us", "UTC")),
        ("accounts", pa.int64()), ("records", pa.string()), ("vault_rows", pa.int64()), ("tables", pa.string()),
        ("sought", pa.int64()), ("shared", pa.int64()), ("too_short", pa.int64()), ("files_scanned", pa.int64()),
        ("bytes_scanned", pa.int64()), ("hits", pa.int64()), ("hits_in", pa.list_(pa.string())),
        ("models", pa.list_(pa.string())),
    ]
)  # fmt: skip


class ErasureError(Exception):
    """One sentence that says why somebody cannot be erased, or not yet, and what to do."""


@dataclass(frozen=True)
class Found:
    """Records of the person in one file: by number, what becomes of each; None if the whole file has to go."""

    file: LandedFile
    edits: Mapping[int, Mapping[str, str | None] | None] | None
    is_dropped: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many records are deleted, and how many forget."""
        if self.edits is None:
            return {"files refused before, deleted whole": 1}
        gone = sum(edit is None for edit in self.edits.values())
        said = {"deleted": gone, "forgotten": len(self.edits) - gone}
        return {what: n for what, n in said.items() if n}


@dataclass
class Proof:
    """What was looked for and where it was found: files, without the values."""

    sought: int = 0
    shared: int = 0
    too_short: int = 0
    files: int = 0
    bytes: int = 0
    hits_in: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


Say = Callable[[str], None]


# ---- who ----


def accounts_of(*, account: tuple[str, str] | None = None, customer: str = "") -> dict[str, list[str]]:
    """All accounts of the customer, or of the customer whose the account is, by system.

    An account that nobody resolved stands for itself. ErasureError if there is no such customer.
    """
    rows: list[dict[str, Any]] = []
    if lake.version(IDENTITIES) is not None:
        named = _quoted(customer)
        if account:
            system, id_ = map(_quoted, account)
            named = f"(SELECT customer_id FROM t WHERE account_system = {system} AND account_id = {id_})"
        sql = f"SELECT account_system, account_id FROM t WHERE customer_id = {named}"
        rows = lake.read_small(IDENTITIES, sql).to_pylist()
    if not rows and account is None:
        raise ErasureError(
            f"No customer {customer} is in {IDENTITIES}: ids are those of silver.customers, as of the last run"
        )
    found = {(r["account_system"], r["account_id"]) for r in rows} | ({account} if account else set())
    return {s: sorted(id_ for system, id_ in found if system == s) for s in sorted({s for s, _ in found})}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def subjects() -> list[Contract]:
    """The bronze tables whose records are somebody's."""
    return [c for c in all_contracts() if c.subject is not None]


def _keys(spark: SparkSession, accounts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Accounts by system and, by kind, what bronze tells of them: orders, and of these the deliveries."""
    keys = {kind: set(ids) for kind, ids in accounts.items()}
    while True:
        before = {kind: len(ids) for kind, ids in keys.items()}
        for contract in subjects():
            assert contract.subject is not None
            if not contract.subject.tells or lake.version(contract.name) is None:
                continue
            rows = lake.read(spark, contract.name)
            theirs = rows.where(_whose(contract, keys).isNotNull())
            for kind, told in contract.subject.tells.items():
                ids = theirs.select(F.trim(F.expr(told)).alias("id")).where("id <> ''").distinct().collect()
                keys.setdefault(kind, set()).update(row["id"] for row in ids)
        if before == {kind: len(ids) for kind, ids in keys.items()}:
            return {kind: sorted(ids) for kind, ids in keys.items()}


def _whose(contract: Contract, keys: Mapping[str, Iterable[str]]) -> Column:
    """`app o123`: by what a bronze row is the person's; null if it is not."""
    assert contract.subject is not None
    ways = []
    for kind, said in contract.subject.by.items():
        ids, native = sorted(keys.get(kind, ())), F.trim(F.expr(said))
        if ids:
            ways.append(F.when(native.isin(ids), F.concat(F.lit(f"{kind} "), native)))
    return F.coalesce(*ways) if ways else F.lit(None).cast("string")


# ---- where: their records in landing and the drop folder ----


def records(
    spark: SparkSession, contract: Contract, keys: Mapping[str, Sequence[str]], values: Sequence[str], salt: str
) -> list[Found]:
    """Every file with records of theirs. A record that the door refused is theirs if an id or value of theirs is in it.

    All deliveries count, superseded and refused ones too: they are kept as well.
    """
    assert contract.subject is not None
    conf = settings()
    if contract.subject.erasure == "keep":
        return []
    kinds = {*contract.subject.by}
    needles = {i.split(":")[-1] for kind in kinds for i in keys.get(kind, ())}
    told = {v for v in [*(i for k in _systems(keys) for i in keys[k]), *values] if len(v) >= LONG}
    encoding = contract.drop.encoding if contract.drop else "utf-8"
    batches = {b.file_id: b for b in stream.landed(contract, bronze.ledger(contract.name))}
    every = [f for f in landing.landed(contract, conf.landing) if f.path]
    every += [_as_landed(contract, path) for path in landing.dropped(contract, conf.drop)]
    files = [f for f in every if f.path and _mentions(Path(f.path), encoding, needles | told)]
    readable = [f for f, verdict in arrivals.check(files, contract) if verdict.accepted]
    edits: dict[str, dict[int, Mapping[str, str | None] | None]] = {
        i: {} for i in [*batches, *(f.file_id for f in readable)]
    }
    frames = [arrivals.rows(spark, readable, contract)] if readable else []
    frames += [stream.rows(spark, batches.values(), contract)] if batches else []
    for frame in frames:
        names = [c.name for c in arrivals.received(contract)]
        rows = frame.select(
            "_file_id",
            "_row_number",
            _whose(contract, keys).alias("whose"),
            F.when(F.coalesce(*[F.col(n) for n in names]).isNull(), F.col("_raw")).alias("raw"),
        )
        for row in rows.where("whose IS NOT NULL OR raw IS NOT NULL").collect():
            if row["whose"]:
                edits[row["_file_id"]][row["_row_number"]] = _edit(contract, row["whose"], salt)
            elif any(text in row["raw"] for text in needles | told):
                edits[row["_file_id"]][row["_row_number"]] = None
    found = [Found(f, edits[f.file_id], _is_dropped(f)) for f in readable if edits[f.file_id]]
    found += [Found(b, edits[b.file_id]) for b in batches.values() if edits[b.file_id]]
    unread = [f for f in files if f not in readable]
    return found + [Found(f, None, _is_dropped(f)) for f in unread]


def _systems(keys: Mapping[str, Sequence[str]]) -> list[str]:
    """The kinds of keys that are systems of accounts, not told by records."""
    told = {kind for c in subjects() if c.subject for kind in c.subject.tells}
    return [kind for kind in keys if kind not in told]


def _edit(contract: Contract, whose: str, salt: str) -> dict[str, str | None] | None:
    assert contract.subject is not None
    if contract.subject.erasure == "delete":
        return None
    received = {c.name: c for c in arrivals.received(contract)}
    edit: dict[str, str | None] = {c.received_as: None for c in received.values() if c.classification == "identifier"}
    for name, left in contract.subject.leaves.items():
        edit[received[name].received_as] = None if left is None else left.replace(PSEUDONYM, pseudonym(whose, salt))
    return edit


def pseudonym(account: str, salt: str) -> str:
    """A name that stands for nobody once the salt, which only the journal has, is gone."""
    return "erased_" + hmac.new(salt.encode(), account.encode(), hashlib.sha256).hexdigest()[:20]


def _as_landed(contract: Contract, path: Path) -> LandedFile:
    seen = datetime.fromtimestamp(0).astimezone()
    size = path.stat().st_size
    return LandedFile(contract.table, path.name, f"drop/{path.name}", "landed", seen, "", bytes=size, path=str(path))


def _is_dropped(file: LandedFile) -> bool:
    return file.file_id.startswith("drop/")


def _mentions(path: Path, encoding: str, needles: Iterable[str]) -> bool:
    """Whether a file may have any of these texts: read whole, as text, packed or not."""
    text = "\n".join(t for t in kept.texts(path, [encoding]))
    return "\\u" in text or any(needle in text for needle in needles)


def repair(contract: Contract, found: Sequence[Found], folder: Path) -> None:
    """Write these files anew without the person, in landing and in the drop folder; messages where they are landed."""
    conf, shape = settings(), arrivals.layout(contract)
    for one in found:
        if isinstance(one.file, stream.Batch):
            assert one.edits is not None
            were = stream.values(contract, one.file, one.edits)
            changed = {o: door_rewrite.message(v, e, shape) if (e := one.edits[o]) else None for o, v in were.items()}
            stream.exchange(contract, one.file, changed)
            continue
        assert one.file.path is not None
        content = folder / "content.tmp"
        if one.edits is not None:
            door_rewrite.rewrite(one.file.path, content, shape, one.edits)
        if one.is_dropped:
            path = Path(one.file.path)
            if one.edits is None:
                path.unlink()
            else:
                unfinished = path.with_name(f".{path.name}.tmp")  # landing leaves such names alone
                shutil.copyfile(content, unfinished)
                unfinished.replace(path)
        else:
            landing.exchange(contract, conf.landing, one.file, None if one.edits is None else content)
        content.unlink(missing_ok=True)


# ---- what else is theirs: rows made of their records, values in the vault ----


def _theirs(frame: DataFrame, keys: Mapping[str, Sequence[str]], customers: Sequence[str]) -> Column | None:
    """Which rows of a table beyond bronze name the person; None if the table names nobody."""
    has, ways = set(frame.columns), []
    if {"account_system", "account_id"} <= has:
        for system in _systems(keys):
            ways.append((F.col("account_system") == system) & F.col("account_id").isin(list(keys[system])))
    if "customer_id" in has:
        ways.append(F.col("customer_id").isin(list(customers)))
    if "member_id" in has and keys.get("erp"):
        ways.append(F.col("member_id").isin(list(keys["erp"])))
    return reduce(lambda a, b: a | b, ways) if ways else None


def rows_left(
    spark: SparkSession, keys: Mapping[str, Sequence[str]], customers: Sequence[str]
) -> dict[str, tuple[int, Column]]:
    """The published tables beyond bronze that have rows of the person, with how many, and which."""
    found = {}
    for contract in all_contracts():
        if contract.layer != "bronze" and lake.version(contract.name) is not None:
            frame = lake.read(spark, contract.name)
            which = _theirs(frame, keys, customers)
            if which is not None and (count := frame.where(which).count()):
                found[contract.name] = (count, which)
    return found


def _customers(keys: Mapping[str, Sequence[str]]) -> list[str]:
    """Every customer_id that these accounts may have founded."""
    return sorted(
        "C" + hashlib.sha256(f"{system}|{id_}".encode()).hexdigest()[:16]
        for system in _systems(keys)
        for id_ in keys[system]
    )


def _tokens(spark: SparkSession, keys: Mapping[str, Sequence[str]], customers: Sequence[str]) -> set[str]:
    """The tokens in rows of theirs."""
    found = set[str]()
    for contract in all_contracts():
        if not contract.identifiers or lake.version(contract.name) is None:
            continue
        rows = lake.read(spark, contract.name)
        which = _whose(contract, keys).isNotNull() if contract.subject else _theirs(rows, keys, customers)
        if which is not None and (contract.subject is None or contract.subject.erasure != "keep"):
            found |= _distinct(rows.where(which), _sealed_columns(contract, rows))
    return {t for t in found if tokens.is_token(t)}


def _ids(spark: SparkSession, keys: Mapping[str, Sequence[str]]) -> set[str]:
    """What systems call them by: the accounts, and what is said beside these (a union id)."""
    systems = set(_systems(keys))
    found = {id_ for system in systems for id_ in keys[system]}
    for contract in subjects():
        assert contract.subject is not None
        if contract.subject.erasure == "delete" and {*contract.subject.by} <= systems | set(_SYSTEMS):
            names = [c.name for c in contract.columns if c.classification == "pseudonymous" and c.derived is None]
            if names and lake.version(contract.name) is not None:
                rows = lake.read(spark, contract.name).where(_whose(contract, keys).isNotNull())
                found |= {v for v in _distinct(rows, names) if not v.startswith("{")}
    return found


_SYSTEMS = ("erp", "crm", "app", "tmall", "jd", "social")


def _distinct(rows: DataFrame, columns: Sequence[str]) -> set[str]:
    if not columns:
        return set()
    values = rows.select(F.explode(F.array(*columns)).alias("v")).where("v IS NOT NULL").distinct()
    return {row["v"] for row in values.collect()}


def _sealed_columns(contract: Contract, rows: DataFrame) -> list[str]:
    return [c for c in (*contract.identifiers, "_extra") if c in rows.columns]


def _sealed_tables() -> list[tuple[str, list[str]]]:
    """Every table that holds tokens, with the columns where they are."""
    found = []
    for contract in all_contracts():
        parts = [quarantine._candidate(contract.table, part) for part in ("failing", "candidate")]
        columns = [*contract.identifiers, "_extra"]
        for name, wanted in [(contract.name, columns), (quarantine.table_of(contract), ["row"]),
                             *((part, columns) for part in parts)]:  # fmt: skip
            if lake.version(name) is not None and (there := [c for c in wanted if c in lake.schema(name)]):
                found.append((name, there))
    return found


def _held(spark: SparkSession, wanted: Iterable[str]) -> set[str]:
    """Those of these tokens that some table still has."""
    named = spark.createDataFrame([(t,) for t in sorted(wanted)] or [("",)], "v string")
    held = set[str]()
    for name, columns in _sealed_tables():
        values = lake.read(spark, name).select(F.explode(F.array(*columns)).alias("v"))
        held |= {row["v"] for row in values.join(F.broadcast(named), "v", "left_semi").distinct().collect()}
    return held


# ---- the steps ----


def plan(spark: SparkSession, accounts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the journal begins with: whom it is about, all that names them, what there is. Changes nothing."""
    keys = _keys(spark, accounts)
    customers = _customers(keys)
    theirs = _tokens(spark, keys, customers)
    vault.log(settings().run_by, f"{len(theirs)} values of one person", "erasure")
    values = sorted(set(vault.values(sorted(theirs)).values()))
    salt = secrets.token_hex(16)
    found = {c.name: some for c in subjects() if (some := records(spark, c, keys, values, salt))}
    rows = {name: count for name, (count, _) in rows_left(spark, keys, customers).items()}
    if not found and not rows:
        (system, ids), *_ = accounts.items()
        raise ErasureError(f"Nothing of {system} {ids[0]} is in this lake: neither records in landing nor rows")
    return {
        "erasure_id": secrets.token_hex(6),
        "started_at": lake.now().isoformat(),
        "accounts": {k: list(v) for k, v in accounts.items()},
        "keys": keys,
        "customers": customers,
        "ids": sorted(_ids(spark, keys) | set(customers)),
        "first_day": _first_day(accounts),
        "salt": salt,
        "tokens": sorted(theirs),
        "values": values,
        "records": {name: _summed(some) for name, some in found.items()},
        "files": {name: {_label(f): f.counts for f in some} for name, some in found.items()},
        "rows": rows,
        "said": [],
    }


def _label(found: Found) -> str:
    return f"{'drop' if found.is_dropped else 'landing'} {found.file.name}" + (
        "" if found.is_dropped else f" ({found.file.file_id})"
    )


def _summed(found: Sequence[Found]) -> dict[str, int]:
    total = Counter[str]()
    for one in found:
        if not one.is_dropped:
            total.update(one.counts)
    return dict(total)


def _first_day(accounts: Mapping[str, Sequence[str]]) -> str:
    """The first day that the lake knew any of the accounts; the dawn of time if it does not say."""
    if lake.version(IDENTITIES) is None:
        return date.min.isoformat()
    named = ", ".join(f"{_quoted(s)} || ' ' || {_quoted(i)}" for s, ids in accounts.items() for i in ids)
    sql = f"SELECT min(first_seen_date) AS d FROM t WHERE account_system || ' ' || account_id IN ({named})"
    (row,) = lake.read_small(IDENTITIES, sql).to_pylist()
    return str(row["d"] or date.min)


def erase(spark: SparkSession, journal: dict[str, Any], as_of: date, say: Say = lambda _: None) -> Proof:
    """All steps from the first that is not done; the journal goes when nothing is found any more."""
    with process.alone(settings().home, "erasure"):
        folder = _folder() / journal["erasure_id"]
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        steps: list[tuple[str, Callable[[], object]]] = [
            ("the landed files are repaired", lambda: _repair_all(spark, journal, folder)),
            ("the tables are made again", lambda: _replay(journal, as_of, say)),
            ("rows of the past and scores are taken out", lambda: _take_out(spark, journal)),
            ("the vault has forgotten", lambda: _forget_values(spark, journal)),
            ("the history is lost", lambda: _lose_histories(journal)),
            ("what dashboards read is made again", extract.refresh_if_used),
        ]
        for name, step in steps:
            if name not in journal["said"]:
                step()
                journal["said"].append(name)
                _save(journal)
            say(name)
        proof = _prove(spark, journal)
        _tell(journal, proof)
        shutil.rmtree(folder, ignore_errors=True)
        if not proof.hits_in:
            _path(journal).unlink()
        return proof


def _repair_all(spark: SparkSession, journal: dict[str, Any], folder: Path) -> None:
    # What quarantine holds of them is known by its going; so is what is kept of refused candidates.
    kept = [(n, c) for n, c in _sealed_tables() if n.startswith("quarantine.")]
    refused = set[str]().union(*(_distinct(lake.read(spark, n), c) for n, c in kept))
    journal["tokens"] = sorted({*journal["tokens"], *(t for t in refused if tokens.is_token(t))})
    _save(journal)
    for contract in subjects():
        repair(contract, records(spark, contract, journal["keys"], journal["values"], journal["salt"]), folder)


def _replay(journal: dict[str, Any], as_of: date, say: Say) -> None:
    """Run the bronze tables whose files changed and what hangs on them; models stay as they are, scores too."""
    for name in [n for n in _touched(journal) if not n.startswith("scoring.")]:
        # Messages keep their offsets, and so their batch its name: only a full load reads them again.
        results = run(name, as_of, full=name in _streamed(journal))
        if not all(r.ok for r in results):
            raise ErasureError(
                f"The gate held {name}, so the erasure stands still: shoplake quarantine show {name} says why; "
                "repair it, then give the same command again"
            )
        say(f"  {name}: {results[-1].verdict} {results[-1].scope}")


def _streamed(journal: Mapping[str, Any]) -> list[str]:
    """Of these bronze tables those that have landed messages."""
    return [n for n in journal["records"] if lake.version(stream.landing_table(load(n))) is not None]


def _touched(journal: Mapping[str, Any]) -> list[str]:
    """The published tables with records of the person, and all that is made of them, in order."""
    names = set(journal["records"]) | set(journal["rows"])
    names |= {d for n in journal["records"] for d in lineage.downstream(n)}
    return [n for n in lineage.order() if n in names and not n.startswith("models.") and lake.version(n) is not None]


def _take_out(spark: SparkSession, journal: dict[str, Any]) -> None:
    """What no run makes again: scores, rows as of days that no stamp remembers; refused candidates."""
    for name, (_, which) in rows_left(spark, journal["keys"], journal["customers"]).items():
        if name.startswith("scoring.") or lineage.signature(name)[1]:
            lake.take_out(spark, name, lake.read(spark, name).where(which))
    for name in _touched(journal):
        quarantine.forget_candidate(load(name))


def _forget_values(spark: SparkSession, journal: dict[str, Any]) -> None:
    """Take out of the vault what no table holds any more; a family's telephone stays."""
    gone = set(journal["tokens"]) - _held(spark, journal["tokens"])
    journal["vault_rows"] = journal.get("vault_rows", 0) + vault.forget(spark, sorted(gone))


def _lose_histories(journal: dict[str, Any]) -> None:
    """Each table once, inputs first: what is made of it remembers its last version by the new number."""
    if "current" not in journal:
        journal["current"] = {n: lake.version(n) for n in _touched(journal)}
        journal["done"] = {}
        _save(journal)
    for name in [*_touched(journal), *_beside(journal)]:
        if name not in journal["done"]:
            journal["done"][name] = _lose(journal, name)
            _save(journal)


def _lose(journal: Mapping[str, Any], name: str) -> int:
    said = lake.stamp(name)
    for inputs in said.get("as_ofs", {}).values():
        for table, version in inputs.items():
            if table in journal["done"] and version == journal["current"].get(table):
                inputs[table] = journal["done"][table]
    return lake.lose_history(name, said)


def _beside(journal: Mapping[str, Any]) -> list[str]:
    """The quarantine of the tables touched, landed messages, and the vault."""
    names = [vault.TABLE, *(stream.landing_table(load(n)) for n in _streamed(journal))]
    for name in _touched(journal):
        table = load(name).table
        names += [f"quarantine.{table}", *(quarantine._candidate(table, part) for part in ("failing", "candidate"))]
    return [n for n in names if lake.version(n) is not None]


# ---- the journal ----


def _folder() -> Path:
    return settings().home / "erasures"


def _path(journal: Mapping[str, Any]) -> Path:
    return _folder() / f"{journal['erasure_id']}.json"


def _save(journal: Mapping[str, Any]) -> None:
    process.write_json(_path(journal), journal)


def begin(journal: dict[str, Any], reason: str) -> None:
    """Write the journal before anything is changed."""
    journal["reason"] = reason
    _save(journal)


def ask(account: tuple[str, str] | None, customer: str, reason: str) -> str:
    """Note whom to erase and why, for `shoplake erase --waiting`; return the note's name, which names nobody."""
    note = _folder() / "asked" / f"{secrets.token_hex(6)}.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    process.write_json(note, {"account": account, "customer": customer, "reason": reason})
    return note.stem


def asked() -> Iterator[tuple[Path, dict[str, Any]]]:
    """The notes of who waits, oldest first. Each goes when its erasure has a journal."""
    for note in sorted((_folder() / "asked").glob("*.json"), key=lambda p: p.stat().st_mtime):
        said = json.loads(note.read_text())
        yield note, said | {"account": tuple(said["account"]) if said["account"] else None}


def unfinished() -> list[dict[str, Any]]:
    """The journals of erasures that were cut short, or whose proof found something."""
    return [json.loads(p.read_text()) for p in sorted(_folder().glob("*.json"))]


def is_about(journal: Mapping[str, Any], account: tuple[str, str] | None, customer: str) -> bool:
    """Whether this erasure is the one of the account, or of the customer."""
    if account:
        return account[1] in journal["accounts"].get(account[0], ())
    return customer in journal["customers"]


# ---- the proof ----


def _prove(spark: SparkSession, journal: dict[str, Any]) -> Proof:
    """Look for all that named the person in all that is kept; where a table's history has it, lose that and look again.

    A value that others told as well (it is part of a value that the vault still has) is not the person's alone.
    """
    values = {part for value in journal["values"] for part in _parts(value)}
    shared = vault.told_by_others(spark, sorted(values))
    sought = {*journal["ids"], *(values - shared)}
    ascii_short = {s for s in sought if s.isascii() and len(s) < LONG}
    ways = _ways(sought - ascii_short)
    proof = Proof(len(sought - ascii_short), len(shared), len(ascii_short))
    engine.clear_scratch(spark, settings())
    hits = []
    for path in kept.files():
        proof.files, proof.bytes = proof.files + 1, proof.bytes + path.stat().st_size
        if _has(path, ways):
            hits.append(path)
    for table in sorted({t for p in hits if (t := kept.table_of(p))}):
        lake.lose_history(table, lake.stamp(table))
    if hits:
        proof.hits_in = [kept.shown(p) for p in kept.files() if _has(p, ways)]
    proof.hits_in += [f"{n}: {count} rows" for n, (count, _) in
                      rows_left(spark, journal["keys"], journal["customers"]).items()]  # fmt: skip
    proof.models = registry.trained_since(date.fromisoformat(journal["first_day"]))
    return proof


def _parts(value: str) -> list[str]:
    """A value as it is and, where it is JSON, the texts in it."""
    try:
        found = json.loads(value)
    except ValueError:
        return [value.strip()]
    if not isinstance(found, dict):
        return [value.strip()]
    return [str(v).strip() for v in found.values() if isinstance(v, str) and v.strip()]


def _ways(sought: Iterable[str]) -> dict[str, re.Pattern[str]]:
    """How these texts may be written, also as JSON escapes them, each with what finds it where it stands by itself: not
    as a part of a longer number, id or name."""
    ways = {}
    for text in sorted(sought):
        edge = "[0-9A-Za-z]" if len(text) >= LONG else r"\w"
        for form in (text, json.dumps(text)[1:-1], text.replace('"', '""'), json.dumps(text, ensure_ascii=False)[1:-1]):
            ways[form] = re.compile(f"(?<!{edge}){re.escape(form)}(?!{edge})")
    return ways


def _has(path: Path, ways: Mapping[str, re.Pattern[str]]) -> bool:
    try:
        encodings = (
            ["utf-8", "gb18030"] if settings().landing in path.parents or settings().drop in path.parents else ["utf-8"]
        )
        # A plain search first: it is some hundred times as fast as a pattern of all.
        return any(
            form in text and way.search(text) for text in kept.texts(path, encodings) for form, way in ways.items()
        )
    except FileNotFoundError:  # a log that was turned over meanwhile
        return False


def _tell(journal: Mapping[str, Any], proof: Proof) -> None:
    """Leave the row in ops.erasures, once for each proof."""
    known = lake.read_ops("erasures")
    told = [] if known is None else [r for r in known.to_pylist() if r["erasure_id"] == journal["erasure_id"]]
    if any(r["hits"] == 0 for r in told):
        return
    row = {
        "erasure_id": journal["erasure_id"],
        "subjects": sorted(vault.subject(f"{s} {i}") for s, ids in journal["accounts"].items() for i in ids),
        "reason": journal["reason"],
        "run_by": settings().run_by,
        "started_at": datetime.fromisoformat(journal["started_at"]),
        "proved_at": lake.now(),
        "accounts": sum(map(len, journal["accounts"].values())),
        "records": json.dumps(journal["records"]),
        "vault_rows": journal["vault_rows"],
        "tables": json.dumps(journal["done"]),
        "sought": proof.sought,
        "shared": proof.shared,
        "too_short": proof.too_short,
        "files_scanned": proof.files,
        "bytes_scanned": proof.bytes,
        "hits": len(proof.hits_in),
        "hits_in": proof.hits_in,
        "models": proof.models,
    }
    lake.append_ops("erasures", [row], ERASURES)
