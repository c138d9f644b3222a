"""The vault: the one table of the lake that holds what names a person; everywhere else stands a token.

A column whose contract says `classification: identifier` is **sealed** when its table is published: each value goes to
`vault.identifiers`, encrypted, and its token takes its place. Builds that need the values name the inputs for which
they do (`opens` in their contract: identity resolution, and what masks free text); these, and people with a reason, are
written to `ops.vault_reads`.

A token is made once, under the key of its day, and stays: changing the key encrypts the vault anew and renews what
values are found by (`lookup`), in one commit; no table changes, so no join does. Until then a token is its own
`lookup`, and making one asks nothing of the vault.
"""

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kit import lake, process, tokens
from jobs.kit.contracts import Contract
from jobs.kit.settings import settings

cloudpickle.register_pickle_by_value(tokens)  # the engine's workers need not have this project on their path

TABLE = "vault.identifiers"
READS = pa.schema(
    [
        ("reader", pa.string()), ("reason", pa.string()), ("what", pa.string()), ("run_id", pa.string()),
        ("read_at", pa.timestamp("us", "UTC")),
    ]
)  # fmt: skip


class VaultError(Exception):
    """The vault cannot be read: one sentence that says why."""


# ---- tables ----


def seal(spark: SparkSession, frame: DataFrame, contract: Contract) -> DataFrame:
    """The frame with tokens in place of identifiers; the values are in the vault when this returns.

    Null stays null. What is a token already (a table made of another's) stays one, but not at bronze's door, where
    somebody may have typed it.
    """
    columns = [c for c in contract.identifiers if c in frame.columns]
    if columns and "_extra" in frame.columns:
        columns.append("_extra")  # what the contract does not name yet may name a person
    return seal_columns(spark, frame, columns, keep_tokens=contract.layer != "bronze")


def seal_columns(spark: SparkSession, frame: DataFrame, columns: Sequence[str], *, keep_tokens: bool) -> DataFrame:
    """The same for these columns of any frame."""
    if not columns:
        return frame
    with process.alone(settings().home, "vault"):
        version, key = _current()
        _keep(spark, _values(frame, columns, keep_tokens), version, key)
    found_by = _udf("string", lambda v: v if keep_tokens and tokens.is_token(v) else tokens.lookup(v, key))
    sealed = frame.withColumns({c: found_by(F.col(c)) for c in columns})
    if version == 1:
        return sealed
    known = lake.read(spark, TABLE).select("lookup", "token")
    for column in columns:
        named = known.select(F.col("lookup").alias(column), F.col("token").alias("_token"))
        sealed = sealed.join(F.broadcast(named), on=column, how="left")
        sealed = sealed.withColumn(column, F.coalesce("_token", column)).drop("_token")
    return sealed.select(*frame.columns)


def open_columns(spark: SparkSession, frame: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The frame with the values again. Whoever calls this says so in `ops.vault_reads` first (`log`).

    A token whose value was erased stays a token's null: nothing is known of it any more.
    """
    columns = [c for c in columns if c in frame.columns]
    if not columns or lake.version(TABLE) is None:
        return frame
    known = lake.read(spark, TABLE)
    _, key = _current()
    value = _udf("string", lambda sealed: tokens.decrypt(sealed, key))
    for column in columns:
        named = known.select(F.col("token").alias(column), F.col("sealed").alias("_sealed"))
        frame = frame.join(named, on=column, how="left")
        frame = frame.withColumn(column, value(F.col("_sealed"))).drop("_sealed")
    return frame


def log(reader: str, what: str, reason: str, run_id: str = "") -> None:
    """Write down who reads which values and why, before they do."""
    row = {"reader": reader, "reason": reason, "what": what, "run_id": run_id, "read_at": lake.now()}
    lake.append_ops("vault_reads", [row], READS)


# ---- people ----


def reveal(wanted: Sequence[str], reason: str) -> dict[str, str | None]:
    """The value of each token, None where there is none (any more). Logged with the account that asks."""
    log(settings().run_by, ", ".join(wanted), reason)
    if lake.version(TABLE) is None:
        return dict.fromkeys(wanted)
    _, key = _current()
    bad = [w for w in wanted if not tokens.is_token(w)]
    if bad:
        raise VaultError(f"{bad[0]} is no token: one looks like tok_ and 26 letters or digits")
    named = ", ".join(f"'{w}'" for w in wanted)
    rows = lake.read_small(TABLE, f"SELECT token, sealed FROM t WHERE token IN ({named})").to_pylist()
    return dict.fromkeys(wanted) | {r["token"]: tokens.decrypt(r["sealed"], key) for r in rows}


def subject(account: str) -> str:
    """What stands for an account in `ops.erasures`: who has the keys can ask whether somebody was erased."""
    return tokens.lookup(f"erased {account}", _keys()[1]).replace("tok_", "subject_")


def values(wanted: Sequence[str]) -> dict[str, str]:
    """The values of those of these tokens that the vault has. Whoever calls this says so first (`log`)."""
    if not wanted or lake.version(TABLE) is None:
        return {}
    _, key = _current()
    named = set(wanted)
    rows = lake.read_small(TABLE, "SELECT token, sealed FROM t").to_pylist()
    return {r["token"]: tokens.decrypt(r["sealed"], key) for r in rows if r["token"] in named}


def every(reason: str) -> set[str]:
    """All values of the vault, for somebody who says why, which is written down first."""
    log(settings().run_by, "every value", reason)
    if lake.version(TABLE) is None:
        return set()
    _, key = _current()
    return {tokens.decrypt(r["sealed"], key) for r in lake.read_small(TABLE, "SELECT sealed FROM t").to_pylist()}


def forget(spark: SparkSession, gone: Sequence[str]) -> int:
    """Take these tokens out of the vault, in one commit; returns how many it had."""
    if not gone or lake.version(TABLE) is None:
        return 0
    with process.alone(settings().home, "vault"):
        version, _ = _current()
        known = lake.read(spark, TABLE)
        named = spark.createDataFrame([(t,) for t in gone], "token string")
        count = known.join(F.broadcast(named), "token", "left_semi").count()
        if count:
            _write(known.join(F.broadcast(named), "token", "left_anti"), "overwrite", version)
        return count


def told_by_others(spark: SparkSession, sought: Sequence[str]) -> set[str]:
    """Those of these texts that stand in a value of the vault, in whole or in part."""
    if not sought or lake.version(TABLE) is None:
        return set()
    _, key = _current()

    def find(sealed: Any) -> str | None:
        value = tokens.decrypt(sealed, key)
        found = [text for text in sought if text in value]
        return json.dumps(found) if found else None

    rows = lake.read(spark, TABLE).select(_udf("string", find)(F.col("sealed")).alias("found"))
    return {text for row in rows.where("found IS NOT NULL").distinct().collect() for text in json.loads(row[0])}


def rotate(spark: SparkSession) -> int:
    """Encrypt the vault under a new key, in one commit; returns the key's number. No token changes.

    Killed before the commit, nothing has happened; the key made for it is taken by the next rotation.
    """
    with process.alone(settings().home, "vault"):
        version, old = _current()
        keys = _keys()
        new_version = version + 1
        if new_version not in keys:
            keys[new_version] = secrets.token_bytes(32)
            _write_keys(keys)
        if lake.version(TABLE) is None:
            raise VaultError("The vault is empty: there is nothing to encrypt anew")
        new = keys[new_version]
        found_by = _udf("string", lambda sealed: tokens.lookup(tokens.decrypt(sealed, old), new))
        anew = _udf("binary", lambda sealed: tokens.encrypt(tokens.decrypt(sealed, old), new))
        rows = lake.read(spark, TABLE).select(
            "token", found_by(F.col("sealed")).alias("lookup"), anew(F.col("sealed")).alias("sealed")
        )
        _write(rows, "overwrite", new_version)
        return new_version


# ---- inside ----


def _values(frame: DataFrame, columns: Sequence[str], keep_tokens: bool) -> DataFrame:
    """Each value of these columns once."""
    values = frame.select(F.explode(F.array(*columns)).alias("value")).where("value IS NOT NULL").distinct()
    return values.where(~F.col("value").rlike(f"^{tokens.TOKEN.pattern}$")) if keep_tokens else values


def _keep(spark: SparkSession, values: DataFrame, version: int, key: bytes) -> None:
    """Put values that the vault does not know into it."""
    found_by = _udf("string", lambda value: tokens.lookup(value, key))
    sealed = _udf("binary", lambda value: tokens.encrypt(value, key))
    rows = values.select(found_by(F.col("value")).alias("lookup"), sealed(F.col("value")).alias("sealed"))
    if lake.version(TABLE) is not None:
        rows = rows.join(lake.read(spark, TABLE).select("lookup"), on="lookup", how="left_anti")
    new = rows.select(F.col("lookup").alias("token"), "lookup", "sealed").persist()
    try:
        if not new.isEmpty():
            _write(new, "append", version)
    finally:
        new.unpersist()


def _write(rows: DataFrame, mode: str, version: int) -> None:
    writer = rows.coalesce(1).write.format("delta").mode(mode)
    if lake.version(TABLE) is None:
        # No statistics: the least and greatest value of a file would be values.
        writer = writer.option("delta.dataSkippingNumIndexedCols", "0")
        writer = writer.option("delta.enableDeletionVectors", "false")
    writer.option("userMetadata", json.dumps({"key_version": version})).save(settings().path(TABLE))


def _udf(type_: str, work: Callable[[Any], Any]) -> Callable[[Column], Column]:
    """A function of one value as Spark's workers run it; null stays null."""
    made = pa.binary() if type_ == "binary" else pa.string()

    def convert(array: pa.Array) -> pa.Array:
        return pa.array([None if v is None else work(v) for v in array.to_pylist()], made)

    run = F.arrow_udf(convert, type_)  # type: ignore[call-overload]
    # Over Connect a function's strings come typed "string collate UTF8_BINARY", which other readers refuse.
    return lambda column: run(column).cast(type_)


def _current() -> tuple[int, bytes]:
    """The number of the key that the vault is under, and the key."""
    keys = _keys()
    version = int(lake.stamp(TABLE).get("key_version", 1))
    if version not in keys:
        raise VaultError(
            f"The vault is under key {version}, and {_file()} does not have it: bring the keys of this lake"
        )
    return version, keys[version]


def _keys() -> dict[int, bytes]:
    """The keys by number; the first is made when there is none yet, but not for a vault that has one."""
    if not _file().exists():
        if lake.version(TABLE) is not None:
            raise VaultError(f"The keys of the vault are not there: bring {_file()} of this lake")
        _write_keys({1: secrets.token_bytes(32)})
    return {int(n): b64decode(key) for n, key in json.loads(_file().read_text()).items()}


def _write_keys(keys: dict[int, bytes]) -> None:
    process.write_private(_file(), json.dumps({n: b64encode(key).decode() for n, key in keys.items()}))


def _file() -> Path:
    return settings().home / "secrets" / "vault.json"
