"""Bronze's door: received bytes become rows, each accepted as text or refused with its rule; nothing is dropped.

Pure Python and pyarrow, no other module of this project: it runs inside Spark's workers, one file after the other, in
constant memory. What it holds:

- **Every record comes out**, in order, with its number: rows in = accepted + refused. Blank lines are no records.
- Values stay text as received; an empty one is null. Text that a spreadsheet would run (`=1+1`) stays that text:
  exports for spreadsheets neutralise it, the lake does not.
- A block of plain lines (no quote, no NUL, valid, none ragged) is read by Arrow; one with quotes but no fault by
  Python's csv module in its strict mode at one go; any other by the same, record by record. A property test holds all
  three to the same answer.
- A quoted field may run over several lines. Such a record is believed only if it has the right number of fields;
  otherwise its first line alone is refused (`row:unclosed_quote`) and reading goes on with the next line, so that one
  stray quote cannot swallow the good lines behind it.
- Columns are found by the header's names: another order is fine, additional ones are kept in `_extra` as JSON.
"""

import csv
import gzip
import json
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from io import BytesIO, StringIO
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

FIELD_LIMIT = 1 << 20  # bytes; a longer field is damage or an attack, not retail data
LINE_LIMIT = 8 * FIELD_LIMIT
RAW_LIMIT = 64 << 10  # of a refused record, what is kept beside its rule; landing has all of it
BLOCK = FIELD_LIMIT // 2  # so that a block with the rest of the one before holds no field over the limit
LINES_BACK = 1000  # lines looked at in vain are read again in blocks of so many
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Layout:
    """How a table's files are written: the columns they must have, their delimiter and encoding."""

    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"

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


# ---- the file as a whole ----


def check_file(path: str, layout: Layout) -> FileVerdict:
    """Judge a file before its rows: packing, emptiness, encoding, delimiter, header.

    Reads the first block, and a gzip whole: what a truncated one still gives must not be taken for all of it.
    """
    try:
        with _open(path) as stream:
            first = stream.read(BLOCK)
            while isinstance(stream, gzip.GzipFile) and stream.read(BLOCK):
                pass
    except EOFError:
        return FileVerdict("file:truncated_gzip", "the compressed data ends before its end mark")
    except (gzip.BadGzipFile, zlib.error) as error:
        return FileVerdict("file:corrupt_gzip", str(error))
    if first.startswith(_UTF16):
        return FileVerdict("file:encoding", f"UTF-16, the contract says {layout.encoding}")
    lines = first.removeprefix(_BOM).splitlines()
    if not any(line.strip() for line in lines):
        return FileVerdict("file:empty", "not even a header")
    header, rows = _split_header(first.removeprefix(_BOM))
    try:
        text = header.decode(layout.encoding)
        if "\0" in text:
            raise ValueError("NUL bytes in the header")
    except ValueError as error:
        return FileVerdict("file:encoding", f"the header is not {layout.encoding}: {error}")
    if (share := _undecodable(rows, layout.encoding)) > 0.5:
        return FileVerdict("file:encoding", f"{share:.0%} of the first lines are not {layout.encoding}")
    return _check_header(text, layout, has_rows=bool(rows.strip()))


def _check_header(text: str, layout: Layout, *, has_rows: bool) -> FileVerdict:
    names = _names(text, layout.delimiter)
    missing = [c for c in layout.columns if c not in names]
    if missing:
        for other in _DELIMITERS.replace(layout.delimiter, ""):
            if len(set(_names(text, other)) & set(layout.columns)) > len(layout.columns) - len(missing):
                return FileVerdict(
                    "file:wrong_delimiter", f"columns are split by {other!r}, the contract says {layout.delimiter!r}"
                )
    if doubled := sorted({n for n in names if names.count(n) > 1}):
        return FileVerdict("file:duplicate_header", f"more than one column {', '.join(doubled)}")
    extra = [n for n in names if n not in layout.columns]
    if missing:
        return FileVerdict(f"file:missing_column:{missing[0]}", _told_missing(missing, extra, names, layout))
    warnings = [f"file:extra_column:{name}" for name in extra]
    if not has_rows:
        warnings.append("file:header_only")
    return FileVerdict(warnings=tuple(warnings))


def _told_missing(missing: list[str], extra: list[str], names: list[str], layout: Layout) -> str:
    if len(missing) == len(layout.columns):
        return "none of the columns is in the first line: a file without header?"
    told = []
    for column in missing:
        position = layout.columns.index(column)
        there = names[position : position + 1]
        renamed = get_close_matches(column, extra, n=1) or [n for n in there if n in extra]
        told.append(f"missing {column}" + (f", unexpected {renamed[0]}: renamed?" if renamed else ""))
    return "; ".join(told)


def _undecodable(rows: bytes, encoding: str) -> float:
    lines = rows.split(b"\n")[:-1] or [rows]  # the last one may be cut in the middle of a character
    return sum(not _decodes(line, encoding) for line in lines) / len(lines)


# ---- its rows ----


def parse(path: str, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `check_file` accepted, in order, in batches of `layout.schema`."""
    with _open(path) as stream:
        blocks = _blocks(stream)
        header, rest = _split_header(next(blocks, b"").removeprefix(_BOM))
        reader = _Reader(layout, header, blocks)
        row_number = 1
        for block in reader.all_blocks(rest):
            for batch in reader.batches(block, row_number):
                row_number += len(batch)
                yield batch


_Read = tuple[pa.Table, pa.Array, pa.Array]  # the columns, and of refused rows the bytes and the rule


class _Reader:
    """Reads blocks of lines; may take further blocks where a quoted field runs on."""

    def __init__(self, layout: Layout, header: bytes, blocks: Iterator[bytes]):
        self.layout, self.blocks = layout, blocks
        self.header = header.strip()
        self.names = _names(header.decode(layout.encoding), layout.delimiter)
        missing = [c for c in layout.columns if c not in self.names]
        if missing or len(set(self.names)) < len(self.names):
            raise ValueError(f"check_file was to refuse this header: {self.names}")
        self.extra = [n for n in self.names if n not in layout.columns]
        self.refused: list[None] = [None] * len(self.names)
        self.given_back: deque[bytes] = deque()
        csv.field_size_limit(2 * LINE_LIMIT)

    def all_blocks(self, first: bytes) -> Iterator[bytes]:
        """This block and those behind it, less what `_records` takes from them."""
        yield first
        while block := self._block():
            yield block

    def _block(self) -> bytes:
        return self.given_back.popleft() if self.given_back else next(self.blocks, b"")

    def batches(self, block: bytes, row_number: int) -> Iterator[pa.RecordBatch]:
        """The block's rows, numbered from `row_number`: the first of three ways that can read it."""
        table, raw, rule = self._plain(block) or self._quoted(block) or self._faulty(block)
        if len(table):
            numbers = pa.arange(row_number, row_number + len(table))
            columns = [*table.select(list(self.layout.columns)).columns, self._extra(table), numbers, raw, rule]
            yield from pa.table(columns, schema=self.layout.schema).to_batches()

    def _extra(self, table: pa.Table) -> pa.Array:
        if not self.extra:
            return _nothing(table)
        rows = ({k: v for k, v in row.items() if v is not None} for row in table.select(self.extra).to_pylist())
        return pa.array([json.dumps(row, ensure_ascii=False) if row else None for row in rows], pa.string())

    # 1. Arrow, for blocks in which a line is a record and a delimiter always delimits

    def _plain(self, block: bytes) -> _Read | None:
        if b'"' in block or (b"\r" in block and block.count(b"\r") != block.count(b"\r\n")):
            return None
        if (text := self._text(block)) is None:
            return None
        if self.layout.encoding != "utf-8":
            block = text.encode()
        try:
            table = arrow_csv.read_csv(
                BytesIO(block),
                arrow_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self.names),
                arrow_csv.ParseOptions(delimiter=self.layout.delimiter, quote_char=False),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self.names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    check_utf8=False,
                ),
            )
        except pa.ArrowInvalid:  # ragged, or nothing but blank lines
            return None
        return table, _nothing(table), _nothing(table)

    # 2. Python's csv at one go, for blocks that have quotes and no fault

    def _quoted(self, block: bytes) -> _Read | None:
        if (text := self._text(block)) is None:
            return None
        try:
            reader = csv.reader(StringIO(text, newline="\n"), delimiter=self.layout.delimiter, strict=True)
            rows = [row for row in reader if row]
        except csv.Error:
            return None
        if any(len(row) != len(self.names) for row in rows):
            return None
        table = self._table(rows)
        return table, _nothing(table), _nothing(table)

    def _text(self, block: bytes) -> str | None:
        """The block decoded; None if something in it is to be judged record by record."""
        if len(block) > FIELD_LIMIT or b"\0" in block or self.header in block:
            return None
        try:
            return block.decode(self.layout.encoding)
        except ValueError:
            return None

    def _table(self, rows: Sequence[Sequence[str | None]]) -> pa.Table:
        columns = zip(*rows, strict=True) if rows else [()] * len(self.names)
        return pa.table([_without_empty(pa.array(column, pa.string())) for column in columns], self.names)

    # 3. Python's csv record by record, for the others

    def _faulty(self, block: bytes) -> _Read:
        records = list(self._records(block))
        table = self._table([self.refused if rule else fields for fields, _, rule in records])
        raws = [self._readable(raw) if rule else None for _, raw, rule in records]
        return table, pa.array(raws, pa.string()), pa.array([rule for _, _, rule in records], pa.string())

    def _records(self, block: bytes) -> Iterator[tuple[list[str], bytes, str | None]]:
        """(fields, bytes, rule) of each record that starts in this block."""
        lines, at = BytesIO(block).readlines(), 0
        of_block = len(lines)  # `_next` may add lines of further blocks
        fields: list[str]
        rule: str | None
        while at < of_block:
            if not lines[at].strip(b"\r\n"):
                at += 1
                continue
            if len(lines[at]) > LINE_LIMIT:
                fields, count, rule = [], 1, "row:field_too_large"
            else:
                fields, count, rule = self._next(lines, at)
            raw = b"".join(lines[at : at + count])
            at += count
            yield fields, raw, _damage(raw, self.layout.encoding) or rule or self._judge(fields, raw)
        back = [b"".join(lines[start : start + LINES_BACK]) for start in range(at, len(lines), LINES_BACK)]
        self.given_back.extendleft(reversed(back))

    def _next(self, lines: list[bytes], at: int) -> tuple[list[str], int, str | None]:
        """The fields of the record that starts with line `at`, how many lines it has, and why it is none."""
        taken = 0

        def following() -> Iterator[str]:
            nonlocal taken
            size = 0
            while size <= LINE_LIMIT:
                if at + taken == len(lines):
                    lines.extend(BytesIO(self._block()))
                if at + taken == len(lines):
                    return
                line = lines[at + taken]
                taken, size = taken + 1, size + len(line)
                yield line.decode(self.layout.encoding, "surrogateescape")

        try:
            fields = next(csv.reader(following(), delimiter=self.layout.delimiter, strict=True))
        except csv.Error as error:
            return [], 1, "row:line_break" if "new-line" in str(error) else "row:unclosed_quote"
        too_large = taken > 1 and any(len(f) > FIELD_LIMIT for f in fields)
        if taken > 1 and len(fields) != len(self.names) and not too_large:
            return [], 1, "row:unclosed_quote"
        return fields, taken, None

    def _judge(self, fields: list[str], raw: bytes) -> str | None:
        if len(raw) > FIELD_LIMIT and any(len(f.encode()) > FIELD_LIMIT for f in fields):
            return "row:field_too_large"
        if raw.strip() == self.header:
            return "row:repeated_header"
        return None if len(fields) == len(self.names) else "row:ragged"

    def _readable(self, raw: bytes) -> str:
        text = raw[:RAW_LIMIT].rstrip(b"\r\n").decode(self.layout.encoding, "backslashreplace").replace("\0", "\\x00")
        return text + (f"… ({len(raw)} bytes)" if len(raw) > RAW_LIMIT else "")


def _damage(raw: bytes, encoding: str) -> str | None:
    if len(raw) > LINE_LIMIT:
        return None  # cut short by `_blocks`, maybe within a character
    if b"\0" in raw:
        return "row:nul"
    return None if _decodes(raw, encoding) else "row:encoding"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except ValueError:
        return False
    return True


def _nothing(table: pa.Table) -> pa.Array:
    return pa.nulls(len(table), pa.string())


def _without_empty(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _names(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


# ---- bytes ----


def _is_gzip(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == _GZIP


def _open(path: str) -> BinaryIO:
    """The file's bytes, unpacked if it is a gzip (whatever its name). Local files; the one place to teach others."""
    return gzip.open(path, "rb") if _is_gzip(path) else Path(path).open("rb")  # type: ignore[return-value]


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
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


def _split_header(block: bytes) -> tuple[bytes, bytes]:
    """The first line that is not blank, and what follows it."""
    stripped = block.lstrip(b"\r\n")
    header, _, rest = stripped.partition(b"\n")
    return header.rstrip(b"\r"), rest
