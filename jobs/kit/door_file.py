"""What the door's readers of all formats share: how a table's files are written, verdicts, limits, bytes.

Like all of the door (door*.py) it imports the standard library, pyarrow and its sisters only: it travels to Spark's
workers with the query.
"""

import gzip
import json
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
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Layout:
    """How a table's files are written: format, the columns they must have, delimiter, encoding, sheet.

    `required` are the columns that no row may lack: where records name their own columns (JSON lines), the others may
    be absent.
    """

    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    format: str = "csv"
    sheet: str = ""
    required: tuple[str, ...] = ()

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

    Reads a gzip whole: what a truncated one still gives must not be taken for all of it.
    """
    try:
        with unpacked(path) as stream:
            first = stream.read(BLOCK)
            while isinstance(stream, gzip.GzipFile) and stream.read(BLOCK):
                pass
    except EOFError:
        return FileVerdict("file:truncated_gzip", "the compressed data ends before its end mark")
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
    """Judge the names in a header: each once, each column among them; others are told."""
    if doubled := sorted({n for n in names if names.count(n) > 1}):
        return FileVerdict("file:duplicate_header", f"more than one column {', '.join(doubled)}")
    missing = [c for c in layout.columns if c not in names]
    extra = [n for n in names if n not in layout.columns]
    if missing:
        told = told_missing(missing, extra, names, layout)
        if len(missing) == len(layout.columns):
            told = "none of the columns is in the first line: a file without header?"
        return FileVerdict(f"file:missing_column:{missing[0]}", told)
    warnings = [f"file:extra_column:{name}" for name in extra]
    if not has_rows:
        warnings.append("file:header_only")
    return FileVerdict(warnings=tuple(warnings))


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


def _is_gzip(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == _GZIP


def unpacked(path: str) -> BinaryIO:
    """The file's bytes, unpacked if it is a gzip (whatever its name). Local files; the one place to teach others."""
    return gzip.open(path, "rb") if _is_gzip(path) else Path(path).open("rb")  # type: ignore[return-value]


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
