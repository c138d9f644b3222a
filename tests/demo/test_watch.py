"""What the demo makes of the tasks that Airflow tells of."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from jobs.demo.airflow import Task
from jobs.demo.run import _Watch
from jobs.demo.show import Board


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
