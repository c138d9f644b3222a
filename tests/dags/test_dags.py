"""The DAGs are the lineage, and nothing else; a task ends as its command says.

Airflow lives in an environment of its own, so that is asked, over a small script.
"""

import ast
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jobs.kit import lineage

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".shoplake" / "env" / "airflow" / "bin" / "python"
CARE = {
    "quality": ["quality", "--check"],
    "erase": ["erase", "--waiting"],
    "reports": ["report"],
}  # DAGs of one command
PARSE_CPU_SECONDS = 3  # on a busy machine; 0.2 on a quiet one

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="Airflow is not installed here: make install")


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    with asking(tmp_path_factory.mktemp("airflow")) as ask:
        yield ask


@contextmanager
def asking(home, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "SHOPLAKE"))}
    env |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(ROOT),
        **more,
    }
    command = [str(PYTHON), str(ROOT / "tests" / "dags" / "probe.py")]
    with (
        (home / "errors").open("w+") as errors,
        subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin and process.stdout

        def ask(question):
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith("ANSWER "):
                    return json.loads(line.removeprefix("ANSWER "))
            pytest.fail((home / "errors").read_text()[-3000:])

        yield ask
        process.stdin.close()


@pytest.fixture(scope="module")
def read(ask):
    return ask("structure")


@pytest.fixture(scope="module")
def every(read):
    return read["dags"]


@pytest.fixture(scope="module")
def dags(every):
    """The DAGs of tables and models."""
    return {name: dag for name, dag in every.items() if name not in CARE}


# --- structure --------------------------------------------------------------------------------------------------------


def test_every_file_is_read_fast_and_without_what_the_lake_needs(read):
    assert read["errors"] == {}
    assert read["heavy"] == []
    assert read["seconds"] < PARSE_CPU_SECONDS


def test_every_table_and_model_has_one_task_named_after_it(dags):
    tasks = [task for dag in dags.values() for task in dag["tasks"]]
    assert sorted(tasks) == sorted(lineage.nodes())


def test_what_dashboards_read_is_renewed_when_a_run_has_ended_whole(dags, tmp_path):
    with asking(tmp_path, SHOPLAKE_DASHBOARDS="1") as ask:
        found = ask("structure")["dags"]
    renewing = {name: dag["tasks"].pop("extract.refresh") for name, dag in found.items() if "refresh" in str(dag)}
    assert set(renewing) == {"refine", "score"} and {n: found[n]["tasks"] for n in dags} == {
        n: dag["tasks"] for n, dag in dags.items()
    }
    for name, task in renewing.items():
        inputs = {i for t in dags[name]["tasks"].values() for i in t["upstream"]}
        assert set(task["upstream"]) == set(dags[name]["tasks"]) - inputs
        assert task["waits_for"] == "none_failed" and task["words"] == ["extract", "--if-used"]


def test_edges_and_assets_are_the_lineage(dags):
    for dag in dags.values():
        for node, task in dag["tasks"].items():
            assert task["outlets"] == [node]
            assert task["upstream"] == sorted(set(lineage.inputs(node)) & set(dag["tasks"]))


def test_an_input_that_never_came_stops_only_who_needs_it(dags):
    """A skipped input would skip all below it, optional or not, by Airflow's own rule."""
    assert {task["waits_for"] for dag in dags.values() for task in dag["tasks"].values()} == {"none_failed"}


def test_there_is_an_ingest_dag_per_source_on_its_own_clock(dags):
    for source, tables in lineage.sources().items():
        dag = dags[f"ingest_{source}"]
        text = (ROOT / "jobs" / "landing" / f"{source}.py").read_text()
        assert dag["schedule"] == re.search(r'^SCHEDULE = "(.+?)"', text, re.MULTILINE)[1]
        assert set(dag["tasks"]) == set(tables)


def test_a_streamed_source_is_drained_on_the_clock_that_is_set(tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "SHOPLAKE"))}
    env |= {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env |= {"SHOPLAKE_STREAM_CLOCK": "*/10 * * * *", "SHOPLAKE_STREAMED": "app"}
    asked = "from dags.common import schedule; print([schedule('app'), schedule('pos')])"
    done = subprocess.run([PYTHON, "-c", asked], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    app, pos = ast.literal_eval(done.stdout.splitlines()[-1])
    assert app == "*/10 * * * *" != pos


def test_refine_is_woken_by_any_bronze_table_and_score_by_what_it_reads(dags):
    assert dags["refine"]["woken_by"] == [n for n in sorted(lineage.nodes()) if n.startswith("bronze.")]
    scores = [n for n in lineage.nodes() if n.startswith("scoring.")]
    assert dags["score"]["woken_by"] == sorted({i for n in scores for i in lineage.inputs(n)} - set(scores))
    assert {dags[d]["any"] for d in ("refine", "score")} <= {"AssetAny", "SerializedAssetAny", "NoneType"}
    assert dags["train"]["schedule"]


def test_a_table_that_depends_on_the_day_may_read_the_events_that_wake_its_dag(dags):
    for dag in dags.values():
        for node, task in dag["tasks"].items():
            more = set(dag["woken_by"]) & set(lineage.upstream(node)) if lineage.signature(node)[1] else set()
            assert set(task["inlets"]) == {*lineage.inputs(node), *more}, node


def test_the_other_dags_run_one_command_each_on_a_clock(every):
    for name, words in CARE.items():
        assert [t["words"] for t in every[name]["tasks"].values()] == [words]
        assert every[name]["schedule"]


def test_whatever_fails_or_is_late_is_told(every):
    assert {alert for d in every.values() for t in d["tasks"].values() for alert in t["alerts"]} == {"failed"}
    assert all(d["late_after"] == [3.0] for d in every.values())


def test_runs_follow_one_another_and_do_not_catch_up_by_themselves(every, dags):
    assert {d["max_active_runs"] for d in every.values()} == {1}
    assert not any(d["catchup"] for d in every.values())
    assert {t["at_once"] for d in dags.values() for t in d["tasks"].values()} == {1}


def test_the_dag_files_name_no_table():
    for file in (ROOT / "dags").glob("*.py"):
        words = {n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)}
        assert not words & {*lineage.nodes(), *(n.split(".")[1] for n in lineage.nodes() if "_" in n)}, file.name


# --- a task -----------------------------------------------------------------------------------------------------------

STUB = """#!/bin/sh
echo "$@" >> "$STUB_CALLS"
echo "rows in 10"
[ -n "$SAID" ] && printf 'SHOPLAKE_RESULT %s\n' "$SAID"
[ -n "$TOLD" ] && echo "$TOLD"
if [ -n "$LINGER" ]; then sleep 60 & echo "$$ $!" > "$STUB_PIDS"; wait; fi
exit "${CODE:-0}"
"""


@pytest.fixture
def run(ask, tmp_path):
    stub = tmp_path / "shoplake"
    stub.write_text(STUB)
    stub.chmod(0o755)

    def run(node, *, conf=None, events=(), later=(), **environment):
        calls = tmp_path / "calls"
        calls.write_text("")
        environment |= {"SHOPLAKE_BIN": str(stub), "STUB_CALLS": str(calls), "STUB_PIDS": str(tmp_path / "pids")}
        said = {"conf": conf or {}, "events": list(events), "later": list(later), "environment": environment}
        answer = ask({"node": node, **said})
        return {**answer, "calls": calls.read_text().splitlines()}

    return run


PUBLISHED = json.dumps({"verdict": "published", "version": 7, "as_of": "2017-06-01", "rows_out": 3})


def test_what_was_published_is_told_to_the_asset(run):
    ended = run("bronze.pos_lines", conf={"as_of": "2017-06-01"}, SAID=PUBLISHED)
    assert ended["calls"] == ["run bronze.pos_lines --as-of 2017-06-01"]
    assert ended["ended"] == "success"
    assert ended["outlets"] == ["bronze.pos_lines"]
    assert ended["extra"] == {"as_of": ["2017-06-01"], "version": 7}


def test_nothing_new_succeeds_and_wakes_nobody(run):
    ended = run("bronze.pos_lines", SAID=json.dumps({"verdict": "nothing new", "rows_out": 0}))
    assert (ended["ended"], ended["outlets"]) == ("success", [])


def test_a_model_that_did_not_become_champion_wakes_nobody(run):
    model = next(n for n in lineage.nodes() if n.startswith("models."))
    assert run(model, SAID=json.dumps({"verdict": "challenger", "rows_out": 0}))["outlets"] == []
    assert run(model, SAID=json.dumps({"verdict": "promoted", "rows_out": 0}))["outlets"] == [model]


def test_a_gate_that_holds_fails_without_retry(run):
    held = run("silver.orders", CODE="3", TOLD="12 rows broke the rule order_is_whole")
    assert held["ended"] == "AirflowFailException"
    assert "the last good version stays" in held["error"] and "order_is_whole" in held["error"], "alerts say this"


def test_an_input_that_was_never_delivered_is_waited_for(run):
    assert run("silver.orders", CODE="4")["ended"] == "AirflowSkipException"


@pytest.mark.parametrize("code", ["1", "2", "137"])
def test_anything_else_is_an_error_that_is_tried_again(run, code):
    assert run("silver.orders", CODE=code)["ended"] == "AirflowException"


DEPENDS, SAME = "gold.customer_features", "silver.orders"  # on the day; whatever the day


def test_several_waiting_days_are_run_where_the_result_depends_on_the_day(run):
    events = [{"as_of": ["2017-06-02"]}, {"as_of": ["2017-06-01"]}]
    assert run(SAME, events=events)["calls"] == [f"run {SAME} --as-of 2017-06-02"]
    assert run(DEPENDS, events=events)["calls"] == [f"run {DEPENDS} --as-of 2017-06-01 --as-of 2017-06-02"]


def test_days_that_came_while_the_run_waited_are_run_too(run):
    later = [
        {"as_of": ["2017-06-03"], "at": 9},
        {"as_of": ["2017-06-04"], "at": 11},  # after the run had begun: it wakes the next one
        {"as_of": ["2017-05-01"], "at": 9, "taken": "refine"},  # the run is an old one, cleared: a later one took it
        {"as_of": ["2017-06-05"], "at": 9, "taken": "another"},
    ]
    woken = {"events": [{"as_of": ["2017-06-01"]}], "later": later}
    (call,) = run(DEPENDS, **woken)["calls"]
    assert re.findall(r"--as-of (\S+)", call) == ["2017-06-01", "2017-06-03", "2017-06-05"]
    assert run(SAME, **woken)["calls"] == [f"run {SAME} --as-of 2017-06-01"]
    assert run(DEPENDS, later=later, conf={"as_of": "2017-06-01"})["calls"] == [f"run {DEPENDS} --as-of 2017-06-01"]


def test_each_day_that_was_published_is_told_to_the_asset(run):
    verdicts = {"2017-06-01": "published", "2017-06-02": "nothing new", "2017-06-03": "published"}
    said = [{"verdict": verdict, "as_of": day, "rows_out": 2} for day, verdict in verdicts.items()]
    ended = run(DEPENDS, events=said, SAID="\nSHOPLAKE_RESULT ".join(map(json.dumps, said)))
    assert ended["extra"]["as_of"] == ["2017-06-01", "2017-06-03"]


def test_a_command_that_is_no_table_gets_the_day_of_its_run(run):
    assert run("quality")["calls"] == ["quality --check --as-of 2017-06-01"]
    assert run("quality", conf={"as_of": "2017-05-05"})["calls"] == ["quality --check --as-of 2017-05-05"]
    assert run("quality", CODE="3")["ended"] == "AirflowFailException"


def test_openlineage_is_told_what_was_read_and_written(run):
    told = run(SAME, SAID=PUBLISHED)["lineage"]
    assert told["inputs"] == list(lineage.inputs(SAME))
    assert (told["outputs"], told["rows"]) == ([SAME], [3])
    assert told["columns"][0] == "order_id"
    nothing = run("bronze.pos_lines", SAID=json.dumps({"verdict": "nothing new", "rows_out": 0}))["lineage"]
    assert (nothing["inputs"], nothing["outputs"]) == (["sources.pos"], [])


def test_an_alert_reaches_whoever_listens_and_an_address_that_is_none_fails_nothing(ask):
    heard = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ask({"address": f"json://127.0.0.1:{server.server_address[1]} nobody://knows"})
        server.shutdown()
    assert [h["title"] for h in heard] == ["Shoplake: silver.orders failed", "Shoplake: a run is late"]
    assert "the gate held" in heard[0]["message"] and "manual__2" in heard[1]["message"]


def test_a_killed_task_leaves_no_process_behind(run):
    ended = run("silver.orders", LINGER="1", KILL_AFTER="2")
    assert ended["ended"] == "AirflowException"
    assert ended["alive"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_command_does_not_outlive_a_task_that_was_killed_outright(ask):
    assert ask("orphan") == []
