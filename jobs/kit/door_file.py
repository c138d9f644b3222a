"""What the door's readers of all formats share: how a table's files are written, verdicts, limits, bytes.

Like all of the door (door*.py) it imports the standard library, pyarrow and its sisters only: it travels to Spark's
workers with the query.
"""

import gzip
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

FIELD_LIMIT = 1 << 20  # bytes; a longer field is damage or an attack, not retail data
LINE_LIMIT = 8 * FIELD_LIMIT
RAW_LIMIT = 64 << 10  # of a refused record, what is kept beside its rule; landing has all of it
BLOCK = FIELD_LIMIT // 2  # so that a block with the rest of the one before holds no field over the limit
BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP, _ZIPS = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")  # the second has nothing in it


@dataclass(frozen=True)
class Layout:
    """How a table's files are written: format, the columns they must have, delimiter, encoding, sheet.

    `required` are the columns that no row may lack; the others may be absent, and are null then. `formerly` pairs a
    name that a column had in older files with its present one.
    """

    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    format: str = "csv"
    sheet: str = ""
    required: tuple[str, ...] = ()
    formerly: tuple[tuple[str, str], ...] = ()

    def present(self, names: Sequence[str]) -> list[str]:
        """Received names, former ones as what they are called now, unless that is among them as well."""
        now = dict(self.formerly)
        return [now[n] if n in now and now[n] not in names else n for n in names]

    @property
    def schema(self) -> pa.Schema:
        """What `parse` yields: the columns as text, then the door's own."""
        own = [("_extra", pa.string()), ("_row_number", pa.int64()), ("_raw", pa.string()), ("_rule", pa.string())]
        return pa.schema([(name, pa.string()) for name in self.columns] + own)


@dataclass(frozen=True)
class FileVerdict:
    """Whether a file may be read at all: `rule` is None or names what is wrong, `detail` says it in words."""

    rule: str | None = None
    detail: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """True if its rows may be read."""
        return self.rule is None


FINE = FileVerdict()


# ---- the file as a whole ----


def first_block(path: str, layout: Layout) -> bytes | FileVerdict:
    """The file's beginning, less a BOM; or why no line of it may be read.

    Reads what is packed whole: what a truncated gzip still gives must not be taken for all of it.
    """
    try:
        with unpacked(path) as stream:
            first = stream.read(BLOCK)
            while isinstance(stream, gzip.GzipFile | zipfile.ZipExtFile) and stream.read(BLOCK):
                pass
    except EOFError:
        return FileVerdict("file:truncated_gzip", "the compressed data ends before its end mark")
    except zipfile.BadZipFile as error:  # a truncated one too: its directory is at the end
        return FileVerdict("file:corrupt_zip", str(error))
    except (RuntimeError, NotImplementedError) as error:  # a password; a method that Python does not know
        return FileVerdict("file:unreadable_zip", str(error))
    except (gzip.BadGzipFile, zlib.error) as error:
        return FileVerdict("file:corrupt_gzip", str(error))
    if first.startswith(_UTF16):
        return FileVerdict("file:encoding", f"UTF-16, the contract says {layout.encoding}")
    return first.removeprefix(BOM)


def whole_lines(first: bytes) -> list[bytes]:
    """The lines of a first block, less the last one if that may go on behind it."""
    return (first if len(first) < BLOCK - len(BOM) else first[: first.rfind(b"\n") + 1]).split(b"\n")


def check_encoding(lines: list[bytes], encoding: str) -> FileVerdict:
    """Refuse a file if most of its first lines are not in this encoding."""
    share = sum(not decodes(line, encoding) for line in lines) / len(lines)
    return FileVerdict("file:encoding", f"{share:.0%} of the first lines are not {encoding}") if share > 0.5 else FINE


def check_names(names: list[str], layout: Layout, *, has_rows: bool) -> FileVerdict:
    """Judge the names in a header: each once, each required column among them; what else is missing or new is told."""
    names = layout.present(names)
    if doubled := sorted({n for n in names if names.count(n) > 1}):
        return FileVerdict("file:duplicate_header", f"more than one column {', '.join(doubled)}")
    missing = [c for c in layout.columns if c not in names]
    extra = [n for n in names if n not in layout.columns]
    if len(missing) == len(layout.columns):
        told = "none of the columns is in the first line: a file without header?"
        return FileVerdict(f"file:missing_column:{missing[0]}", told)
    return judge_missing(missing, extra, names, layout, () if has_rows else ("file:header_only",))


def judge_missing(
    missing: list[str], extra: list[str], names: list[str], layout: Layout, warnings: tuple[str, ...] = ()
) -> FileVerdict:
    """Refuse a file that lacks a required column; where it lacks another one or has more, warn of that."""
    if needed := [c for c in missing if c in layout.required]:
        return FileVerdict(f"file:missing_column:{needed[0]}", told_missing(needed, extra, names, layout))
    told = (*(f"file:missing_column:{c}" for c in missing), *(f"file:extra_column:{n}" for n in extra))
    return FileVerdict(detail=told_missing(missing, extra, names, layout), warnings=told + warnings)


def told_missing(missing: list[str], extra: list[str], names: list[str], layout: Layout) -> str:
    """Which columns are missing, and which of the unexpected ones each may have become."""
    told = []
    for column in missing:
        position = layout.columns.index(column)
        there = names[position : position + 1]
        renamed = get_close_matches(column, extra, n=1) or [n for n in there if n in extra]
        told.append(f"missing {column}" + (f", unexpected {renamed[0]}: renamed?" if renamed else ""))
    return "; ".join(told)


# ---- records ----


def damage(raw: bytes, encoding: str) -> str | None:
    """The rule that a record's bytes break, whatever its format."""
    if len(raw) > LINE_LIMIT:
        return None  # cut short by `blocks`, maybe within a character
    if b"\0" in raw:
        return "row:nul"
    return None if decodes(raw, encoding) else "row:encoding"


def decodes(line: bytes, encoding: str) -> bool:
    """True if the line is text in this encoding."""
    try:
        line.decode(encoding)
    except ValueError:
        return False
    return True


def readable(raw: bytes, encoding: str) -> str:
    """A refused record's bytes as text, for `_raw`."""
    text = raw[:RAW_LIMIT].rstrip(b"\r\n").decode(encoding, "backslashreplace").replace("\0", "\\x00")
    return text + (f"… ({len(raw)} bytes)" if len(raw) > RAW_LIMIT else "")


def extra_text(rows: Iterable[dict[str, str | None]]) -> pa.Array:
    """What rows have in columns that the contract does not name, as JSON; null where that is nothing."""
    kept = ({k: v for k, v in row.items() if v is not None} for row in rows)
    return pa.array([json.dumps(row, ensure_ascii=False) if row else None for row in kept], pa.string())


def batches(
    columns: Sequence[pa.Array], extra: pa.Array, raw: pa.Array, rule: pa.Array, row_number: int, layout: Layout
) -> Iterator[pa.RecordBatch]:
    """Rows of `layout.schema`, numbered from `row_number`: where there is none, no batch."""
    if len(rule):
        numbers = pa.arange(row_number, row_number + len(rule))
        yield from pa.table([*columns, extra, numbers, raw, rule], schema=layout.schema).to_batches()


# ---- bytes ----


def unpacked(path: str) -> BinaryIO:
    """The file's bytes, unpacked if it is a gzip or a zip of one file (whatever its name). Local files; the one place
    to teach others."""
    with Path(path).open("rb") as file:
        magic = file.read(4)
    if magic in _ZIPS:
        with zipfile.ZipFile(path) as packed:  # what is open of it stays so
            names = [i.filename for i in packed.infolist() if not i.is_dir() and not i.filename.startswith("__MACOSX/")]
            if len(names) != 1:
                raise zipfile.BadZipFile(f"{len(names)} files in it, where one was agreed")
            return packed.open(names[0])  # type: ignore[return-value]
    return gzip.open(path, "rb") if magic[:2] == _GZIP else Path(path).open("rb")  # type: ignore[return-value]


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Whole lines, about a BLOCK at a time. Of a line over LINE_LIMIT only the beginning: it is refused anyway."""
    rest = b""
    while chunk := stream.read(BLOCK):
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > LINE_LIMIT:
            yield data + b"\n"
            while chunk and b"\n" not in chunk:
                chunk = stream.read(BLOCK)
            cut, data = chunk.find(b"\n") + 1, chunk
        elif cut:
            yield data[:cut]
        rest = data[cut:]
    if rest:
        yield rest
