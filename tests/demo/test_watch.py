"""What the demo asks of Airflow, makes of the tasks that it tells of, and says of the way to its commands."""

import io
import subprocess
from datetime import UTC, datetime

import pytest
from rich.console import Console

from jobs.demo import show
from jobs.demo.airflow import Task
from jobs.demo.datasets import DATASETS
from jobs.demo.run import Flow, _Watch
from jobs.demo.show import Board
from jobs.kit import bronze, lake
from jobs.kit.settings import Settings


class Told:
    """An Airflow that tells of these tasks."""

    def __init__(self, *tasks):
        self._tasks = [Task("refine", "r", node, state, 1, None, None) for node, state in tasks]

    def tasks(self, **_):
        return self._tasks


@pytest.mark.parametrize("state", [None, "queued", "running", "success", "failed", "upstream_failed"])
def test_a_task_of_no_table_is_watched_and_has_no_line(state):
    board = Board(Console(file=io.StringIO()))
    watch = _Watch(Told(("gold.sales_daily", "running"), ("extract.refresh", state)), board, datetime.now(UTC))
    watch._look()
    assert "extract.refresh" not in board.lines
    assert board.lines["gold.sales_daily"].verdict == "running"
    assert set(watch.failed) == ({"extract.refresh"} if state == "failed" else set())


class Quiet(Told):
    """An Airflow in which nothing happens; what it was asked for."""

    def __init__(self):
        super().__init__()
        self.started, self.running = [], set()

    def start(self, dag, **conf):
        self.started.append((dag, conf))
        self.running.add(dag)

    def unpause(self, dag):
        self.running.add(dag)

    def is_busy(self, _):
        return False

    def last_run_succeeded(self, _):
        return True


def test_only_sources_that_may_have_news_are_run_and_the_others_stay_on_their_timers(monkeypatch, tmp_path):
    conf = Settings(home=tmp_path)
    (conf.drop / "pos" / "pos_lines").mkdir(parents=True)
    (conf.drop / "erp" / "products").mkdir(parents=True)
    monkeypatch.setattr(bronze, "is_due", lambda contract, as_of: contract.source == "pos")
    monkeypatch.setattr("jobs.demo.run._ops_runs", lambda since=None: [])
    board = Board(Console(file=io.StringIO()))
    flow = Flow(conf, board, DATASETS["retailer"], use_airflow=True)
    flow.airflow = airflow = Quiet()
    assert flow.good_run()
    assert airflow.started == [("ingest_pos", {"as_of": "2025-12-31"})]
    assert {dag for dag in airflow.running if "ingest" in dag} == {"ingest_pos", "ingest_erp"}
    assert {line.verdict for line in board.lines.values()} == {"nothing new"}


def test_before_a_first_run_its_length_is_told_and_before_others_not(monkeypatch, tmp_path):
    told = io.StringIO()
    flow = Flow(Settings(home=tmp_path), Board(Console(file=told, width=200)), DATASETS["retailer"], use_airflow=True)
    for version, wanted in ((None, "8 to 15 minutes"), (3, "")):
        monkeypatch.setattr(lake, "version", lambda table, version=version: version)
        told.truncate(told.seek(0))
        flow._say_how_long()
        assert wanted in told.getvalue() and bool(told.getvalue()) is bool(wanted)


def test_the_way_to_its_commands_is_told_where_a_terminal_does_not_know_it(monkeypatch, tmp_path):
    monkeypatch.setattr(show, "BIN", tmp_path / "env" / "bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    ((line, _),) = show.path_first()
    assert line == 'export PATH="$PWD/env/bin:$PATH"'
    assert show.command("shoplake status") == "env/bin/shoplake status"
    show.BIN.mkdir(parents=True)
    program = show.BIN / "shoplake"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert subprocess.run(f"{line}; shoplake", shell=True, capture_output=True, text=True).stdout == "found\n"
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    assert show.path_first()[0][0] == f'export PATH="{show.BIN}:$PATH"'
    monkeypatch.setenv("PATH", f"{show.BIN}:/usr/bin")
    assert show.path_first() == [] and show.command("shoplake status") == "shoplake status"
