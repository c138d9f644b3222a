"""Schema drift, case by case and format by format: the table in docs/drift.md, a test for each of its rows."""

import io
import json
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from jobs.kit import bronze, contracts, door, gate
from jobs.kit import lake as storage
from jobs.kit.door import Layout
from jobs.kit.run import run

DAY = date(2025, 3, 31)
COLUMNS = {  # name: (logicalType, more of its line)
    "sku": ("string", ", required: true"),
    "quantity": ("integer", ", required: true"),
    "price": ("number", ""),
    "buyer": ("string", ", classification: personal"),
    "phone": ("integer", ", classification: personal"),
}
ROWS = [
    {"sku": f"P{n}", "quantity": n, "price": f"{n}.50", "buyer": f"o{n}", "phone": 13800000000 + n} for n in range(20)
]
# Two of them with the slow tests: what differs between formats, the verdict of the door, is judged fast below.
FORMATS = ("csv", *(pytest.param(f, marks=pytest.mark.slow) for f in ("jsonl", "xlsx")))


def said(format_: str, columns: dict[str, tuple[str, str]], version: str = "1.0.0") -> str:
    lines = "".join(
        f"      - {{name: {name}, logicalType: {logical}, physicalType: string{more}, description: What it is}}\n"
        for name, (logical, more) in columns.items()
    )
    sheet = ", sheet: Prices" if format_ == "xlsx" else ""
    return (
        "# A contract with comments, which stay.\n"
        "apiVersion: v3.1.0\nkind: DataContract\nid: bronze.campaign_list\nname: campaign_list\n"
        f"version: {version}\nstatus: active\ndomain: marketing\ndescription: {{purpose: For the test}}\n"
        "team: {name: marketing}\nschema:\n  - name: campaign_list\n    dataGranularityDescription: one row per line\n"
        f"    properties:\n      # as the sender names them\n{lines}"
        "      - {name: pieces, logicalType: integer, physicalType: bigint, description: Derived,\n"
        "         customProperties: [{property: derived, value: try_cast(quantity AS bigint)}]}\n"
        "    customProperties:\n      - {property: growth, value: append}\n      - {property: source, value: x}\n"
        "      - {property: drop, value: {folder: x, "
        f"name: 'f_(?P<file_date>\\d{{4}}-\\d{{2}}-\\d{{2}})\\..*', format: {format_}{sheet}}}}}\n"
        "      - {property: max_refused_share, value: 0.1}\n"
    )


def written(format_: str, rows: list[dict]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if format_ == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if format_ == "csv":
        lines = [names, *[[str(row.get(n) if row.get(n) is not None else "") for n in names] for row in rows]]
        return "\n".join(",".join(line) for line in lines).encode()
    book = openpyxl.Workbook()
    book.active.title = "Prices"
    for line in (names, *[[row.get(n) for n in names] for row in rows]):
        book.active.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


class Source:
    """A table whose contract and files the test writes."""

    def __init__(self, folder: Path, format_: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.format = folder, format_
        self.contract = folder / "jobs" / "bronze" / "campaign_list.yaml"
        self.contract.parent.mkdir(parents=True)
        self.agree(COLUMNS)
        gates = folder / "expectations" / "bronze"
        gates.mkdir(parents=True)
        (gates / "campaign_list.yaml").write_text(
            "table: bronze.campaign_list\nexpectations:\n"
            "  - {type: expect_column_value_lengths_to_be_between, kwargs: {column: sku, min_value: 1}, "
            "severity: critical, why: Test}\n"
        )
        monkeypatch.setattr(contracts, "JOBS", folder / "jobs")
        monkeypatch.setattr(gate, "EXPECTATIONS", folder / "expectations")

    def agree(self, columns: dict[str, tuple[str, str]]) -> None:
        self.contract.write_text(said(self.format, columns))
        contracts.load.cache_clear()

    def send(self, day: int, rows: list[dict]) -> str:
        name = f"f_2025-03-{day:02}.{self.format}"
        path = self.folder / "drop" / "x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(self.format, rows))
        return name

    def run(self) -> list:
        contracts.load.cache_clear()
        return run("bronze.campaign_list", DAY)

    def rows(self, *columns: str) -> list[tuple]:
        found = storage.read_small("bronze.campaign_list").to_pylist()
        return sorted((tuple(row[c] for c in columns) for row in found), key=repr)


@pytest.fixture
def source(lake, monkeypatch):
    yield lambda format_: Source(lake, format_, monkeypatch)
    contracts.load.cache_clear()


def told(name: str) -> tuple[str, str | None, str | None]:
    """What ops.files has of a file: verdict, rule, detail."""
    (row,) = [r for r in bronze.ledger("bronze.campaign_list").values() if r["name"] == name]
    return row["verdict"], row["rule"], row["detail"]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_new_column_is_kept_and_told(source, format_):
    table = source(format_)
    name = table.send(1, [{**row, "till": 7 if n else None} for n, row in enumerate(ROWS)])
    (result,) = table.run()
    assert (result.verdict, result.rows_out) == ("published", 20)
    assert result.rules == {"file:extra_column:till": 1}
    assert result.note == f"{name}: new column till: kept in _extra. See: shoplake contract diff bronze.campaign_list"
    assert told(name) == ("loaded", None, "new column till: kept in _extra")
    kept = [json.loads(extra) for (extra,) in table.rows("_extra") if extra]
    assert len(kept) == 19 and {str(k["till"]) for k in kept} == {"7"}
    (row,) = storage.read_ops("runs").to_pylist()
    assert (row["note"], json.loads(row["rules"])) == (result.note, result.rules)


def test_a_new_column_is_told_however_late_a_json_line_has_it(source):
    table = source("jsonl")
    rows = [{**ROWS[n % 20], "sku": "P" * 400} for n in range(2000)]  # 1 MB: behind the block that is judged first
    name = table.send(1, [*rows, {**ROWS[0], "till": "7"}])
    table.run()
    assert told(name)[2] == "new column till: kept in _extra"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_missing_optional_column_is_null_and_told(source, format_):
    table = source(format_)
    name = table.send(1, [{k: v for k, v in row.items() if k != "price"} for row in ROWS])
    (result,) = table.run()
    assert (result.verdict, result.rows_out, result.rules) == ("published", 20, {"file:missing_column:price": 1})
    assert told(name) == ("loaded", None, "no column price: null")
    assert set(table.rows("price", "_extra")) == {(None, None)}


@pytest.mark.parametrize("format_", FORMATS)
def test_a_missing_required_column_stops_the_table(source, format_):
    table = source(format_)
    good = table.send(1, ROWS)
    table.run()
    before = table.rows("sku", "_source_file")
    bad = table.send(2, [{k: v for k, v in row.items() if k != "quantity"} for row in ROWS])
    (result,) = table.run()
    assert (result.verdict, result.ok) == ("refused", False)
    assert result.note == (
        f"{bad}: missing quantity. Have it sent as agreed, or mend the contract: "
        "shoplake contract diff bronze.campaign_list"
    )
    assert told(bad)[:2] == ("refused", "file:missing_column:quantity")
    assert table.rows("sku", "_source_file") == before and {f for _, f in before} == {good}
    (again,) = table.run()
    assert (again.verdict, again.note) == ("nothing new", f"still refused: {bad}: missing quantity")
    table.send(2, ROWS)
    (mended,) = table.run()
    assert (mended.verdict, mended.rows_out, mended.note) == ("published", 20, "")


@pytest.mark.parametrize("format_", FORMATS)
def test_good_files_are_loaded_beside_one_that_stops_the_table(source, format_):
    table = source(format_)
    table.send(1, ROWS)
    table.send(2, [{k: v for k, v in row.items() if k != "quantity"} for row in ROWS])
    loaded, stopped = table.run()
    assert (loaded.verdict, loaded.rows_out, loaded.note) == ("published", 20, "")
    assert (stopped.verdict, stopped.rules) == ("refused", {"file:missing_column:quantity": 1})
    assert {f for (f,) in table.rows("_source_file")} == {f"f_2025-03-01.{format_}"}


@pytest.mark.parametrize("format_", FORMATS)
def test_a_changed_type_stops_the_table_with_examples(source, format_):
    table = source(format_)
    name = table.send(1, [{**row, "quantity": f"{n} pcs" if n < 3 else n} for n, row in enumerate(ROWS)])
    (result,) = table.run()
    rule = "file:changed_type:quantity"
    assert (result.verdict, result.rules[rule]) == ("refused", 1)
    detail = "quantity is no integer in 3 of 20 rows, the contract allows 10.0%; there is '0 pcs', '1 pcs', '2 pcs'"
    assert told(name) == ("refused", rule, detail)
    assert result.note.startswith(f"{name}: {detail}. Have it sent as agreed, or mend the contract: ")


@pytest.mark.parametrize("format_", FORMATS)
def test_of_personal_values_the_shape_alone_is_told(source, format_):
    table = source(format_)
    table.send(1, [{**row, "phone": f"+86 138-0000-12{n:02}"} for n, row in enumerate(ROWS)])
    (result,) = table.run()
    assert "phone is no integer in 20 of 20 rows" in result.note and "there is '+99 999-9999-9999'." in result.note
    assert "138" not in result.note


@pytest.mark.parametrize("format_", FORMATS)
def test_fewer_than_the_share_are_set_aside_and_the_table_goes_on(source, format_):
    table = source(format_)
    table.send(1, [{**row, "quantity": "two" if n == 2 else n} for n, row in enumerate(ROWS)])
    (result,) = table.run()
    assert (result.verdict, result.rows_out, result.rules) == ("published", 19, {"row:type:quantity": 1})


def test_a_required_key_that_some_json_lines_lack_is_judged_by_the_share(source):
    table = source("jsonl")
    table.send(1, [{k: v for k, v in row.items() if n or k != "sku"} for n, row in enumerate(ROWS)])
    few = table.send(2, [{k: v for k, v in row.items() if n > 2 or k != "sku"} for n, row in enumerate(ROWS)])
    (result,) = table.run()
    assert (result.verdict, result.rows_out) == ("published", 19)
    assert told(few)[1:] == (
        "file:too_many_refused_rows",
        "3 of 20 rows refused, 3 by row:required:sku, the contract allows 10.0%",
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_a_renamed_column_counts_as_missing_and_new(source, format_):
    table = source(format_)
    renamed = [{("amount" if k == "price" else "qty" if k == "quantity" else k): v for k, v in r.items()} for r in ROWS]
    name = table.send(1, renamed)
    (result,) = table.run()
    assert told(name)[:2] == ("refused", "file:missing_column:quantity")
    assert "missing quantity, unexpected qty: renamed?" in result.note


@pytest.mark.parametrize("format_", FORMATS)
def test_a_renamed_optional_column_is_null_and_the_suspicion_is_told(source, format_):
    table = source(format_)
    name = table.send(1, [{("prices" if k == "price" else k): v for k, v in row.items()} for row in ROWS])
    table.run()
    suspicion = "missing price, unexpected prices: renamed?"
    assert told(name) == ("loaded", None, f"no column price: null; new column prices: kept in _extra; {suspicion}")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_column_with_a_former_name_is_read_by_either(source, format_):
    table = source(format_)
    table.send(1, ROWS)
    table.run()
    table.agree({
        **COLUMNS,
        "quantity": (
            "integer",
            ", required: true, physicalName: qty, customProperties: [{property: formerly, value: [quantity]}]",
        ),
    })  # fmt: skip
    table.send(2, [{("qty" if k == "quantity" else k): v for k, v in row.items()} for row in ROWS])
    (result,) = table.run()
    assert (result.verdict, result.rows_out, result.note) == ("published", 40, "")
    assert table.rows("quantity", "pieces", "_extra") == sorted(
        [(str(n), n, None) for n in range(20)] * 2, key=repr
    )  # fmt: skip


@pytest.mark.parametrize("format_", FORMATS)
def test_a_contract_that_older_files_do_not_meet_publishes_nothing(source, format_):
    table = source(format_)
    table.send(1, ROWS)
    table.run()
    before = table.rows("sku", "_source_file")
    table.agree({**COLUMNS, "till": ("integer", ", required: true")})
    table.send(2, [{**row, "till": 7} for row in ROWS])
    for _ in range(2):  # and says so until it is mended
        (result,) = table.run()
        assert (result.verdict, result.rules) == ("refused", {"file:missing_column:till": 1})
        assert result.note.startswith("nothing was published, since files that were loaded before do not meet")
        assert table.rows("sku", "_source_file") == before
    table.agree({**COLUMNS, "till": ("integer", "")})
    (result,) = table.run()
    assert (result.verdict, result.rows_out) == ("published", 40)
    assert set(table.rows("till")) == {(None,), ("7",)}


@pytest.mark.parametrize("format_", FORMATS)
def test_a_column_of_text_may_hold_anything(source, format_):
    """What cannot be told by a cast: a text that becomes a number, or JSON's object, is text as received."""
    table = source(format_)
    table.send(1, [{**row, "buyer": n} for n, row in enumerate(ROWS)])
    (result,) = table.run()
    assert (result.verdict, result.rules) == ("published", {})
    assert {b for (b,) in table.rows("buyer")} == {str(n) for n in range(20)}


@pytest.mark.parametrize("format_", FORMATS)
def test_another_order_of_columns_is_no_drift(source, format_):
    table = source(format_)
    table.send(1, [dict(reversed(row.items())) for row in ROWS])
    (result,) = table.run()
    assert (result.verdict, result.rules, result.note) == ("published", {}, "")


# ---- the door's verdict, in every format ----

ALL = ("csv", "jsonl", "xlsx")
LAYOUT = {f: Layout(tuple(COLUMNS), format=f, sheet="Prices", required=("sku", "quantity")) for f in ALL}


def without(*names: str) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in names} for row in ROWS]


@pytest.mark.parametrize("format_", ALL)
@pytest.mark.parametrize(
    ("rows", "rule", "warnings"),
    [
        (ROWS, None, ()),
        ([dict(reversed(row.items())) for row in ROWS], None, ()),
        ([{**row, "till": 7} for row in ROWS], None, ("file:extra_column:till",)),
        (without("price"), None, ("file:missing_column:price",)),
        (without("price", "quantity"), "file:missing_column:quantity", ()),
        (without("sku", "quantity"), "file:missing_column:sku", ()),
        ([{"a": 1}], "file:missing_column:sku", ()),
    ],
    ids=["as agreed", "another order", "new", "missing optional", "missing required", "missing two", "another file"],
)
def test_the_door_says_the_same_of_every_format(tmp_path, format_, rows, rule, warnings):
    path = tmp_path / "file"
    path.write_bytes(written(format_, rows))
    verdict = door.check_file(str(path), LAYOUT[format_])
    assert (verdict.rule, verdict.warnings) == (rule, warnings)
    if verdict.accepted:
        found = [row for batch in door.parse(str(path), LAYOUT[format_]) for row in batch.to_pylist()]
        names = [name for name in COLUMNS if name in rows[0]]
        assert [{k: v for k, v in row.items() if v is not None and k in COLUMNS} for row in found] == [
            {name: str(row[name]) for name in names} for row in ROWS
        ]


@pytest.mark.parametrize("format_", ALL)
def test_a_former_name_is_the_column_s_unless_the_present_one_is_there_too(tmp_path, format_):
    layout = Layout(
        ("sku", "quantity"), format=format_, sheet="Prices", formerly=(("qty", "quantity"), ("n", "quantity"))
    )
    path = tmp_path / "file"

    def read(*rows: dict) -> list[tuple]:
        path.write_bytes(written(format_, list(rows)))
        assert door.check_file(str(path), layout).accepted
        found = [row for batch in door.parse(str(path), layout) for row in batch.to_pylist()]
        return [(row["sku"], row["quantity"], row["_extra"] and json.loads(row["_extra"])) for row in found]

    assert read({"sku": "a", "qty": "1"}, {"sku": "b", "qty": "2"}) == [("a", "1", None), ("b", "2", None)]
    assert read({"sku": "a", "n": "1", "quantity": "2"}) == [("a", "2", {"n": "1"})]


def test_a_json_line_has_either_name_also_where_it_is_read_by_its_shape(tmp_path):
    layout = Layout(("sku", "quantity"), format="jsonl", formerly=(("qty", "quantity"),))
    path = tmp_path / "file"
    lines = [{"sku": f"a{n}", ("qty" if n % 3 else "quantity"): n, "x": n} for n in range(1000)]
    path.write_bytes(written("jsonl", lines))
    found = [row for batch in door.parse(str(path), layout) for row in batch.to_pylist()]
    assert [(r["quantity"], r["_extra"]) for r in found] == [(str(n), f'{{"x":{n}}}') for n in range(1000)]
