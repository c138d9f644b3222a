"""JSON lines at the door: one object a line; its top-level keys are the columns.

- A string is its text (an empty one stays empty: null is what JSON has null for), a number its literal (`1.10` stays
  `1.10`), true and false are these words, an object or array is compact JSON with its numbers' digits untouched. Null
  and absent are both null.
- A column's former name is its name where the present one is not a key of the object.
- A name twice in one object, at any depth, refuses the row: readers differ on which of the two counts.
- A line is read exactly by Python's json module. That is slow, and an app's events are alike: from some lines read
  exactly the reader learns **shapes**, regular expressions for just these keys in this order and whatever scalars. A
  line that matches one needs nothing more, for a shape lets only valid, compact JSON without escapes pass. A property
  test holds both ways to the same answer.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from jobs.kit.door_file import (
    BOM,
    FIELD_LIMIT,
    FINE,
    LINE_LIMIT,
    FileVerdict,
    Layout,
    batches,
    blocks,
    check_encoding,
    damage,
    first_block,
    judge_missing,
    readable,
    unpacked,
    whole_lines,
)

SHAPES = 32  # so many are tried to learn from a file; lines of a shape beyond are read exactly
LEARN_EVERY = 64  # of the lines read exactly, one in so many is learned from: the common ones first
_LEARN_LIMIT = 4 << 10  # characters of a line that may be learned from, and …
_LEARN_DEPTH = 8  # … how deep it may be nested
_SPACE = " \t\r\n"  # JSON's own; other white space is no JSON
_STRING = r'[^"\\\x00-\x1f]*+'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_SCALAR = f'(?:"{_STRING}"|{_NUMBER}|true|false|null)'
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_MARKED = re.compile(r'"\\u0000([^"]*)"')

Row = tuple[str | None, ...]  # the text of each column, and of `_extra`


class _Refused(Exception):
    """Carries the rule that a line breaks."""


# ---- the file as a whole ----


def check_json(path: str, layout: Layout) -> FileVerdict:
    """Judge a file of JSON lines by its first block.

    An empty file is a delivery of zero rows: it has no header to miss, and apps have quiet hours. A column may be
    absent from every line unless the contract requires it.
    """
    first = first_block(path, layout)
    if isinstance(first, FileVerdict):
        return first
    lines = [line for line in whole_lines(first) if line.strip(_SPACE.encode())]
    if not lines:  # either nothing at all or a line longer than the block, which is judged as a row
        start = first.strip(_SPACE.encode())[:1]
        return FINE if start in (b"", b"{") else _not_json_lines(start)
    if not (verdict := check_encoding(lines, layout.encoding)).accepted:
        return verdict
    objects = list(_objects(lines, layout))
    if not objects:
        return _not_json_lines(lines[0])
    names = list(dict.fromkeys(name for found in objects for name in layout.present([*found])))
    missing = [c for c in layout.columns if c not in names]
    return judge_missing(missing, [n for n in names if n not in layout.columns], names, layout)


def _objects(lines: Sequence[bytes], layout: Layout) -> Iterator[dict[str, Any]]:
    decoder = _decoder()
    for line in lines:
        try:
            yield _object(line.decode(layout.encoding), decoder)
        except (ValueError, _Refused):
            continue


def _not_json_lines(line: bytes) -> FileVerdict:
    if b"\0" in line:
        return FileVerdict("file:encoding", "NUL bytes in the first line: UTF-16?")
    hint = ": an array, where one object a line is wanted?" if line.lstrip()[:1] == b"[" else ""
    return FileVerdict("file:not_json_lines", f"none of the first lines is a JSON object{hint}")


# ---- its rows ----


def parse_json(path: str, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `check_json` accepted, in order, in batches of `layout.schema`."""
    reader = _Reader(layout)
    row_number, start = 1, BOM
    with unpacked(path) as stream:
        for block in blocks(stream):
            for batch in reader.batches(block.removeprefix(start), row_number):
                row_number += len(batch)
                yield batch
            start = b""


def message_reader(layout: Layout) -> Callable[[Sequence[bytes | None]], pa.RecordBatch]:
    """What reads messages (at least one) as `parse_json` reads lines, a row for each.

    A message that says nothing is refused: unlike a blank line, somebody sent it.
    """
    reader = _Reader(layout)

    def read(messages: Sequence[bytes | None]) -> pa.RecordBatch:
        lines = ((m, reader.plain(m)) for m in (message or b"" for message in messages))
        (rows,) = reader.rows(lines, 0, blank="row:empty")
        return rows

    return read


@dataclass(frozen=True)
class _Shape:
    """A line's regular expression; the groups of the layout's columns, with one that is never set for `_extra`."""

    fullmatch: Callable[[str], re.Match[str] | None]
    groups: tuple[int, ...]
    extra: tuple[tuple[str, int], ...]

    def row(self, found: re.Match[str]) -> Row:
        members = [f"{name}:{found[group]}" for name, group in self.extra if found[group] != "null"]
        return (*found.group(*self.groups)[:-1], "{" + ",".join(members) + "}" if members else None)


class _Reader:
    """Reads blocks of lines, and learns the shapes of a file as it goes."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.known = frozenset(layout.columns)
        self.nothing: Row = (None,) * (len(layout.columns) + 1)
        self.decoder = _decoder()
        self.encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        self.shapes: list[_Shape] = []
        self.exact = 0

    def batches(self, block: bytes, row_number: int) -> Iterator[pa.RecordBatch]:
        """The block's rows, numbered from `row_number`."""
        yield from self.rows(self._lines(block), row_number)

    def rows(
        self, lines: Iterable[tuple[bytes, str | None]], row_number: int, *, blank: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of these lines. `blank`: the rule that refuses a blank one; without it, that is no row."""
        rows: list[Row] = []
        refused: dict[int, tuple[str, str]] = {}
        for raw, line in lines:
            row = self._by_shape(line) if line is not None else None
            try:
                row = row or self._exactly(raw, line)
                if row is None and blank:
                    raise _Refused(blank)
            except _Refused as refusal:
                refused[len(rows)] = readable(raw, self.layout.encoding), str(refusal)
                row = self.nothing
            if row:
                rows.append(row)
        if not rows:
            return
        *columns, extra = (pa.array(texts, pa.string()) for texts in zip(*rows, strict=True))
        said, rule = (pa.nulls(len(rows), pa.string()) for _ in range(2))
        if refused:
            told = [refused.get(at, (None, None)) for at in range(len(rows))]
            said, rule = (pa.array(texts, pa.string()) for texts in zip(*told, strict=True))
        yield from batches(columns, extra, said, rule, row_number, self.layout)

    def _lines(self, block: bytes) -> Iterator[tuple[bytes, str | None]]:
        """Each line as bytes, and as text unless its bytes are to be judged first."""
        raws = block.split(b"\n")
        if len(block) <= FIELD_LIMIT and b"\0" not in block:
            try:
                return zip(raws, block.decode(self.layout.encoding).split("\n"), strict=True)
            except ValueError:
                pass
        return ((raw, self.plain(raw)) for raw in raws)

    def plain(self, raw: bytes) -> str | None:
        """The line as text; None if its bytes are to be judged first."""
        sound = len(raw) <= FIELD_LIMIT and not damage(raw, self.layout.encoding)
        return raw.decode(self.layout.encoding) if sound else None

    def _by_shape(self, line: str) -> Row | None:
        for shape in self.shapes:
            if found := shape.fullmatch(line):
                return shape.row(found) if shape.extra else found.group(*shape.groups)
        return None

    def _exactly(self, raw: bytes, line: str | None) -> Row | None:
        """The line's row; None if it is blank. Raises what refuses it."""
        if line is None:
            if len(raw) > LINE_LIMIT:
                raise _Refused("row:field_too_large")
            if rule := damage(raw, self.layout.encoding):
                raise _Refused(rule)
            line = raw.decode(self.layout.encoding)
        if not line.strip(_SPACE):
            return None
        received = _object(line, self.decoder)
        found = received
        if self.layout.formerly:
            found = dict(zip(self.layout.present([*received]), received.values(), strict=True))
            if len(found) < len(received):  # two former names of one column
                raise _Refused("row:duplicate_key")
        try:
            others = {k: v for k, v in found.items() if k not in self.known and v is not None}
            row = tuple(self._text(value) for value in (*map(found.get, self.layout.columns), others or None))
        except RecursionError:
            raise _Refused("row:json") from None
        texts = [text for text in row if text]
        if "\\u" in line and not _encodes("".join(texts)):
            raise _Refused("row:encoding")
        if len(raw) > FIELD_LIMIT and any(len(text.encode()) > FIELD_LIMIT for text in texts):
            raise _Refused("row:field_too_large")
        if len(line) <= _LEARN_LIMIT:
            if self.exact % LEARN_EVERY == LEARN_EVERY - 1 and self.exact < SHAPES * LEARN_EVERY:
                shape = _learn(received, self.layout)
                if shape and shape.fullmatch(line):
                    self.shapes.append(shape)
            self.exact += 1
        return row

    def _text(self, value: Any) -> str | None:
        if isinstance(value, str):
            return value.removeprefix("\0")
        if value is None or isinstance(value, bool):
            return None if value is None else str(value).lower()
        return _MARKED.sub(r"\1", self.encode(value))


# ---- a line, exactly ----


def _decoder() -> json.JSONDecoder:
    """Numbers come as their literal behind a NUL, so that no string can be taken for one."""
    return json.JSONDecoder(
        object_pairs_hook=_unique, parse_float=_literal, parse_int=_literal, parse_constant=_no_literal
    )


def _object(line: str, decoder: json.JSONDecoder) -> dict[str, Any]:
    if "\\u0000" in line and _ESCAPED_NUL.search(line):
        raise _Refused("row:nul")
    try:
        found = decoder.decode(line)
    except (ValueError, RecursionError):
        raise _Refused("row:json") from None
    if not isinstance(found, dict):
        raise _Refused("row:not_an_object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("row:duplicate_key")
    return found


def _literal(number: str) -> str:
    return "\0" + number


def _no_literal(name: str) -> None:
    raise _Refused("row:json")  # NaN and Infinity, which Python's json would take


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, escaped
        return False
    return True


# ---- its shape ----


def _learn(found: dict[str, Any], layout: Layout) -> _Shape | None:
    """The shape of the line that was read as `found`; None if it is nested too deep to be worth it."""
    members, groups, extra, count = [], {}, [], 0
    for key, name, value in zip(found, layout.present([*found]), found.values(), strict=True):
        if (nested := _pattern(value, _LEARN_DEPTH)) is None:
            return None
        count += 1
        groups[name] = count
        if name not in layout.columns:
            extra.append((_key(key), count))
            text = f"({nested})"
        elif isinstance(value, dict | list):
            text = f"(?:null|({nested}))"
        elif isinstance(value, str) and not value.startswith("\0"):
            text = f'(?:"({_STRING})"|null)'
        elif value is not None:
            text = f"(?:({_NUMBER}|true|false)|null)"
        else:  # whatever may come: a string without its quotes, another scalar as it is
            count += 1
            groups[name] = count
            text = f'(?:(")?((?({count - 1}){_STRING}|(?:{_NUMBER}|true|false)))(?({count - 1})")|null)'
        members.append(f"{re.escape(_key(key))}: ?{text}")
    never = count + 1
    pattern = re.compile(r"\{" + ", ?".join(members) + r"\}[ \t\r]*((?!))?")
    return _Shape(pattern.fullmatch, (*(groups.get(c, never) for c in layout.columns), never), tuple(extra))


def _pattern(value: Any, depth: int) -> str | None:
    """Compact JSON of the same keys in the same order; of an array, any number of such as its first element."""
    if not isinstance(value, dict | list):
        return _SCALAR
    if not depth:
        return None
    inner = [_pattern(v, depth - 1) for v in (value.values() if isinstance(value, dict) else value[:1])]
    if None in inner:
        return None
    if isinstance(value, dict):
        members = (f"{re.escape(_key(name))}:{text}" for name, text in zip(value, inner, strict=True))
        return r"(?:null|\{" + ",".join(members) + r"\})"
    return rf"(?:null|\[(?:{inner[0]}(?:,{inner[0]})*)?\])" if inner else r"(?:null|\[\])"


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
