"""Bronze's door: received bytes become rows, each accepted as text or refused with its rule; nothing is dropped.

Pure Python, pyarrow and, for workbooks, openpyxl; of this project only the door's own modules: it runs inside Spark's
workers, one file after the other, in constant memory. This module opens the door to every format and reads CSV;
door_json.py reads JSON lines, door_xlsx.py a workbook's sheet, door_file.py has what they share. What they all hold:

- **Every record comes out**, in order, with its number: rows in = accepted + refused. Blank lines are no records.
- Values stay text as received. Text that a spreadsheet would run (`=1+1`) stays that text: exports for spreadsheets
  neutralise it, the lake does not.
- Columns are found by their names, or those that they had formerly: another order is fine, additional ones are kept in
  `_extra` as JSON, optional ones that are missing are null.

Of CSV, where an empty value is null:

- A block of plain lines (no quote, no NUL, valid, none ragged) is read by Arrow; one with quotes but no fault by
  Python's csv module in its strict mode at one go; any other by the same, record by record. A property test holds all
  three to the same answer.
- A quoted field may run over several lines. Such a record is believed only if it has the right number of fields;
  otherwise its first line alone is refused (`row:unclosed_quote`) and reading goes on with the next line, so that one
  stray quote cannot swallow the good lines behind it.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from jobs.kit.door_file import (
    BOM,
    FIELD_LIMIT,
    LINE_LIMIT,
    FileVerdict,
    Layout,
    batches,
    blocks,
    check_encoding,
    check_names,
    damage,
    extra_text,
    first_block,
    readable,
    unpacked,
)
from jobs.kit.door_json import check_json, parse_json
from jobs.kit.door_xlsx import check_xlsx, parse_xlsx

LINES_BACK = 1000  # lines looked at in vain are read again in blocks of so many
_DELIMITERS = ",;\t|"


def check_file(path: str, layout: Layout) -> FileVerdict:
    """Judge a file before its rows: packing, emptiness, encoding, columns."""
    return {"csv": _check_csv, "jsonl": check_json, "xlsx": check_xlsx}[layout.format](path, layout)


def parse(path: str, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `check_file` accepted, in order, in batches of `layout.schema`."""
    return {"csv": _parse_csv, "jsonl": parse_json, "xlsx": parse_xlsx}[layout.format](path, layout)


# ---- CSV: the file as a whole ----


def _check_csv(path: str, layout: Layout) -> FileVerdict:
    first = first_block(path, layout)
    if isinstance(first, FileVerdict):
        return first
    if not any(line.strip() for line in first.splitlines()):
        return FileVerdict("file:empty", "not even a header")
    header, rows = _split_header(first)
    try:
        text = header.decode(layout.encoding)
        if "\0" in text:
            raise ValueError("NUL bytes in the header")
    except ValueError as error:
        return FileVerdict("file:encoding", f"the header is not {layout.encoding}: {error}")
    lines = rows.split(b"\n")[:-1] or [rows]  # the last one may be cut in the middle of a character
    if not (verdict := check_encoding(lines, layout.encoding)).accepted:
        return verdict
    return _check_header(text, layout, has_rows=bool(rows.strip()))


def _check_header(text: str, layout: Layout, *, has_rows: bool) -> FileVerdict:
    names = _names(text, layout.delimiter)
    missing = [c for c in layout.columns if c not in layout.present(names)]
    if missing:
        for other in _DELIMITERS.replace(layout.delimiter, ""):
            if len(set(_names(text, other)) & set(layout.columns)) > len(layout.columns) - len(missing):
                return FileVerdict(
                    "file:wrong_delimiter", f"columns are split by {other!r}, the contract says {layout.delimiter!r}"
                )
    return check_names(names, layout, has_rows=has_rows)


# ---- CSV: its rows ----


def _parse_csv(path: str, layout: Layout) -> Iterator[pa.RecordBatch]:
    with unpacked(path) as stream:
        of_file = blocks(stream)
        header, rest = _split_header(next(of_file, b"").removeprefix(BOM))
        reader = _Reader(layout, header, of_file)
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
        self.names = layout.present(_names(header.decode(layout.encoding), layout.delimiter))
        missing = [c for c in layout.required if c not in self.names]
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
        columns = [table[c] if c in self.names else _nothing(table) for c in self.layout.columns]
        extra = extra_text(table.select(self.extra).to_pylist()) if self.extra else _nothing(table)
        yield from batches(columns, extra, raw, rule, row_number, self.layout)

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
        raws = [readable(raw, self.layout.encoding) if rule else None for _, raw, rule in records]
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
            yield fields, raw, damage(raw, self.layout.encoding) or rule or self._judge(fields, raw)
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


def _nothing(table: pa.Table) -> pa.Array:
    return pa.nulls(len(table), pa.string())


def _without_empty(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _names(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _split_header(block: bytes) -> tuple[bytes, bytes]:
    """The first line that is not blank, and what follows it."""
    stripped = block.lstrip(b"\r\n")
    header, _, rest = stripped.partition(b"\n")
    return header.rstrip(b"\r"), rest
