"""Workbooks at the door: each row text or refused by its rule; a file that is no sound workbook is refused by name."""

import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from jobs.kit import door_xlsx
from jobs.kit.door import Layout, check_file, parse

COLUMNS = ("sku", "price", "valid_from")
LAYOUT = Layout(COLUMNS, format="xlsx", sheet="Prices", required=COLUMNS)
HEADER = ["sku", "price", "valid_from"]
GOOD = ["p1", 1.5, date(2025, 3, 1)]


def workbook(rows: list[list], sheet: str = "Prices", parts: dict[str, tuple[bytes, bytes]] | None = None) -> bytes:
    """A workbook of these rows; `parts`: what to replace in the part whose name ends so."""
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    if not parts:
        return out.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            for end, (there, then) in parts.items():
                if name.endswith(end):
                    assert there in content
                    content = content.replace(there, then)
            new.writestr(name, content)
    return changed.getvalue()


@pytest.fixture
def file(tmp_path: Path):
    def write(content: bytes) -> str:
        (tmp_path / "prices.xlsx").write_bytes(content)
        return str(tmp_path / "prices.xlsx")

    return write


def split(path: str, *, of: int) -> tuple[list[dict], list[dict]]:
    """(accepted, refused), once it is sure that they are all the `of` records of the file, in order."""
    assert check_file(path, LAYOUT).accepted
    found = [row for batch in parse(path, LAYOUT) for row in batch.to_pylist()]
    assert [r["_row_number"] for r in found] == list(range(1, of + 1))
    accepted, refused = [r for r in found if r["_rule"] is None], [r for r in found if r["_rule"]]
    assert all(r["_raw"] is None for r in accepted)
    assert all(r["_raw"] is not None and r["sku"] is None for r in refused)
    return accepted, refused


# ---- files ----

SOUND = workbook([HEADER, GOOD])
SHEET = "sheet1.xml"


@pytest.mark.parametrize(
    ("content", "rule", "told"),
    [
        (b"", "file:not_xlsx", "not a zip"),
        (b"sku,price\np1,1.5\n", "file:not_xlsx", "not a zip"),
        (SOUND[: len(SOUND) // 2], "file:not_xlsx", "not a zip"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "file:not_xlsx", "encrypted"),
        (workbook([HEADER, GOOD], parts={SHEET: (b"</sheetData>", b"</sheet")}), "file:not_xlsx", "ParseError"),
        (workbook([HEADER, GOOD], parts={SHEET: (b"<v>1.5</v>", b"<v>INF</v>")}), "file:not_xlsx", "ValueError"),
        (workbook([HEADER, GOOD], "Sheet1"), "file:missing_sheet:Prices", "'Sheet1'"),
        (workbook([]), "file:empty", "not even a header"),
        (workbook([[None], ["", None]]), "file:empty", "not even a header"),
        (workbook([["sku", "price"], GOOD]), "file:missing_column:valid_from", "missing valid_from"),
        (workbook([["sku", "prize", "valid_from"], GOOD]), "file:missing_column:price", "unexpected prize: renamed?"),
        (workbook([GOOD, GOOD]), "file:missing_column:sku", "without header"),
        (workbook([[*HEADER, "price"], GOOD]), "file:duplicate_header", "price"),
        (workbook([HEADER, GOOD], parts={SHEET: (b'<row r="2"', b'<row r="99999999"')}), "file:too_large", "rows"),
    ],
)
def test_file_is_refused_whole(file, content: bytes, rule: str, told: str) -> None:
    verdict = check_file(file(content), LAYOUT)
    assert (verdict.rule, verdict.accepted) == (rule, False)
    assert told in verdict.detail


def test_a_zip_that_is_no_workbook_is_refused(file) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("prices.csv", "sku,price\n")
    assert check_file(file(out.getvalue()), LAYOUT).rule == "file:not_xlsx"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(file, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO(SOUND)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as packed, packed.open("xl/bomb.xml", "w") as part:
        for _ in range(door_xlsx.UNPACKED_LIMIT >> 20):
            part.write(b"\0" * (1 << 20))
    assert len(out.getvalue()) < 1 << 20
    monkeypatch.setattr(openpyxl, "load_workbook", None)
    verdict = check_file(file(out.getvalue()), LAYOUT)
    assert (verdict.rule, "unpacks to" in verdict.detail) == ("file:too_large", True)


def test_a_zip_that_lies_about_its_size_is_refused(file) -> None:
    with zipfile.ZipFile(io.BytesIO(SOUND)) as packed:
        size = next(p for p in packed.infolist() if p.filename.endswith(SHEET)).file_size
    assert check_file(file(SOUND.replace(size.to_bytes(4, "little"), b"\1\0\0\0")), LAYOUT).rule == "file:not_xlsx"


def test_header_only_is_accepted_and_told(file) -> None:
    path = file(workbook([[], HEADER, [None, "", None]]))
    assert check_file(path, LAYOUT).warnings == ("file:header_only",)
    assert split(path, of=0) == ([], [])


def test_order_of_columns_blank_rows_and_other_sheets_make_no_difference(file) -> None:
    plain = split(file(SOUND), of=1)
    assert [plain[0][0][c] for c in LAYOUT.columns] == ["p1", "1.5", "2025-03-01"]
    lying = {SHEET: (b'<dimension ref="A1:C2"', b'<dimension ref="A1:A1"')}
    for content in (
        workbook([[], [" sku ", "price", "valid_from"], [], GOOD, ["", None]]),
        workbook([HEADER[::-1], GOOD[::-1]]),
        workbook([[None, *HEADER], [None, *GOOD]]),
        workbook([HEADER, GOOD], parts=lying),
    ):
        assert split(file(content), of=1) == plain


def test_additional_column_is_kept_and_told(file) -> None:
    path = file(workbook([["sku", "till", "price", "valid_from"], ["p1", 7.0, 1.5], ["p2", None, 1.5]]))
    assert check_file(path, LAYOUT).warnings == ("file:extra_column:till",)
    accepted, _ = split(path, of=2)
    assert [r["_extra"] for r in accepted] == ['{"till": "7"}', None]


# ---- cells ----


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (0.30000000000000004, "0.3"),  # so the format keeps it: fifteen digits
        (12.0, "12"),
        (-3, "-3"),
        (123456789012345, "123456789012345"),
        (1e20, "100000000000000000000"),
        (1e-7, "0.0000001"),
        (True, "true"),
        (False, "false"),
        (date(2025, 3, 1), "2025-03-01"),
        (datetime(2025, 3, 1), "2025-03-01"),
        (datetime(2025, 3, 1, 10, 30, 1), "2025-03-01T10:30:01"),
        (time(10, 30), "10:30:00"),
        (timedelta(hours=30, seconds=5), "30:00:05"),
        ("007", "007"),
        (" padded ", " padded "),
        ("a\nb", "a\nb"),
        ("香蕉 😀", "香蕉 😀"),
        ("1,234.50", "1,234.50"),
        ("", None),
        (None, None),
    ],
)
def test_a_cell_is_text(file, value: object, text: str | None) -> None:
    accepted, _ = split(file(workbook([HEADER, ["p1", value]])), of=1)
    assert accepted[0]["price"] == text


def test_a_number_keeps_the_digits_that_make_it(file) -> None:
    for saved, text in (
        ("0.10000000000000001", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.10", "1.1"),
    ):
        parts = {SHEET: (b"<v>1.5</v>", f"<v>{saved}</v>".encode())}
        accepted, _ = split(file(workbook([HEADER, GOOD], parts=parts)), of=1)
        assert accepted[0]["price"] == text


def test_a_formula_is_the_value_saved_with_it(file) -> None:
    for saved, text in ((b"<v>3</v>", "3"), (b"<v></v>", None)):
        parts = {SHEET: (b"<f>1+2</f><v />", b"<f>1+2</f>" + saved)}
        accepted, _ = split(file(workbook([HEADER, ["p1", "=1+2"]], parts=parts)), of=1)
        assert accepted[0]["price"] == text


def test_dates_count_from_1904_where_the_workbook_says_so(file) -> None:
    book = openpyxl.Workbook()
    book.active.title, book.epoch = "Prices", openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in (HEADER, GOOD):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    accepted, _ = split(file(out.getvalue()), of=1)
    assert accepted[0]["valid_from"] == "2025-03-01"


# ---- rows ----

DAMAGED = [
    (["p2", "#DIV/0!"], "row:cell_error"),
    (["p2", 1.5, date(2025, 3, 1), "stray"], "row:ragged"),
    (HEADER, "row:repeated_header"),
    (["p2", "x" * (1 << 20) + "y"], "row:field_too_large"),
]


@pytest.mark.parametrize(("row", "rule"), DAMAGED, ids=[rule[4:] for _, rule in DAMAGED])
def test_row_is_refused_and_its_neighbours_go_on(file, monkeypatch: pytest.MonkeyPatch, row: list, rule: str) -> None:
    monkeypatch.setattr("openpyxl.cell.cell.Cell.check_string", lambda self, value: value)  # which cuts long ones
    accepted, refused = split(file(workbook([HEADER, GOOD, row, GOOD])), of=3)
    assert ([r["_rule"] for r in refused], [r["sku"] for r in accepted]) == ([rule], ["p1", "p1"])
    assert str(row[1])[:9] in refused[0]["_raw"]
    assert len(refused[0]["_raw"]) <= door_xlsx.RAW_LIMIT + 50


def test_a_stray_cell_at_the_far_end_of_the_sheet_costs_no_memory(file) -> None:
    stray = b'<row r="9999"><c r="XFD9999"><v>1</v></c></row></sheetData>'
    _, refused = split(file(workbook([HEADER, GOOD], parts={SHEET: (b"</sheetData>", stray)})), of=2)
    assert refused[0]["_rule"] == "row:ragged"


def test_rows_are_numbered_over_batches(file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_xlsx, "_BATCH", 2)
    accepted, _ = split(file(workbook([HEADER, *([f"p{i}", i] for i in range(5))])), of=5)
    assert [r["price"] for r in accepted] == ["0", "1", "2", "3", "4"]
