"""Workbooks at the door: one sheet's rows under its first row that is not blank, each cell as text.

- A date is ISO, with its time only if it has one; a number has no exponent and no trailing `.0`; a formula is the value
  that was saved with it. A blank cell is null, a blank row is no record.
- A cell that shows an error (`#DIV/0!`) refuses its row: nobody meant it as a value.
- A workbook is read whole before its first row counts: what is wrong in its middle is then no surprise. It may be small
  and unpack to gigabytes, so that it is measured first.

openpyxl tells error cells from blank ones and reads row by row, however far out a stray cell lies. It is imported when
the first workbook comes.
"""

import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.kit.door_file import (
    FIELD_LIMIT,
    RAW_LIMIT,
    FileVerdict,
    Layout,
    batches,
    check_names,
    extra_text,
)

UNPACKED_LIMIT = 128 << 20  # bytes of all parts of the workbook; what it takes in memory is some times that
ROWS_LIMIT = 1 << 20  # of a sheet, by the format; blank ones before a stray row count
_BATCH = 5000  # rows
_OLE = bytes.fromhex("d0cf11e0")  # how the old format starts, and a workbook with a password

Cells = list[str | None]


class _Refused(Exception):
    """Carries the rule that the file breaks and what to tell of it."""


# ---- the file as a whole ----


def check_xlsx(path: str, layout: Layout) -> FileVerdict:
    """Judge a workbook: its packing and size, the sheet, its header; then every row, that it can be read at all."""
    try:
        rows = _rows(path, layout.sheet)
        header = next(rows, None)
        if header is None:
            return FileVerdict("file:empty", "not even a header")
        verdict = check_names(_names(header[0]), layout, has_rows=next(rows, None) is not None)
        for _ in rows:
            pass
    except _Refused as refused:
        return FileVerdict(*refused.args)
    return verdict


def _names(header: Cells) -> list[str]:
    """The header's names; a column without one has nothing to say."""
    return [name.strip() for name in header if name and name.strip()]


# ---- its rows ----


def parse_xlsx(path: str, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The rows of a workbook that `check_xlsx` accepted, in order, in batches of `layout.schema`."""
    rows = _rows(path, layout.sheet)
    header = [(name or "").strip() for name in next(rows)[0]]
    names = layout.present(header)
    row_number = 1
    while chunk := list(islice(rows, _BATCH)):
        rules = [_judge(cells, in_error, header) for cells, in_error in chunk]
        found = [
            {} if rule else dict(zip(names, cells, strict=False)) for (cells, _), rule in zip(chunk, rules, strict=True)
        ]
        columns = [pa.array([row.get(name) for row in found], pa.string()) for name in layout.columns]
        extra = extra_text({k: v for k, v in row.items() if k and k not in layout.columns} for row in found)
        raw = [_readable(cells) if rule else None for (cells, _), rule in zip(chunk, rules, strict=True)]
        yield from batches(columns, extra, pa.array(raw, pa.string()), pa.array(rules, pa.string()), row_number, layout)
        row_number += len(chunk)


def _judge(cells: Cells, in_error: bool, header: Sequence[str]) -> str | None:
    if in_error:
        return "row:cell_error"
    if any(text and (at >= len(header) or not header[at]) for at, text in enumerate(cells)):
        return "row:ragged"  # a value in a column without a name
    if any(text and "\0" in text for text in cells):
        return "row:nul"
    if any(text and len(text) > FIELD_LIMIT // 4 and len(text.encode()) > FIELD_LIMIT for text in cells):
        return "row:field_too_large"
    named = [(text or "").strip() for text in cells]
    return "row:repeated_header" if [*filter(None, named)] == [*filter(None, header)] else None


def _readable(cells: Cells) -> str:
    text = json.dumps(cells, ensure_ascii=False)
    return text if len(text) <= RAW_LIMIT else f"{text[:RAW_LIMIT]}… ({len(text)} characters)"


# ---- the workbook ----


def _rows(path: str, sheet: str) -> Iterator[tuple[Cells, bool]]:
    """The sheet's rows that are not blank, as text, and whether one of their cells is in error."""
    _measure(path)
    import openpyxl

    warnings.filterwarnings("ignore", module="openpyxl")  # of styles and the like that it does not keep
    with Path(path).open("rb") as file:
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            if sheet not in (names := [s.title for s in book.worksheets]):
                told = f"the workbook has {', '.join(map(repr, names)) or 'no sheet'}"
                raise _Refused(f"file:missing_sheet:{sheet}", told)
            book[sheet].reset_dimensions()  # what the file says of its size may be wrong
            for at, row in enumerate(book[sheet].rows):
                if at >= ROWS_LIMIT:
                    raise _Refused("file:too_large", f"more than {ROWS_LIMIT:,} rows")
                cells = [_text(cell.value) for cell in row]
                if any(cells):
                    yield cells, any(cell.data_type == "e" for cell in row)
        except _Refused:
            raise
        except Exception as error:  # of a damaged file openpyxl raises whatever it stumbles over
            raise _Refused("file:not_xlsx", f"{type(error).__name__}: {error}") from error


def _measure(path: str) -> None:
    """Refuse what is no zip, and one that unpacks to more than the limit: zipfile reads no more than is said."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
            secret = any(part.flag_bits & 1 for part in packed.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        with Path(path).open("rb") as file:
            old = file.read(len(_OLE)) == _OLE
        raise _Refused("file:not_xlsx", "encrypted, or of the old format .xls" if old else str(error)) from error
    if secret:
        raise _Refused("file:not_xlsx", "encrypted")
    if size > UNPACKED_LIMIT:
        raise _Refused("file:too_large", f"unpacks to {size:,} bytes, the limit is {UNPACKED_LIMIT:,}")


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):  # cells of the form [h]:mm:ss
        seconds = round(value.total_seconds())
        return f"{'-' * (seconds < 0)}{abs(seconds) // 3600}:{abs(seconds) // 60 % 60:02}:{abs(seconds) % 60:02}"
    return None if value is None or value == "" else str(value)
