"""Bad input, as real bytes: each file or row is refused by name and rule, the rest goes on, nothing is lost."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from jobs.kit import door_file
from jobs.kit.door import Layout, check_file, parse

COLUMNS = ("order_id", "product_id", "quantity", "amount")
LAYOUT = Layout(COLUMNS, required=COLUMNS)
HEADER = b"order_id,product_id,quantity,amount\n"
GOOD = b"1,banana,2,1.50\n"


def zipped(*files: bytes) -> bytes:
    """A zip of these files, stored as they are."""
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as packed:
        for n, content in enumerate(files):
            packed.writestr(f"part{n}.csv", content)
    return box.getvalue()


@pytest.fixture
def file(tmp_path: Path):
    def write(content: bytes, name: str = "lines_2017-01-01.csv") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def rows(path: str, layout: Layout = LAYOUT) -> list[dict]:
    assert check_file(path, layout).accepted
    return [row for batch in parse(path, layout) for row in batch.to_pylist()]


def split(path: str, layout: Layout = LAYOUT, *, of: int) -> tuple[list[dict], list[dict]]:
    """(accepted, refused), once it is sure that they are all the `of` records of the file, in order."""
    found = rows(path, layout)
    accepted, refused = [r for r in found if r["_rule"] is None], [r for r in found if r["_rule"]]
    assert len(accepted) + len(refused) == of
    assert [r["_row_number"] for r in found] == list(range(1, of + 1))
    assert all(r["_raw"] is None for r in accepted)
    assert all(r["_raw"] is not None and r["order_id"] is None for r in refused)
    return accepted, refused


# ---- files ----


@pytest.mark.parametrize(
    ("content", "rule", "told"),
    [
        (b"", "file:empty", "not even a header"),
        (b"\n\r\n \n", "file:empty", "not even a header"),
        (b"\xef\xbb\xbf", "file:empty", "not even a header"),
        (b"order_id;product_id;quantity;amount\n1;banana;2;1.50\n", "file:wrong_delimiter", "';'"),
        (b"order_id\tproduct_id\tquantity\tamount\n1\tbanana\t2\t1.50\n", "file:wrong_delimiter", r"'\t'"),
        (HEADER.replace(b"amount", b"quantity") + GOOD, "file:duplicate_header", "quantity"),
        (b"order_id,product_id,quantity,amount,quantity\n1,a,2,1.50,3\n", "file:duplicate_header", "quantity"),
        (b"order_id,product_id,quantity\n1,a,2\n", "file:missing_column:amount", "missing amount"),
        (b"order_id,product_id,qty,amount\n1,a,2,1\n", "file:missing_column:quantity", "unexpected qty: renamed?"),
        (GOOD * 3, "file:missing_column:order_id", "without header"),
        (("order_id,product_id,quantity,amount\n" + "1,香蕉,2,1.50\n" * 9).encode("gb18030"), "file:encoding", "utf-8"),
        ((HEADER + GOOD).decode().encode("utf-16"), "file:encoding", "UTF-16"),
        ((HEADER + GOOD).decode().encode("utf-16-le"), "file:encoding", "NUL"),
        (HEADER.replace(b"amount", b"amo\xffnt") + GOOD, "file:encoding", "header"),
        (gzip.compress(HEADER + GOOD * 5000)[:-9], "file:truncated_gzip", "ends before"),
        (gzip.compress(HEADER + GOOD * 5000, mtime=0)[:-8] + b"\0" * 8, "file:corrupt_gzip", "CRC"),
        (zipped(HEADER + GOOD * 5000)[:-9], "file:corrupt_zip", "not a zip file"),
        (zipped(HEADER + GOOD * 5000).replace(b"banana", b"banane"), "file:corrupt_zip", "CRC"),
        (zipped(HEADER + GOOD, HEADER + GOOD), "file:corrupt_zip", "2 files in it, where one was agreed"),
        (zipped(), "file:corrupt_zip", "0 files"),
    ],
)
def test_file_is_refused_whole(file, content: bytes, rule: str, told: str) -> None:
    verdict = check_file(file(content), LAYOUT)
    assert (verdict.rule, verdict.accepted) == (rule, False)
    assert told in verdict.detail


def test_a_half_gzip_gives_not_one_row_even_where_half_of_it_unpacks(file) -> None:
    whole = gzip.compress(HEADER + b"".join(b"%d,banana,2,1.50\n" % i for i in range(100_000)))
    assert check_file(file(whole[: len(whole) // 2]), LAYOUT).rule == "file:truncated_gzip"


def test_header_only_is_a_day_without_sales(file) -> None:
    for content in (HEADER, HEADER.rstrip(), HEADER + b"\r\n\n"):
        path = file(content)
        assert check_file(path, LAYOUT).warnings == ("file:header_only",)
        assert split(path, of=0) == ([], [])


def test_gzip_bom_crlf_and_order_of_columns_make_no_difference(file) -> None:
    plain = split(file(HEADER + GOOD), of=1)
    for content in (
        gzip.compress(HEADER + GOOD),
        zipped(HEADER + GOOD),
        b"\xef\xbb\xbf" + HEADER + GOOD,
        (HEADER + GOOD).replace(b"\n", b"\r\n"),
        b"amount,quantity,order_id,product_id\n1.50,2,1,banana\n",
        b' order_id , "product_id",quantity,amount\n1,banana,2,1.50\n'.replace(b', "', b',"'),
        b"\n\n" + HEADER + b"\n" + GOOD.rstrip(),
    ):
        assert split(file(content), of=1) == plain


def test_additional_column_is_kept_and_told(file) -> None:
    path = file(b"order_id,till,product_id,quantity,amount\n1,7,banana,2,1.50\n2,,apple,1,\n")
    assert check_file(path, LAYOUT).warnings == ("file:extra_column:till",)
    accepted, _ = split(path, of=2)
    assert [r["_extra"] for r in accepted] == ['{"till": "7"}', None]
    assert accepted[0]["product_id"] == "banana"


def test_contract_may_say_another_encoding_and_delimiter(file) -> None:
    layout = Layout(LAYOUT.columns, "|", "gb18030")  # 卐 ends in the byte 0x7c, which is "|"
    path = file("order_id|product_id|quantity|amount\n1|鎩香蕉|2|1.50\n2|a|1|\n".encode("gb18030"))
    accepted, _ = split(path, layout, of=2)
    assert accepted[0]["product_id"] == "鎩香蕉"


# ---- rows ----

DAMAGED = [
    (b"2,nul\0byte,1,1.00\n", "row:nul"),
    ("2,caf\u00e9,1,1.00\n".encode().replace(b"\xa9", b""), "row:encoding"),  # half a UTF-8 character
    (b"2,a,1,1.00,surplus\n", "row:ragged"),
    (b"2,a,1\n", "row:ragged"),
    (b'2,"a,1,1.00\n', "row:unclosed_quote"),
    (b'2,"a"b,1,1.00\n', "row:unclosed_quote"),
    (b'2,"a\nb",1\n', "row:unclosed_quote"),
    (b"2,a\rb,1,1.00\n", "row:line_break"),
    (HEADER, "row:repeated_header"),
    (b"2," + b"x" * (10 << 20) + b",1,1.00\n", "row:field_too_large"),
    (b"2," + b"x" * (1 << 20) + b"y,1,1.00\n", "row:field_too_large"),
    (b'2,"' + b"x\n" * (1 << 20) + b'",1,1.00\n', "row:field_too_large"),
]


@pytest.mark.parametrize(("line", "rule"), DAMAGED, ids=[f"{rule[4:]}{i}" for i, (_, rule) in enumerate(DAMAGED)])
def test_row_is_refused_and_its_neighbours_go_on(file, line: bytes, rule: str) -> None:
    also = 1 if rule == "row:unclosed_quote" and line.count(b"\n") == 2 else 0  # its second line stands alone: ragged
    accepted, refused = split(file(HEADER + GOOD + line + GOOD), of=3 + also)
    assert [r["_rule"] for r in refused] == [rule] + ["row:ragged"] * also
    assert [r["product_id"] for r in accepted] == ["banana", "banana"]
    assert len(refused[0]["_raw"]) <= door_file.RAW_LIMIT + 50


def test_damage_at_the_very_end_of_the_file(file) -> None:
    for line, rule in DAMAGED:
        if line.count(b"\n") == 1:
            accepted, refused = split(file(HEADER + GOOD + line.rstrip()), of=2)
            assert ([r["_rule"] for r in refused], len(accepted)) == ([rule], 1)


def test_refused_bytes_stay_readable(file) -> None:
    _, refused = split(file(HEADER + GOOD * 2 + b"2,caf\xc3,1,\0\n3,\xff,1,1\n"), of=4)
    assert [r["_raw"] for r in refused] == [r"2,caf\xc3,1,\x00", r"3,\xff,1,1"]


def test_one_stray_quote_swallows_nothing(file) -> None:
    after = b"".join(b"%d,p%d,1,1.00\n" % (i, i) for i in range(3000))
    accepted, refused = split(file(HEADER + b'0,"open,1,1.00\n' + after + b'9,"closed",1,1.00\n'), of=3002)
    assert (len(accepted), [r["_rule"] for r in refused]) == (3001, ["row:unclosed_quote"])


def test_values_stay_text_as_received(file) -> None:
    """What is not a number is for the type rules to say; a formula is text, neutralised where it leaves the lake."""
    texts = [
        "=1+1",
        "@SUM(A1)",
        "+1",
        "-1",
        "¥12",
        "NaN",
        "2017-02-30",
        " padded ",
        "0012",
        "1e5",
        'say ""hi""',
        "a\nb",
    ]
    lines = "".join(f'{i},"{t}",1,1.00\n' for i, t in enumerate(texts)) + '99,"1,234.50",1,\n'
    accepted, _ = split(file(HEADER + lines.encode()), of=len(texts) + 1)
    assert [r["product_id"] for r in accepted] == [t.replace('""', '"') for t in texts] + ["1,234.50"]
    assert accepted[-1]["amount"] is None


def test_memory_does_not_grow_with_the_file(file) -> None:
    """A field without end in a gzip of a few kilobytes: 100 MB unpacked."""
    import tracemalloc

    path = file(gzip.compress(HEADER + GOOD + b"2," + b"x" * (100 << 20) + b",1,1\n" + GOOD, 1))
    tracemalloc.start()
    accepted, refused = split(path, of=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ([r["_rule"] for r in refused], len(accepted)) == (["row:field_too_large"], 2)
    assert peak < 64 << 20
