"""A bad day from its arrival to its repair: what the gate held is shown with its origin, and leaves with the repair."""

from datetime import date

from typer.testing import CliRunner

from jobs import cli
from jobs.demo import complete_journey
from jobs.kit import bronze, gate, quarantine
from jobs.kit import lake as storage
from jobs.kit.run import Result, record, run
from tests.kit.test_increments import content

CUT = complete_journey.Cut(every=200, last=date(2017, 1, 8), stores=1, only_sold=True)
TABLE = "silver.order_lines"


def test_a_bad_day_is_held_shown_and_forgotten_after_its_repair(lake):
    complete_journey.write(lake / "drop", CUT)
    assert all(r.ok for r in bring_up_to_date())
    good = storage.version(TABLE)

    bad = complete_journey.break_day(lake / "drop", CUT)
    (held,) = bring_up_to_date()
    assert held.verdict == "refused" and held.rows_out == 0
    assert storage.version(TABLE) == good, "nothing of a refused candidate is published"
    total, rows = quarantine.show(TABLE, 10_000)
    assert total == held.rules["be_between(quantity)"] > 0
    lines = bad.read_text().splitlines()
    quantity = lines[0].split(",").index("quantity")
    for row in rows:
        assert row["source_file"] == bad.name
        assert int(lines[row["row_number"]].split(",")[quantity]) < 0, "the row number finds the line in its file"
    page = CliRunner().invoke(cli.app, ["quarantine", "show", TABLE, "--limit", "1"]).output
    assert f"{bad.name}:{rows[0]['row_number']}" in page and "be_between(quantity)" in page

    complete_journey.repair_day(lake / "drop", CUT)
    (mended,) = bring_up_to_date()
    assert mended.verdict == "published"
    assert quarantine.show(TABLE, 1) == (0, []) and quarantine.summary() == []


def test_a_bad_file_is_refused_alone_whatever_comes_with_it(lakes, tmp_path):
    found = []
    for name, days in {"at once": [CUT.last], "day by day": [CUT.last.replace(day=d) for d in range(1, 9)]}.items():
        with lakes(tmp_path / name) as folder:
            complete_journey.write(folder / "drop", CUT)
            path = folder / "drop/pos/pos_lines/pos_lines_2017-01-04.csv"
            path.write_text(path.read_text().replace(",sale,", ",sold,", 1))
            for day in days:
                run("bronze.pos_lines", day)
            (refused,) = bronze.refused_files("bronze.pos_lines")
            found.append((refused["name"], refused["rule"], refused["detail"], content("bronze.pos_lines")))
    (name, rule, detail, rows), day_by_day = found
    assert (name, rule, detail, rows) == day_by_day, "a share over all files would have let it in among good ones"
    assert (name, rule) == ("pos_lines_2017-01-04.csv", "file:too_many_refused_rows")
    assert detail.startswith("be_in_set(line_type): 1 of ")
    assert len(rows) > 100, "with 1 % allowed, one line of all would have passed"


def test_a_file_refused_with_all_that_came_is_shown_though_the_gate_wants_rows(lake, monkeypatch):
    complete_journey.write(lake / "drop", CUT)
    for path in sorted((lake / "drop/pos/pos_lines").iterdir())[1:]:
        path.unlink()
    (path,) = (lake / "drop/pos/pos_lines").iterdir()
    path.write_text(path.read_text().replace(",sale,", ",sold,", 1))
    wanted = gate.Check("expect_table_row_count_to_be_between", {"min_value": 1}, "critical", "a table without rows")
    checks = gate.checks
    monkeypatch.setattr(gate, "checks", lambda contract: [*checks(contract), wanted])
    (result,) = run("bronze.pos_lines", CUT.last)
    assert (result.verdict, set(result.rules)) == ("refused", {"file:too_many_refused_rows"})
    assert "be_in_set(line_type): 1 of" in result.note
    page = CliRunner().invoke(cli.app, ["quarantine", "show", "bronze.pos_lines"]).output
    assert path.name in page and "be_in_set(line_type): 1 of" in page


def bring_up_to_date() -> list:
    """The results of order_lines; bronze only has to be there."""
    run("bronze.pos_lines", CUT.last)
    return run(TABLE, CUT.last)


def test_a_table_that_a_rule_over_all_rows_held_is_not_called_well(lake):
    record([Result("silver.orders", date(2025, 6, 1), "r1", "refused", rules={"row_count": 1})])
    said = CliRunner().invoke(cli.app, ["quarantine", "show", "silver.orders"]).stdout
    assert "as a whole: row_count" in said and "shoplake docs" in said
    record([Result("silver.orders", date(2025, 6, 1), "r2", "published")])
    assert "Nothing of silver.orders" in CliRunner().invoke(cli.app, ["quarantine", "show", "silver.orders"]).stdout
