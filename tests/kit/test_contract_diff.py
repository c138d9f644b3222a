"""What `shoplake contract diff` says: of received files, of two versions of a contract, of who breaks."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import cli
from jobs.kit import amend, contract_diff, contracts, drift
from jobs.kit.contracts import load
from jobs.kit.settings import settings
from jobs.landing import files as landing
from tests.conftest import lake_at
from tests.kit.test_drift import ALL, COLUMNS, DAY, ROWS, Source


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A table whose contract and files the test writes, and whose files are landed: no Spark."""

    def made(format_: str) -> Source:
        table = Source(tmp_path, format_, monkeypatch)
        monkeypatch.setattr(
            table, "run", lambda: landing.land(parsed(table), settings().drop, settings().landing, as_of=DAY)
        )
        return table

    with lake_at(tmp_path):
        yield made
    load.cache_clear()


def parsed(table: Source) -> contracts.Contract:
    return contracts.parse(table.contract)


def proposed(table: Source) -> list[drift.Proposal]:
    landing.land(parsed(table), settings().drop, settings().landing, as_of=DAY)
    return drift.proposals(parsed(table), settings().landing)[0]


def diff(*words: str) -> tuple[int, dict]:
    done = CliRunner().invoke(cli.app, ["contract", "diff", *words, "--json"])
    return done.exit_code, json.loads(done.stdout)


# ---- what files have that the contract does not say ----


@pytest.mark.parametrize("format_", ALL)
def test_nothing_is_proposed_of_files_as_agreed(source, format_):
    table = source(format_)
    assert proposed(table) == []
    table.send(1, ROWS)
    assert proposed(table) == []


@pytest.mark.parametrize("format_", ALL)
def test_a_new_column_is_written_into_the_contract_and_nothing_else_is(source, format_):
    table = source(format_)
    table.send(1, ROWS)
    name = table.send(2, [{**row, "Till-No": f"T{n}", "unitWeight": 1.5} for n, row in enumerate(ROWS)])
    before = table.contract.read_text()
    first, second = proposed(table)
    assert (first.kind, first.column, first.text) == ("new", "Till-No", f"in 1 of 2 files looked at, first in {name}")
    (old := table.folder / "old.yaml").write_text(before)
    code, said = diff("bronze.campaign_list", "--write", "--against", str(old))
    assert code == 0 and [p["column"] for p in said["proposals"]] == [first.column, second.column]
    after = table.contract.read_text().splitlines()
    assert [line for line in after if line not in before.splitlines()] == [
        "version: 1.1.0",
        '      - {name: till_no, physicalName: "Till-No", logicalType: string, physicalType: string,',
        f'         description: "TODO: what it is; first seen in {name}"}}',
        '      - {name: unit_weight, physicalName: "unitWeight", logicalType: number, physicalType: string,',
        f'         description: "TODO: what it is; first seen in {name}"}}',
    ]
    assert [line for line in before.splitlines() if line not in after] == ["version: 1.0.0"]
    assert [c.name for c in parsed(table).columns] == [*COLUMNS, "till_no", "unit_weight", "pieces"]
    assert proposed(table) == []


def test_a_new_column_is_required_only_where_no_file_looked_at_lacks_it(source):
    table = source("csv")
    table.send(1, [{**row, "always": 1, "mostly": n or None, "later": None} for n, row in enumerate(ROWS)])
    table.send(2, [{**row, "always": 1, "mostly": n} for n, row in enumerate(ROWS)])
    said = {p.column: "required: true" in p.line for p in proposed(table)}
    assert said == {"always": True, "mostly": False, "later": False}


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("n", ["1", "-2", None], "integer"),
        ("n", ["1", "2.5"], "number"),
        ("n", ["2025-03-01"], "date"),
        ("n", ["2025-02-30"], "string"),
        ("n", ["2025-03-01T10:00:00+08:00"], "timestamp"),
        ("n", ["true", "FALSE"], "boolean"),
        ("n", ["1", "2 pcs"], "string"),
        ("n", ["0012", "13"], "string"),
        ("store_id", ["12"], "string"),
        ("orderNo", ["12"], "string"),
        ("n", [None], "string"),
        ("n", ["1\n"], "string"),
    ],
)
def test_the_type_is_guessed_from_the_values(name, values, kind):
    assert drift.guess(name, values) == kind


@pytest.mark.parametrize(
    ("received", "name"), [("unitPrice", "unit_price"), ("门店 No.", "men_dian_no"), ("2nd", "column_2nd")]
)
def test_a_name_is_made_of_the_received_one(received, name):
    assert drift.snake(received) == name


def test_what_looks_personal_is_proposed_as_such_and_its_values_are_not_told(source):
    table = source("csv")
    table.send(1, [{**row, "contact": f"1380000{n:04}", "receiver_name": "x"} for n, row in enumerate(ROWS)])
    both = proposed(table)
    assert all("classification: personal" in p.line for p in both) and len(both) == 2
    assert "1380000" not in repr(both)


@pytest.mark.parametrize("format_", ALL)
def test_a_column_gone_and_a_new_one_like_it_are_a_rename(source, format_):
    table = source(format_)
    table.send(1, ROWS)
    sent = [{("pieces_sold" if k == "quantity" else k): v for k, v in row.items()} for row in ROWS]
    name = table.send(2, [{**row, "note": "some words of the cashier"} for row in sent])
    rename, new = proposed(table)
    assert (rename.kind, rename.column, rename.was, new.kind) == ("renamed", "pieces_sold", "quantity", "new")
    assert rename.text == f"quantity is gone and pieces_sold has values like its own, first in {name}: renamed?"
    table.contract.write_text(drift.amended(parsed(table), [rename, new]))
    column = parsed(table).column("quantity")
    assert (column.received_as, column.formerly, column.required) == ("pieces_sold", ("quantity",), True)
    assert "# as the sender names them" in table.contract.read_text()
    assert proposed(table) == [], "files with either name are as agreed now"


def test_a_column_gone_and_another_with_other_values_are_no_rename(source):
    table = source("csv")
    table.send(1, ROWS)
    table.send(
        2, [{("note" if k == "price" else k): ("as usual" if k == "price" else v) for k, v in r.items()} for r in ROWS]
    )
    assert [(p.kind, p.column) for p in proposed(table)] == [("new", "note")]


def test_a_changed_type_is_told_with_the_one_that_fits_and_never_written(source):
    table = source("csv")
    table.send(1, ROWS)
    name = table.send(2, [{**row, "quantity": f"{n}.5", "phone": f"138 0000 {n:04}"} for n, row in enumerate(ROWS)])
    quantity, phone = proposed(table)
    assert quantity.text == (
        f"20 of 20 values in {name} are no integer, like '0.5', '1.5', '2.5'; "
        "all values looked at are of the type number"
    )
    assert "like '999 9999 9999';" in phone.text
    assert drift.amended(parsed(table), [quantity, phone]) is None


BLOCK = """\
version: 2.3.1
schema:
  - name: t
    properties:
      - name: a  # the first
        physicalType: string
        customProperties:
          - property: unit
            value: pieces

      # what follows is derived
      - name: b
        customProperties: [{property: derived, value: a}]
    customProperties: []
"""


def test_columns_written_as_blocks_are_amended_as_blocks():
    text = amend.raise_minor(amend.rename_column(amend.add_columns(BLOCK, ["{name: c}"]), "a", "a", "A b"))
    assert text == BLOCK.replace("2.3.1", "2.4.0").replace(
        "- name: a  # the first\n", '- name: a\n        physicalName: "A b"  # the first\n'
    ).replace(
        "          - property: unit\n", '          - {property: formerly, value: ["a"]}\n          - property: unit\n'
    ).replace("value: pieces\n", "value: pieces\n      - {name: c}\n")


def test_a_second_rename_remembers_both_names():
    text = "schema:\n- properties:\n  - {name: a, customProperties: [{property: unit, value: x}]}\n"
    twice = amend.rename_column(amend.rename_column(text, "a", "a", "b"), "a", "b", "c")
    assert twice.endswith('[{property: formerly, value: ["b", "a"]}, {property: unit, value: x}]}\n')
    assert 'physicalName: "c"' in twice and twice.count("physicalName") == 1


# ---- between two versions ----

ORDERS = load("silver.orders").path.read_text()


def against(text: str, now: str, name: str = "silver.orders") -> list[contract_diff.Change]:
    return contract_diff.compare(amend.read(text, name), amend.read(now, name))


LINES = "name: line_count, logicalType: integer, physicalType: bigint, required: true"


@pytest.mark.parametrize(
    ("was", "now", "column", "told", "breaks"),
    [
        ("name: line_count, ", "name: lines, ", "line_count", "is gone", True),
        ("name: line_count, ", "name: lines, ", "lines", "is new: integer, required", False),
        (LINES, LINES.replace("bigint", "int"), "line_count", "is int, was bigint", True),
        (LINES, LINES.replace(", required: true", ""), "line_count", "may be null, was required", True),
        (LINES.replace(", required: true", ""), LINES, "line_count", "is required, might be null: stricter", False),
        (LINES, LINES + ", classification: personal", "line_count", "is classified personal, was None", False),
        ("value: lines}", "value: dozens}", "line_count", "is in dozens, was in lines", True),
        ("'Order lines, returns included.'", "Lines.", None, "other words", False),
        ("value: partition}", "value: snapshot}", None, "another growth", False),
        ("required: true, primaryKey: true, primaryKeyPosition: 1", "required: true", "order_id",
         "is no longer part of the key", True),
    ],
)  # fmt: skip
def test_what_changed_and_whether_it_breaks(was, now, column, told, breaks):
    base = ORDERS.replace(now, was) if len(now) > len(was) else ORDERS
    other = base.replace(was, now)
    assert base != other
    assert (column, told, breaks) in [(c.column, c.text, c.breaks) for c in against(base, other)]
    assert contract_diff.compare(amend.read(base, "silver.orders"), amend.read(base, "silver.orders")) == []


def test_of_received_text_a_wider_meaning_breaks_who_casts_and_a_narrower_none():
    text = load("bronze.pos_lines").path.read_text()
    wider = text.replace("name: quantity, logicalType: integer", "name: quantity, logicalType: number")
    assert wider != text
    assert [c.breaks for c in against(text, wider, "bronze.pos_lines")] == [True]
    assert [c.breaks for c in against(wider, text, "bronze.pos_lines")] == [False]


def test_a_column_received_under_another_name_breaks_no_reader():
    text = load("bronze.pos_lines").path.read_text()
    (change,) = against(text, amend.rename_column(text, "quantity", "quantity", "qty"), "bronze.pos_lines")
    assert not change.breaks and change.text == "is received as qty, was as quantity: readers find it as before"


def test_readers_are_those_that_speak_of_the_column_and_what_they_make_of_it():
    found = contract_diff.readers_of("bronze.pos_lines", "coupon_match_discount")
    assert "coupon_match_amount" in found["silver.order_lines"]  # by a variable, and so not exactly: too many rather
    assert "coupon_match_amount" in found["gold.sales_daily"]
    assert "silver.members" not in found
    assert contract_diff.readers_of("bronze.pos_lines", "no_such_column") == {}
    assert "models.segments" in contract_diff.readers_of("gold.customer_features", "customer_id")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one contract; returns how to change it: (words to replace, by these)."""
    file = tmp_path / "jobs" / "silver" / "orders.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(ORDERS)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    for module in (contract_diff, contracts):
        monkeypatch.setattr(module, "JOBS", tmp_path / "jobs")
    monkeypatch.setattr(contract_diff, "CHECKOUT", tmp_path)
    monkeypatch.setattr(contract_diff, "readers_of", lambda table, column: {"gold.x": [column]})

    def change(*words: tuple[str, str]) -> Path:
        text = ORDERS
        for was, now in words:
            assert was in text
            text = text.replace(was, now)
        file.write_text(text)
        load.cache_clear()
        return file

    yield change
    load.cache_clear()


GONE = ("name: line_count, ", "name: lines, ")


@pytest.mark.parametrize(
    ("words", "code", "wanted"),
    [
        ([], 0, None),
        ([GONE], 1, "2.0.0"),
        ([GONE, ("version: 1.0.0", "version: 1.9.9")], 1, "2.0.0"),
        ([GONE, ("version: 1.0.0", "version: 2.0.0")], 0, "2.0.0"),
        ([("'Order lines, returns included.'", "Lines.")], 0, "1.0.1"),
        ([(LINES, LINES + ", classification: personal")], 0, "1.1.0"),
    ],
    ids=["nothing", "breaks", "breaks, minor", "breaks, major", "words", "adds"],
)
def test_breaking_readers_without_a_major_version_is_exit_code_1(checkout, words, code, wanted):
    checkout(*words)
    found, said = diff()
    assert (found, [d["wanted"] for d in said["diffs"]]) == (code, [wanted] if wanted else [])
    if GONE in words:
        assert said["diffs"][0]["changes"][0]["readers"] == {"gold.x": ["line_count"]}
        shown = CliRunner().invoke(cli.app, ["contract", "diff", "orders"]).stdout
        assert "✗ breaks line_count is gone" in shown and "gold.x (line_count)" in shown


def test_a_table_that_went_breaks_and_one_that_came_does_not(checkout):
    file = checkout()
    file.rename(file.with_name("customer_orders.yaml"))
    came = file.with_name("customer_orders.yaml")
    came.write_text(
        came.read_text().replace("silver.orders", "silver.customer_orders").replace(": orders", ": customer_orders")
    )
    came, gone = contract_diff.diffs(None, "HEAD")
    assert (came.table, came.breaks, [c.text for c in came.changes]) == (
        "silver.customer_orders",
        False,
        ["a new table"],
    )
    assert (gone.table, gone.breaks, gone.ok, gone.wanted) == ("silver.orders", True, True, None)
    assert "gold.sales_daily" not in gone.changes[0].readers and "gold.channel_daily" in gone.changes[0].readers


def test_a_file_and_a_revision_can_be_compared_with(checkout, tmp_path):
    checkout(GONE)
    old = tmp_path / "old.yaml"
    old.write_text(ORDERS)
    assert [d["was"] for d in diff("--against", str(old))[1]["diffs"]] == ["1.0.0"]
    assert diff("--against", "HEAD~0")[0] == 1
    with pytest.raises(contracts.ContractError, match="bad revision 'nosuch'"):
        contract_diff.diffs(None, "nosuch")


def test_the_contracts_of_this_checkout_break_nobody_without_saying_so():
    """What `make check` asks of the working tree against HEAD."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        pytest.skip("no git checkout: nothing to compare with")
    assert [d.table for d in contract_diff.diffs(None, "HEAD") if not d.ok] == []
