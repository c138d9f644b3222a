"""The notebooks: kept without outputs, numbered, and (slow) run from top to bottom on the demo's lake."""

import re
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest

from jobs.kit.settings import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))


def test_they_are_numbered_without_a_gap():
    assert [int(p.name[:2]) for p in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1)) and len(NOTEBOOKS) >= 8


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_short_asks_a_question_and_keeps_no_output(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert notebook.cells[0].cell_type == "markdown"
    assert re.match(rf"# {int(path.name[:2])}\. ", notebook.cells[0].source), "a title with its number"
    assert all(not c.outputs and c.execution_count is None for c in code), "outputs may hold what people must not see"
    assert sum(len(c.source.splitlines()) for c in code) <= 120
    assert any("from jobs.notebook import" in c.source for c in code)
    assert any("plot" in c.source or "imshow" in c.source for c in code)


def test_only_a_long_query_shows_how_far_it_is_and_none_writes_to_standard_error(spark, monkeypatch, capsys):
    from jobs import notebook

    shown = []
    monkeypatch.setattr(notebook, "get_ipython", lambda: SimpleNamespace(kernel=True))
    handle = SimpleNamespace(update=lambda line: shown.append(line.data))
    monkeypatch.setattr(notebook, "display", lambda line, display_id: (shown.append(line.data), handle)[1])
    stages = [SimpleNamespace(num_tasks=4, num_completed_tasks=3)]
    for patience, wanted in ((60, []), (0, ["3 of 4 tasks, 1 running"] * 2)):
        monkeypatch.setattr(notebook, "PATIENCE_SECONDS", patience)
        for done in (False, False, True):
            notebook._tell(stages, 1, "a query", done)
        assert [re.sub("<.*?>", "", line) for line in shown if line] == wanted
    assert shown[-1] == "" and not notebook._begun and not notebook._shown
    monkeypatch.setattr(notebook, "get_ipython", lambda: None)  # a plain Python
    notebook._tell(stages, 1, "a query", False)
    assert len(shown) == 3 and capsys.readouterr() == ("", "")
    notebook._tell(stages, 1, "a query", True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, demo_lake, tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", str(path)]
    done = subprocess.run(
        [*command, "--output-dir", str(tmp_path)], env=demo_lake, cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ran = nbformat.read(tmp_path / path.name, as_version=4)
    outputs = [o for c in ran.cells if c.cell_type == "code" for o in c.outputs]
    assert any("image/png" in o.get("data", {}) for o in outputs), "no plot was drawn"
