"""What a lake keeps, file by file, and how to look through it: to prove an erasure, to find values in the clear.

Everything counts that somebody could read later: tables with their logs, landing, the drop folder, ledgers, artifacts,
logs, databases. Not what was installed, nor the keys.
"""

import gzip
import json
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.kit.contracts import all_contracts
from jobs.kit.settings import CHECKOUT, settings

# Of the home, what was installed; what only the owner can read, or goes with an erasure; and the demo's own systems
# (live, kafka), which stand for others', with the truth behind what they tell.
NOT_KEPT = {"env", "jars", "java", "bin", "cache", "installed", "locks", "secrets", "erasures"} | {
    "live",
    "kafka",
    "truth",
}


def files() -> Iterator[Path]:
    """Every file that the lake keeps: tables and landing, the drop folder, and what runs leave in the home."""
    conf, seen = settings(), set[Path]()
    roots = [Path(conf.lake), conf.landing, conf.drop]
    roots += [p for p in sorted(conf.home.iterdir()) if p.name not in NOT_KEPT and not p.is_symlink()]
    if "://" not in conf.mlflow_artifacts:
        roots.append(Path(conf.mlflow_artifacts))
    for root in roots:
        found = [root] if root.is_file() else (Path(top) / n for top, _, names in os.walk(root) for n in sorted(names))
        for path in found:
            if path.is_file() and not path.is_symlink() and path not in seen:
                seen.add(path)
                yield path


def texts(path: Path, encodings: Sequence[str]) -> Iterator[str]:
    """A file as text: its name, its bytes and, where it is packed or columnar, what is in it."""
    yield path.name
    raw = path.read_bytes()
    yield from (raw.decode(encoding, "replace") for encoding in encodings)
    if raw[:2] == b"\x1f\x8b":
        unpacked = gzip.decompress(raw)
        yield from (unpacked.decode(encoding, "replace") for encoding in encodings)
    elif raw[:4] == b"PAR1":
        yield from _cells(pq.ParquetFile(pa.BufferReader(raw)))
    elif raw[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as packed:
            yield from (packed.read(name).decode("utf-8", "replace") for name in packed.namelist())
    elif raw[8:12] == b"DUCK":
        yield from _columns(path)


def _columns(path: Path) -> Iterator[str]:
    """Every text in the columns of a DuckDB file, which are packed: what dashboards read."""
    with duckdb.connect(str(path), read_only=True) as db:
        sql = "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal AND data_type ILIKE"
        for schema, table, column in db.execute(f"{sql} '%VARCHAR%'").fetchall():
            found = db.execute(f'SELECT DISTINCT "{column}"::VARCHAR FROM "{schema}"."{table}"').fetchall()
            yield "\n".join(value for (value,) in found if value is not None)


def _cells(file: pq.ParquetFile) -> Iterator[str]:
    """Every text in the cells of a Parquet file, each once a row group."""
    for group in range(file.num_row_groups):
        for column in file.read_row_group(group).columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                yield "\n".join(v for v in pc.unique(column).to_pylist() if v is not None)
            elif pa.types.is_nested(column.type):
                yield json.dumps(column.to_pylist(), default=str, ensure_ascii=False)


def table_of(path: Path) -> str | None:
    """The table in whose folder a file is, if it is one's."""
    root = Path(settings().lake)
    for folder in path.parents:
        if folder == root or root not in folder.parents:
            return None
        if (folder / "_delta_log").is_dir():
            layer, *rest = folder.relative_to(root).parts
            return None if layer == "ops" else f"{layer}.{'/'.join(rest)}"
    return None


def shown(path: Path) -> str:
    """Where a kept file is, from the root that people know."""
    conf = settings()
    for name, root in (("lake", Path(conf.lake)), ("drop", conf.drop), ("home", conf.home)):
        if root in path.parents:
            return f"{name}/{path.relative_to(root)}"
    return str(path)


# ---- values in the clear ----

# What phones, documents and mail addresses look like in any text; and names: Chinese characters, no more and no less.
# A mail address begins where its first word does: tried at each letter, a long word takes the square of its length.
_NUMBERS = re.compile(
    r"(?<![0-9A-Za-z])(?:1[3-9]\d{9}|\d{17}[0-9Xx])(?![0-9A-Za-z])|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
_NAMES = re.compile(r"(?<![\u4e00-\u9fff])[\u4e00-\u9fff]{2,4}(?![\u4e00-\u9fff])")
_RAW = ("landing", "vault")  # of the lake, what holds values by its nature: as received, and encrypted


def leaks(values: set[str]) -> dict[str, int]:
    """Where values of the vault stand in the clear, and how many different ones: files, and the words of processes.

    Landing and the drop folder, which hold what was received, are left out. In Parquet each cell is compared; in all
    else what looks like a phone, a document, a mail address or a name. Two things are no leaks: what our own files say
    (13800138000 is nobody's phone; an answer to a survey can be a word of a report), and texts in a table that opens
    them to publish them masked.
    """
    conf, found, seen = settings(), dict[str, int](), set[str]()
    raw = [Path(conf.lake) / name for name in _RAW] + [conf.drop]
    rules = [p for root in ("jobs", "expectations") for p in (CHECKOUT / root).rglob("*.yaml")]
    rules = [p for p in rules if CHECKOUT / "jobs" / "demo" not in p.parents]  # whose words stand for people's
    ours = {v for p in rules for look in (_NUMBERS, _NAMES) for v in look.findall(p.read_text(encoding="utf-8"))}
    masked = {c.name for c in all_contracts() if c.opens and not c.identifiers}
    for path in files():
        if not any(folder in path.parents for folder in raw):
            cells = path.suffix == ".parquet" and table_of(path) not in masked
            looks = [_NUMBERS] if table_of(path) in masked else [_NUMBERS, _NAMES]
            try:
                for text in texts(path, ["utf-8"]):
                    there = [*(text.split("\n") if cells else ()), *(v for look in looks for v in look.findall(text))]
                    seen |= values & set(there)
            except FileNotFoundError:  # a log that was turned over meanwhile
                pass
            if seen - ours:
                found[shown(path)] = len(seen - ours)
            seen = set()
    for one in psutil.process_iter(["pid", "cmdline"]):
        if seen := values & set(_NUMBERS.findall(" ".join(one.info["cmdline"] or ()))) - ours:
            found[f"process {one.info['pid']}"] = len(seen)
    return found
