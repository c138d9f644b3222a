"""Run by Airflow's own Python, not by pytest: tells what the DAG files make, or how one task ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "bronze.pos_lines"
MADE = datetime(2017, 6, 2, 3, tzinfo=UTC)


def structure() -> dict:
    """All DAGs as Airflow reads them, and what was imported on the way."""
    import airflow.sdk  # noqa: F401  (so that the time is ours, not Airflow's)
    from airflow.dag_processing.dagbag import DagBag

    began = time.process_time()
    bag = DagBag(str(ROOT / "dags"))
    seconds = time.process_time() - began
    return {
        "errors": dict(bag.import_errors),
        "seconds": seconds,
        "heavy": sorted({"pyspark", "delta", "pandas", "great_expectations", "mlflow", "deltalake"} & set(sys.modules)),
        "dags": {
            dag.dag_id: {
                "schedule": getattr(dag.timetable, "expression", None) or getattr(dag.timetable, "_expression", None),
                "woken_by": sorted(a.name for a in woken_by(dag)),
                "any": type(getattr(dag.timetable, "asset_condition", None)).__name__,
                "max_active_runs": dag.max_active_runs,
                "catchup": dag.catchup,
                "late_after": [d.interval.total_seconds() / 3600 for d in dag.deadline or ()],
                "tasks": {
                    t.task_id: {
                        "upstream": sorted(t.upstream_task_ids),
                        "outlets": [a.name for a in t.outlets],
                        "inlets": [a.name for a in t.inlets],
                        "at_once": t.max_active_tis_per_dag,
                        "retries": t.retries,
                        "words": t.words,
                        "waits_for": str(getattr(t.trigger_rule, "value", t.trigger_rule)),
                        "alerts": [f.__name__ for f in t.on_failure_callback],
                    }
                    for t in dag.tasks
                },
            }
            for dag in bag.dags.values()
        },
    }


def woken_by(dag) -> list:
    return list(getattr(getattr(dag.timetable, "asset_condition", None), "objects", []))


def task(node: str, conf: dict, events: list, later: list, environment: dict) -> dict:
    """Execute one task of `node` outside Airflow, with what a run and its asset events would say.

    `events` woke the run; `later` ones have a time after the run's, `at`, in minutes (the run began after 10), and may
    have been `taken` by a run of a DAG.
    """
    from dags import common

    os.environ.update(environment)
    for name in set(environment) ^ {"SAID", "TOLD", "CODE", "LINGER", "KILL_AFTER", *environment}:
        os.environ.pop(name, None)
    if "." not in node:
        operator = common.ShoplakeCommand(task_id=node, words=[node, "--check"], dated=True)
    else:
        operator = common.ShoplakeRun(node=node, woken_by=[SOURCE])
    asset = common.asset(node)
    outlet = SimpleNamespace(extra={})
    context = {
        "dag_run": SimpleNamespace(
            dag_id="refine",
            run_id="manual__1",
            conf=conf,
            run_type="manual",
            logical_date=None if events else datetime(2017, 6, 2, 3, tzinfo=UTC),
            run_after=MADE,
            start_date=MADE + timedelta(minutes=10),
        ),
        "params": {"as_of": None},
        "triggering_asset_events": {asset: [SimpleNamespace(extra=e) for e in events]},
        "inlet_events": {a: Events(later if a.name == SOURCE else []) for a in operator.inlets},
        "outlet_events": {asset: outlet},
    }
    if os.environ.get("KILL_AFTER"):
        threading.Timer(float(os.environ["KILL_AFTER"]), operator.on_kill).start()
    ended, error_text = "success", ""
    try:
        operator.execute(context)
    except Exception as error:
        ended, error_text = type(error).__name__, str(error)
    children = []
    with suppress(FileNotFoundError):
        children = [int(pid) for pid in Path(os.environ["STUB_PIDS"]).read_text().split()]
    return {
        "ended": ended,
        "error": error_text,
        "outlets": [a.name for a in operator.outlets],
        "extra": outlet.extra,
        "alive": still_alive(children),
        "lineage": told(operator) if ended == "success" and "." in node else None,
    }


def still_alive(pids: list[int], patience: float = 5) -> list[int]:
    """Those that did not end; on a busy machine the end that they were told of takes a moment."""
    until = time.monotonic() + patience
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def told(operator) -> dict:
    """What OpenLineage is told of a task that ended."""
    facets = operator.get_openlineage_facets_on_complete(None)
    return {
        "inputs": [d.name for d in facets.inputs],
        "outputs": [d.name for d in facets.outputs],
        "columns": [f.name for d in facets.outputs for f in d.facets["schema"].fields],
        "rows": [d.outputFacets["outputStatistics"].rowCount for d in facets.outputs],
    }


def alert(address: str) -> None:
    """Tell what a task that failed tells, to an address."""
    from dags import alerts

    os.environ["SHOPLAKE_ALERTS"] = address
    instance = SimpleNamespace(task_id="silver.orders", dag_id="refine", run_id="manual__1")
    alerts.failed({"task_instance": instance, "exception": ValueError("the gate held")})
    alerts.late(3, context={"dag_run": {"dag_id": "refine", "dag_run_id": "manual__2"}})


def orphan() -> list[int]:
    """Kill a task's process outright while its command runs; tell which of its processes are alive after that."""
    pid = os.fork()
    if pid == 0:
        from dags import common

        command = subprocess.Popen(["sleep", "60"], start_new_session=True, preexec_fn=common.die_with_parent)
        Path(os.environ["AIRFLOW_HOME"], "orphan").write_text(str(command.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    time.sleep(0.5)
    return [p for p in [int(Path(os.environ["AIRFLOW_HOME"], "orphan").read_text())] if alive(p)]


class Events(list):
    """An asset's events, asked for as Airflow lets a task ask."""

    def __init__(self, told):
        super().__init__(
            SimpleNamespace(
                timestamp=MADE + timedelta(minutes=e["at"]),
                extra={"as_of": e["as_of"]},
                created_dagruns=[SimpleNamespace(dag_id=e["taken"])] if e.get("taken") else [],
            )
            for e in told
        )

    def after(self, when):
        self[:] = [e for e in self if e.timestamp >= when]
        return self

    def before(self, when):
        self[:] = [e for e in self if e.timestamp <= when]
        return self

    def ascending(self, value):
        self.sort(key=lambda e: e.timestamp, reverse=not value)
        return self

    def limit(self, count):
        return self[:count]


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")
    return False


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, str):
            answer = {"structure": structure, "orphan": orphan}[asked]()
        else:
            answer = alert(**asked) if "address" in asked else task(**asked)
        print("ANSWER " + json.dumps(answer), flush=True)
