"""The words of the command line, where a table's own tests do not see them."""

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from jobs import cli
from jobs.kit import query, services


def run(monkeypatch, *words: str, refused: tuple[str, str] | None = None) -> tuple[int, list[tuple[str, str]]]:
    """The exit code of `shoplake run <words>`, and which tables it ran as of which day, in their order."""
    ran: list[tuple[str, str]] = []

    def one(name, day, full):
        ran.append((name, str(day)))
        return ran[-1] != refused

    monkeypatch.setattr(cli, "_run_one", one)
    return CliRunner().invoke(cli.app, ["run", *words]).exit_code, ran


SEVERAL = ["--as-of", "2017-06-02", "--as-of", "2017-06-01", "--as-of", "2017-06-02"]


def test_several_days_are_run_one_after_another_each_once_and_with_all_tables(monkeypatch):
    wanted = [(t, day) for day in ("2017-06-01", "2017-06-02") for t in ("silver.order_lines", "gold.sales_daily")]
    assert run(monkeypatch, "sales_daily", "order_lines", *SEVERAL) == (0, wanted)


def test_what_depends_on_a_refused_table_and_the_days_after_it_are_not_run(monkeypatch):
    refused = ("silver.order_lines", "2017-06-01")
    code, ran = run(monkeypatch, "sales_daily", "order_lines", "stores", *SEVERAL, refused=refused)
    assert code == cli.GATE_REFUSED
    assert set(ran) == {refused, ("silver.stores", "2017-06-01")}


def test_a_text_that_looks_like_markup_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr(query, "ask", lambda said: pd.DataFrame({"content": ["call [phone]"]}))
    assert "call [phone]" in CliRunner().invoke(cli.app, ["sql", "select 1"]).stdout


def test_a_table_that_is_not_there_is_one_sentence_and_no_stack(spark, lake):
    done = CliRunner().invoke(cli.app, ["sql", "SELECT * FROM gold.sales_dayly"])
    assert done.exit_code == 2 and "sales_dayly" in done.stderr
    assert not any(word in done.stderr for word in ("JVM", "Project", "Traceback", "at org."))


def test_the_latest_day_of_a_table_can_be_asked(spark, lake):
    """Delta's short way to max(date), out of its log, is an error over Connect: the engine has it switched off."""
    days = spark.sql("SELECT DATE'2025-01-01' AS day UNION ALL SELECT DATE'2025-01-02'")
    days.write.format("delta").save(str(lake / "days"))
    (row,) = spark.sql(f"SELECT min(day) AS first, max(day) AS last FROM delta.`{lake / 'days'}`").collect()
    assert (str(row["first"]), str(row["last"])) == ("2025-01-01", "2025-01-02")


def test_status_cuts_no_address_and_no_password(monkeypatch):
    address, login = "jdbc:hive2://127.0.0.1:10000/default", "bi / " + "x" * 32
    one = services.Service("engine", address, login, 1, Path("engine.log"))
    monkeypatch.setattr(services, "status", lambda _: [one])
    said = CliRunner().invoke(cli.app, ["status"]).stdout
    assert address in said and login in said
