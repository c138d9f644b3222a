"""The words of the command line, where a table's own tests do not see them."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
from rich.console import Console
from typer.testing import CliRunner

from jobs import cli
from jobs.demo.run import NEXT
from jobs.kit import lake as storage
from jobs.kit import lineage, query, services
from jobs.kit.contracts import load
from jobs.kit.run import Result


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
    monkeypatch.setattr(query, "ask", lambda said, limit: pd.DataFrame({"content": ["call [phone]"]}))
    assert "call [phone]" in CliRunner().invoke(cli.app, ["sql", "select 1"]).stdout


WIDE = pd.DataFrame([[1, "a [b]", None], [2, "longer " * 3, "x"]], columns=["the_first_column", "second", "third"])


def sql(monkeypatch, frame, *words, width=None):
    """What `shoplake sql` says on standard output, at a window of that width or, without one, into a pipe."""
    monkeypatch.setattr(query, "ask", lambda said, limit: frame)
    said = io.StringIO()
    monkeypatch.setattr(cli, "out", Console(file=said, width=width, force_terminal=bool(width), color_system=None))
    done = CliRunner().invoke(cli.app, ["sql", "select 1", *words])
    assert done.exit_code == 0, done.output
    return said.getvalue() + done.stdout


def test_rows_that_a_window_has_room_for_are_a_table(monkeypatch):
    assert re.search(r"the_first_column +┃ +second +┃ +third", sql(monkeypatch, WIDE, width=60))


def test_rows_wider_than_the_window_stand_one_below_the_other_and_nothing_is_cut(monkeypatch):
    told = sql(monkeypatch, WIDE, width=50)
    assert re.sub(" +", " ", told).replace(" \n", "\n") == (
        "row 1\nthe_first_column 1\nsecond a [b]\nthird None\n"
        "row 2\nthe_first_column 2\nsecond longer longer longer\nthird x\n"
    )
    assert sql(monkeypatch, WIDE[:0], width=20).split() == ["No", "rows", "of", "the_first_column,", "second,", "third"]


def test_a_pipe_has_no_window_to_fit_into(monkeypatch):
    broad = pd.DataFrame([["y" * 70, "z" * 70]], columns=["y", "z"])
    assert "y" * 70 + " │ " + "z" * 70 in sql(monkeypatch, broad)


def test_rows_can_be_had_as_csv(monkeypatch):
    told = sql(monkeypatch, pd.DataFrame({"a": [1, 2], "b": ["x, y", None]}), "--csv", width=20)
    assert told == 'a,b\n1,"x, y"\n2,\n'


def test_that_there_may_be_more_rows_is_said_apart_from_them(monkeypatch):
    monkeypatch.setattr(query, "ask", lambda said, limit: WIDE[:limit])
    done = CliRunner().invoke(cli.app, ["sql", "select 1", "--csv", "--limit", "1"])
    assert "--limit" in done.stderr and len(done.stdout.splitlines()) == 2
    assert "--limit" not in CliRunner().invoke(cli.app, ["sql", "select 1", "--limit", "3"]).stderr


def test_the_demo_recommends_a_question_whose_answer_fits_a_window(spark):
    """Its tables and columns are there; of its columns' names 80 have room for figures of ten digits."""
    asked = next(command for command, _ in NEXT if "shoplake sql" in command).split('"')[1]
    assert query.mentioned(asked) == {"gold.channel_daily"}
    storage.empty(spark, load("gold.channel_daily")).createOrReplaceTempView("channel_daily")
    columns = spark.sql(asked.replace("gold.channel_daily", "channel_daily")).columns
    assert 2 < len(columns) < 5 and sum(max(len(c), 12) + 3 for c in columns) < 80


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


PUBLISHED = Result("silver.stores", date(2025, 6, 1), "r1", "published", rows_in=3, rows_out=3, version=7)


def test_what_a_run_did_is_told_to_machines_in_json_and_to_a_person_in_words(monkeypatch, capsys):
    cli._tell("silver.stores", PUBLISHED.as_of, [PUBLISHED])
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith(cli.RESULT)]
    assert json.loads(line.removeprefix(cli.RESULT))["version"] == 7
    terminal, end = pty.openpty()
    with os.fdopen(end, "w") as screen, monkeypatch.context() as shown:
        shown.setattr(sys, "stdout", screen)
        shown.setattr(cli, "out", Console(file=screen))
        cli._tell("silver.stores", PUBLISHED.as_of, [PUBLISHED])
        screen.flush()
        said = os.read(terminal, 4096).decode()
    os.close(terminal)
    assert "published" in said and cli.RESULT not in said


def test_a_person_who_runs_a_table_is_told_of_its_readers_that_were_not_run(monkeypatch):
    versions = dict.fromkeys(lineage.nodes(), 1)
    monkeypatch.setattr(storage, "version", versions.get)

    monkeypatch.setattr(cli, "_for_a_person", lambda: True)

    def said(*words, publishes=()):
        def one(name, day, full):
            versions[name] += name in publishes
            return True

        monkeypatch.setattr(cli, "_run_one", one)
        return CliRunner().invoke(cli.app, ["run", *words, "--as-of", "2025-06-01"]).stdout.replace("\n", " ")

    assert "gold.store_360" in (told := said("silver.stores", publishes={"silver.stores"}))
    assert "shoplake run --downstream silver.stores" in told
    assert "--downstream" not in said("silver.stores")  # nothing new
    assert "--downstream" not in said("silver.stores", "--downstream", publishes={"silver.stores"})


def test_lint_finds_a_test_that_is_still_to_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(lineage, "JOBS", tmp_path / "jobs")
    test = tmp_path / "tests" / "silver" / "test_points.py"
    test.parent.mkdir(parents=True)
    test.write_text('def test_it():\n    raise AssertionError("TODO")\n')
    assert cli._todos(tmp_path / "jobs" / "silver" / "points.yaml") == ["tests/silver/test_points.py: TODO in line 2"]


COMPLETE = """
. ~/.bashrc
for typed in "qua" "quarantine " "sql --c"; do
    COMP_WORDS=(shoplake ${typed% }); [ "$typed" = "${typed% }" ] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shoplake_completion shoplake; echo "${COMPREPLY[@]}"
done
"""


def test_a_shell_completes_commands_and_options_once_it_was_told_to(tmp_path):
    program = Path(sys.executable).with_name("shoplake")
    env = {"HOME": str(tmp_path), "PATH": f"{program.parent}:/usr/bin:/bin"}
    said = {"env": env, "capture_output": True, "text": True, "check": True}
    subprocess.run(["bash", "-c", "shoplake --install-completion; true"], **said)
    asked = subprocess.run(["bash", "-c", COMPLETE], **said)
    assert asked.stdout.splitlines() == ["quality quarantine", "show replay", "--csv"], asked.stderr
