"""Write a received file anew with some of its records changed or left out; all other bytes stay as they were.

It counts records as the door does, by the door's own reader. Blank lines, which are no records, go; so does what a
record longer than the door's limit has beyond it (`row:field_too_large`: it was refused, and stays refused).
"""

import csv
import gzip
import json
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, BinaryIO

from jobs.kit import door, door_json
from jobs.kit.door_file import BOM, Layout, blocks, damage, unpacked

Edits = Mapping[int, Mapping[str, str | None] | None]  # by record number: received columns anew, or None: it goes


def rewrite(path: str, target: Path, layout: Layout, edits: Edits) -> None:
    """Write `target` as the file with these edits: packed if it is, and the same bytes whenever it is done again."""
    with unpacked(path) as source, target.open("wb") as raw:
        if isinstance(source, gzip.GzipFile):
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                _write(source, packed, layout, edits)
        elif isinstance(source, zipfile.ZipExtFile):
            about = zipfile.ZipInfo(source.name)  # as of 1980: the same bytes whenever
            about.compress_type = zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(raw, "w") as box, box.open(about, "w") as packed:
                _write(source, packed, layout, edits)
        else:
            _write(source, raw, layout, edits)


def _write(source: BinaryIO, target: Any, layout: Layout, edits: Edits) -> None:
    records = {"csv": _csv, "jsonl": _json}[layout.format](source, layout, edits)
    for record in records:
        target.write(record)


def _csv(source: BinaryIO, layout: Layout, edits: Edits) -> Iterator[bytes]:
    of_file = blocks(source)
    first = next(of_file, b"")
    if first.startswith(BOM):
        yield BOM
    header, rest = door._split_header(first.removeprefix(BOM))
    end = b"\r\n" if b"\r\n" in first else b"\n"
    yield header + end
    reader = door._Reader(layout, header, of_file)
    number = 0
    for block in reader.all_blocks(rest):
        for fields, raw, _ in reader._records(block):
            number += 1
            if number not in edits:
                yield raw
            elif (edit := edits[number]) is not None:
                row = dict(zip(reader.names, fields, strict=True)) | {k: v or "" for k, v in edit.items()}
                text = StringIO()
                csv.writer(text, delimiter=layout.delimiter, lineterminator=end.decode()).writerow(
                    [row[name] for name in reader.names]
                )
                yield text.getvalue().encode(layout.encoding)


def _json(source: BinaryIO, layout: Layout, edits: Edits) -> Iterator[bytes]:
    decoder, number, start = door_json._decoder(), 0, BOM
    for block in blocks(source):
        if start and block.startswith(start):
            yield start
        for raw in BytesIO(block.removeprefix(start)):
            if not damage(raw, layout.encoding) and not raw.decode(layout.encoding).strip(door_json._SPACE):
                continue
            number += 1
            if number not in edits:
                yield raw
            elif (edit := edits[number]) is not None:
                yield _changed(decoder.decode(raw.decode(layout.encoding)), edit, layout).encode(layout.encoding)
        start = b""


def message(value: bytes, edit: Mapping[str, str | None], layout: Layout) -> bytes:
    """A message with these columns anew."""
    found = door_json._decoder().decode(value.decode(layout.encoding))
    return _changed(found, edit, layout).rstrip("\n").encode(layout.encoding)


def _changed(found: dict[str, Any], edit: Mapping[str, str | None], layout: Layout) -> str:
    """The object with these columns anew, as a line; its numbers' digits stay as they were."""
    names = dict(zip(layout.present([*found]), found, strict=True))  # a column may be under its former name
    for column, value in edit.items():
        if column in names:
            was = found[names[column]]
            is_nested = isinstance(was, dict | list) and value is not None
            found[names[column]] = json.loads(value) if is_nested and value is not None else value
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return door_json._MARKED.sub(r"\1", text) + "\n"
