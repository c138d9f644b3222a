"""The door's three ways to read a block give the same rows, whatever the bytes and wherever blocks end."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobs.kit import door, door_file
from jobs.kit.door import Layout, parse

LAYOUT = Layout(("a", "b", "c"))
HEADER = b"a,b,c\n"

_field = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters='",\r\n\0'), max_size=6).map(str.encode),
    st.sampled_from(
        [b"", b'"', b'""', b'"x"', b'"x,y"', b'"x\ny"', b'"x""y"', b'x"y', b"\xc3", b"\0", b"\r", b" ", b"x" * 50]
    ),
)
_line = st.builds(
    lambda fields, end: b",".join(fields) + end,
    st.one_of(st.lists(_field, min_size=3, max_size=3), st.lists(_field, max_size=5)),
    st.sampled_from([b"\n", b"\r\n", b"\n", b"\n\n"]),
)
_body = st.one_of(
    st.lists(_line, max_size=12).map(b"".join),
    st.lists(st.sampled_from([b"a", b",", b"\n", b"\r", b'"', b"\xc3\xa9", b"\xc3", b"\0"]), max_size=40).map(b"".join),
)


def read(path: Path, monkeypatch: pytest.MonkeyPatch, *, block: int, ways: str = "123") -> list[dict]:
    with monkeypatch.context() as patch:
        patch.setattr(door_file, "BLOCK", block)
        patch.setattr(door, "LINES_BACK", 1 + block % 3)
        if "1" not in ways:
            patch.setattr(door._Reader, "_plain", lambda self, block: None)
        if "2" not in ways:
            patch.setattr(door._Reader, "_quoted", lambda self, block: None)
        return pa.Table.from_batches(parse(str(path), LAYOUT), LAYOUT.schema).to_pylist()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_body, block=st.integers(1, 60), last_end=st.booleans())
@example(body=b'1,"x\ny",3\n', block=4, last_end=True)
@example(body=b'1,"x\n1,2,3\n', block=4, last_end=True)
@example(body=b"\r\r\n1,2,3\n", block=100, last_end=True)
@example(body=b"1,2,3\r\r\n4,5,6\n", block=100, last_end=True)
@example(body=b"\n\n", block=100, last_end=True)
@example(body=b"a,b,c\n1,2,3\n", block=100, last_end=True)
def test_three_ways_one_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, block: int, last_end: bool
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER + (body if last_end else body.rstrip(b"\n")))
    by_record = read(path, monkeypatch, block=1 << 20, ways="3")
    assert read(path, monkeypatch, block=1 << 20) == by_record
    assert read(path, monkeypatch, block=1 << 20, ways="23") == by_record
    assert read(path, monkeypatch, block=block) == by_record
    assert [r["_row_number"] for r in by_record] == list(range(1, len(by_record) + 1))


@settings(max_examples=100, deadline=None)
@given(body=_body)
def test_every_byte_is_in_one_record(body: bytes) -> None:
    """The records' bytes, with the blank lines between them, are the file."""
    at, blank_lines = 0, re.compile(rb"(?:\r*\n)*")
    for _, raw, _ in door._Reader(LAYOUT, HEADER, iter(()))._records(body):
        at = blank_lines.match(body, at).end()
        assert body.startswith(raw, at)
        at += len(raw)
    assert not body[at:].strip(b"\r\n")


def test_a_row_of_nothing_but_delimiters_is_a_row_of_nulls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER + b",,\n")
    assert [r["a"] for r in read(path, monkeypatch, block=100)] == [None]
