"""JSON lines at the door: each line a row or refused by its rule; what shapes read is what json reads."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobs.kit import door_file, door_json
from jobs.kit.door import Layout, check_file, parse

LAYOUT = Layout(("event_id", "at", "amount", "items"), format="jsonl", required=("event_id", "at"))
GOOD = b'{"event_id":"e1","at":"2025-03-01T10:00:00+08:00","amount":1.10,"items":[{"sku":"p1","price":2.50}]}\n'
ROW = {"event_id": "e1", "at": "2025-03-01T10:00:00+08:00", "amount": "1.10", "items": '[{"sku":"p1","price":2.50}]'}


@pytest.fixture
def file(tmp_path: Path):
    def write(content: bytes) -> str:
        (tmp_path / "events.jsonl").write_bytes(content)
        return str(tmp_path / "events.jsonl")

    return write


def split(path: str, layout: Layout = LAYOUT, *, of: int) -> tuple[list[dict], list[dict]]:
    """(accepted, refused), once it is sure that they are all the `of` records of the file, in order."""
    assert check_file(path, layout).accepted
    found = [row for batch in parse(path, layout) for row in batch.to_pylist()]
    accepted, refused = [r for r in found if r["_rule"] is None], [r for r in found if r["_rule"]]
    assert [r["_row_number"] for r in found] == list(range(1, of + 1))
    assert len(accepted) + len(refused) == of
    assert all(r["_raw"] is None for r in accepted)
    assert all(r["_raw"] is not None and not any(r[c] for c in layout.columns) for r in refused)
    return accepted, refused


# ---- both ways to read ----

_scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["null", "1.10", "true", "\0", "\\u0000", '"', "\ud800", "\u2028", "𝒳", ""]),
)
_name = st.sampled_from(["a", "b", "b c", "d", 'q"', "é", "_extra"])
_value = st.recursive(
    _scalar, lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(_name, v, max_size=3)), max_leaves=6
)
_object = st.dictionaries(_name, _value, max_size=5)
_sound = st.builds(
    lambda value, ascii, separators: json.dumps(value, ensure_ascii=ascii, separators=separators),
    st.one_of(_object, _object, _object, _value),
    st.booleans(),
    st.sampled_from([(",", ":"), (",", ":"), (", ", ": ")]),
).map(lambda text: text.encode("utf-8", "surrogatepass"))
_odd = st.sampled_from(
    b'{"a":1.10}|{"a":-0}|{"a":1E400}|{"a":01}|{"a":.5}|{"a":NaN}|{"a":-Infinity}|{"a":1|{"a":1,"a":2}|{"b":{"d":1,"d":1}}'
    b'|{"a":"\xc3"}|{"a":"\\u00"}|{"a":"\t"}|{"a":"\\ud83d\\ude00"}|{"a":"\\ud83d"}|{"a":"\\\\u0000"}|{"a":"\\u0000"}|1|[]'
    b'|{"a":1}{"a":2}|{"a":1},|{}| {"a":1} |{"a" : 1 , "b":[ 1, 2 ]}|{"a":"x\0"}|\xef\xbb\xbf{}|\xa0|'.split(b"|")
)
_mutant = st.builds(
    lambda line, at, byte: line[:at] + byte + line[at + 1 :], _sound, st.integers(0, 30), st.binary(max_size=2)
)
_lines = st.lists(st.one_of(_sound, _sound, _odd, _mutant), min_size=1, max_size=6)


def read(path: Path, monkeypatch: pytest.MonkeyPatch, *, block: int, shapes: int) -> list[dict]:
    layout = Layout(("a", "b", "b c"), format="jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(door_file, "BLOCK", block)
        patch.setattr(door_json, "SHAPES", shapes)
        patch.setattr(door_json, "LEARN_EVERY", 1)
        return pa.Table.from_batches(parse(str(path), layout), layout.schema).to_pylist()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=_lines, again=_lines, block=st.integers(1, 60), end=st.sampled_from([b"\n", b"\r\n", b"\n \n"]))
@example(lines=[b'{"a":"x","b":[{"d":1}]}'], again=[b'{"a":"y","b":[]}', b'{"a":null,"b":null}'], block=9, end=b"\n")
@example(lines=[b'{"a":1,"d":"null"}'], again=[b'{"a":2,"d":null}', b'{"a":2,"d":1.10}'], block=9, end=b"\n")
def test_two_ways_one_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], again: list[bytes], block: int, end: bytes
) -> None:
    """The lines come twice, with others of the same kind between them, so that shapes learned from some read others."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(end.join([*lines, *again, *lines]))
    exactly = read(path, monkeypatch, block=1 << 19, shapes=0)
    assert read(path, monkeypatch, block=1 << 19, shapes=32) == exactly
    assert read(path, monkeypatch, block=block, shapes=32) == exactly
    assert [r["_row_number"] for r in exactly] == list(range(1, len(exactly) + 1))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_object)
def test_what_comes_out_is_what_json_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: dict) -> None:
    """Against a reading of our own: a sound object is accepted, and each column's text stands for its value."""
    text = json.dumps(value)
    path = tmp_path / "x.jsonl"
    path.write_text(f"{text}\n{text}\n")
    first, second = read(path, monkeypatch, block=1 << 19, shapes=1)
    assert {**first, "_row_number": 2} == second
    if first["_rule"]:
        assert (first["_rule"], "\0" in str(json.loads(text)) or "\\x00" in repr(value)) == ("row:nul", True) or (
            first["_rule"] == "row:encoding" and "\\ud800" in text
        )
        return
    for name in ("a", "b", "b c"):
        received = value.get(name)
        assert first[name] == received if isinstance(received, str | None) else json.loads(first[name]) == received
    others = {k: v for k, v in value.items() if k not in ("a", "b", "b c") and v is not None}
    assert json.loads(first["_extra"] or "{}") == others


def test_shapes_are_learned_and_used(file, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    exactly = door_json._Reader._exactly
    monkeypatch.setattr(door_json._Reader, "_exactly", lambda *args: calls.append(1) or exactly(*args))
    accepted, _ = split(file(GOOD * 10_000), of=10_000)
    assert len(calls) < 2 * door_json.LEARN_EVERY
    assert all({c: r[c] for c in LAYOUT.columns} == ROW for r in accepted)


# ---- files ----


@pytest.mark.parametrize(
    ("content", "rule", "told"),
    [
        (b"event_id,at\n1,2\n", "file:not_json_lines", "none of the first lines"),
        (b"[" + GOOD.strip() + b",\n" + GOOD.strip() + b"]\n", "file:not_json_lines", "an array"),
        (b"[" + b'{"event_id":1,"at":2},' * 50_000 + b"{}]", "file:not_json_lines", "an array"),
        (json.dumps(json.loads(GOOD), indent=1).encode(), "file:not_json_lines", "none of the first lines"),
        (b'{"event_id":"e1"}\n{"event_id":"e2","amount":1}\n', "file:missing_column:at", "missing at"),
        (b'{"event_ids":"e1","at":1}\n', "file:missing_column:event_id", "unexpected event_ids: renamed?"),
        ('{"event_id":"香蕉"}\n'.encode("gb18030") * 9, "file:encoding", "utf-8"),
        (GOOD.decode().encode("utf-16"), "file:encoding", "UTF-16"),
        (GOOD.decode().encode("utf-16-le"), "file:encoding", "NUL"),
        (gzip.compress(GOOD * 5000)[:-9], "file:truncated_gzip", "ends before"),
        (gzip.compress(GOOD * 5000, mtime=0)[:-8] + b"\0" * 8, "file:corrupt_gzip", "CRC"),
    ],
)
def test_file_is_refused_whole(file, content: bytes, rule: str, told: str) -> None:
    verdict = check_file(file(content), LAYOUT)
    assert (verdict.rule, verdict.accepted) == (rule, False)
    assert told in verdict.detail


def test_an_empty_file_is_a_quiet_hour(file) -> None:
    for content in (b"", b"\n\r\n \n", b"\xef\xbb\xbf", gzip.compress(b"")):
        assert split(file(content), of=0) == ([], [])


def test_gzip_bom_crlf_blank_lines_and_spaces_make_no_difference(file) -> None:
    plain = split(file(GOOD * 2), of=2)
    assert {c: plain[0][0][c] for c in LAYOUT.columns} == ROW
    for content in (
        gzip.compress(GOOD * 2),
        b"\xef\xbb\xbf" + GOOD * 2,
        (GOOD * 2).replace(b"\n", b"\r\n"),
        (GOOD * 2).rstrip(),
        b"\n" + GOOD + b" \n\n" + GOOD,
        (GOOD * 2).replace(b",", b" , ").replace(b'":', b'" :\t'),
    ):
        assert split(file(content), of=2) == plain


def test_the_order_of_keys_makes_no_difference(file) -> None:
    turned = json.dumps(dict(reversed(json.loads(GOOD).items()))).encode().replace(b"1.1,", b"1.10,")
    accepted, _ = split(file(turned.replace(b"2.5}", b"2.50}")), of=1)
    assert {c: accepted[0][c] for c in LAYOUT.columns} == ROW


def test_contract_may_say_another_encoding(file) -> None:
    layout = Layout(LAYOUT.columns, encoding="gb18030", format="jsonl")
    accepted, _ = split(file('{"event_id":"鎩香蕉","items":["卐"]}\n'.encode("gb18030")), layout, of=1)
    assert (accepted[0]["event_id"], accepted[0]["items"]) == ("鎩香蕉", '["卐"]')


def test_a_first_line_longer_than_the_block_is_a_row_like_others(file) -> None:
    line = '{"event_id":"' + "é" * (400 << 10) + '","at":"x"}\n'
    accepted, _ = split(file(line.encode() + GOOD), of=2)
    assert len(accepted[0]["event_id"]) == 400 << 10


# ---- values ----


@pytest.mark.parametrize(
    ("received", "text"),
    [
        ("1.10", "1.10"),
        ("-0", "-0"),
        ("1E+2", "1E+2"),
        ("9" * 5000, "9" * 5000),
        ("0.1000000000000000055", "0.1000000000000000055"),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('""', ""),
        ('"null"', "null"),
        ('"=1+1"', "=1+1"),
        ('" padded "', " padded "),
        (r'"\u9999\u8549 \ud83d\ude00\n"', "香蕉 😀\n"),
        (r'"\\u0000"', r"\u0000"),
        ("[]", "[]"),
        ("{}", "{}"),
        (r'{"b" : [1.10, -0, 12345678901234567890.0], "a": "\u9999\"\\u0000"}',
         r'{"b":[1.10,-0,12345678901234567890.0],"a":"香' + r'\"\\u0000"}'),
    ],
)  # fmt: skip
def test_values_keep_their_text(file, received: str, text: str | None) -> None:
    accepted, _ = split(file(b'{"event_id":1,"at":2,"amount":%s}' % received.encode()), of=1)
    assert accepted[0]["amount"] == text


def test_an_absent_key_is_null(file) -> None:
    accepted, _ = split(file(GOOD + b'{"event_id":"e2"}\n{}\n'), of=3)
    assert [(r["event_id"], r["at"]) for r in accepted[1:]] == [("e2", None), (None, None)]


def test_other_keys_are_kept_and_told(file) -> None:
    lines = [b'"till":7.0,"who":{"n":null}', b'"till":null,"who":null', b'"till":"x"']
    path = file(b"".join(GOOD.replace(b"}\n", b",%s}\n" % extra) for extra in lines))
    assert check_file(path, LAYOUT).warnings == ("file:extra_column:till", "file:extra_column:who")
    accepted, _ = split(path, of=3)
    assert [r["_extra"] for r in accepted] == ['{"till":7.0,"who":{"n":null}}', None, '{"till":"x"}']


# ---- rows ----

LONG = b'{"event_id":"' + b"x" * (1 << 20) + b'y"}\n'
DAMAGED = [
    (GOOD[:40] + b"\n", "row:json"),
    (b"event\n", "row:json"),
    (b'{"event_id":NaN}\n', "row:json"),
    (b'{"items":[-Infinity]}\n', "row:json"),
    (b'{"event_id":01}\n', "row:json"),
    (GOOD.strip() + GOOD, "row:json"),
    (b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "row:json"),
    (b'["e1"]\n', "row:not_an_object"),
    (b"1.5\n", "row:not_an_object"),
    (b"null\n", "row:not_an_object"),
    (b'{"at":1,"at":1}\n', "row:duplicate_key"),
    (b'{"items":[{"sku":1,"sk\\u0075":2}]}\n', "row:duplicate_key"),
    (b'{"event_id":"\0"}\n', "row:nul"),
    (b'{"items":["\\u0000"]}\n', "row:nul"),
    (b'{"event_id":"caf\xc3"}\n', "row:encoding"),  # half a UTF-8 character
    (b'{"items":["\\ud83d"]}\n', "row:encoding"),  # half a surrogate pair
    (LONG, "row:field_too_large"),
    (LONG.replace(b"x", b"x" * 10), "row:field_too_large"),
    (LONG.replace(b'"event_id"', b'"other"'), "row:field_too_large"),
]


@pytest.mark.parametrize(("line", "rule"), DAMAGED, ids=[f"{rule[4:]}{i}" for i, (_, rule) in enumerate(DAMAGED)])
def test_row_is_refused_and_its_neighbours_go_on(file, line: bytes, rule: str) -> None:
    for content in (GOOD + line + GOOD, GOOD * 2 + line.rstrip()):
        accepted, refused = split(file(content), of=3)
        assert [r["_rule"] for r in refused] == [rule]
        assert [r["event_id"] for r in accepted] == ["e1", "e1"]
        assert len(refused[0]["_raw"]) <= door_file.RAW_LIMIT + 50


def test_a_long_line_of_short_fields_is_a_row(file) -> None:
    many = ",".join(f'"k{i}":"{"x" * 1000}"' for i in range(900))
    accepted, _ = split(file(GOOD.replace(b"}\n", b"," + many.encode() + b"}\n") * 2), of=2)
    assert len(json.loads(accepted[1]["_extra"])) == 900


def test_refused_bytes_stay_readable(file) -> None:
    _, refused = split(file(GOOD + b'{"at":"caf\xc3\0"\n'), of=2)
    assert refused[0]["_raw"] == r'{"at":"caf\xc3\x00"'


def test_memory_does_not_grow_with_the_file(file) -> None:
    """A line without end in a gzip of a few kilobytes: 100 MB unpacked."""
    path = file(gzip.compress(GOOD + b'{"event_id":"' + b"x" * (100 << 20) + b'"}\n' + GOOD, 1))
    tracemalloc.start()
    accepted, refused = split(path, of=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ([r["_rule"] for r in refused], len(accepted)) == (["row:field_too_large"], 2)
    assert peak < 64 << 20
