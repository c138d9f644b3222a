"""What the DAG files share: one task per table or model, whose command is `shoplake run <name> --as-of <date>`.

Nothing here knows a table: names, order and assets come from the signatures through `jobs.kit.lineage`, which reads
them as text. The tasks run in the lake's own environment and get nothing but a name and a date.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import Asset, BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from dags import alerts, as_of
from jobs.kit import lineage

CHECKOUT = Path(__file__).resolve().parents[1]
ZONE = pendulum.timezone(os.environ.get("SHOPLAKE_TIMEZONE", "America/New_York"))
RESULT = "SHOPLAKE_RESULT "  # `shoplake run` says last, after this word and in JSON, what it did
NEWS = ("published", "promoted")  # verdicts after which readers see something else than before
HELD, WAITING = 3, 4  # exit codes: the gate published nothing · an input was never delivered
GRACE_SECONDS = 10

DAG_SETTINGS: dict[str, Any] = {
    # Timers do not fire for earlier days (a backfill may): a lake of old data must not begin with a run of yesterday.
    "start_date": pendulum.parse(os.environ.get("SHOPLAKE_TIMERS_FROM", "2000-01-01"), tz=ZONE),
    "catchup": False,
    "max_active_runs": 1,  # news that comes while a run is on waits, and wakes one run for all of it
    "params": {"as_of": Param(None, type=["null", "string"], format="date", description="Business day, inclusive")},
    "default_args": {
        "owner": "shoplake",
        "retries": 2,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": True,
        "on_failure_callback": alerts.failed,
    },
    "deadline": alerts.deadline(),
}


def asset(node: str) -> Asset:
    """The asset of a table or model; it has the table's name."""
    return Asset(name=node, uri=f"shoplake://{node}", group=layer_of(node))


def layer_of(node: str) -> str:
    """`silver` of `silver.orders`."""
    return node.partition(".")[0]


def grain(node: str) -> str:
    """The first line of a module: of a table its grain, of a source what it sends."""
    module = lineage.JOBS / Path(*node.split(".")).with_suffix(".py")
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) if module.is_file() else None
    return (text or "").partition("\n")[0]


def schedule(source: str) -> str:
    """The cron line of a source system: SCHEDULE in jobs/landing/<source>.py, read as text.

    A stream has no file of a day to wait for: there is a setting for how often it is drained.
    """
    if (clock := os.environ.get("SHOPLAKE_STREAM_CLOCK")) and source in os.environ["SHOPLAKE_STREAMED"].split():
        return clock
    module = lineage.JOBS / "landing" / f"{source}.py"
    for item in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "SCHEDULE" for t in item.targets):
            return str(ast.literal_eval(item.value))
    raise ValueError(f"{module} has no SCHEDULE")


class ShoplakeCommand(BaseOperator):
    """Run one `shoplake` command in the lake's environment, its lines passed on to the task's log.

    `dated`: it gets `--as-of` with the day of the run. A finding (exit code 3: a gate held, a score is too low) fails
    the task at once, because a retry would find the same; an input that was never delivered skips it; anything else is
    tried again.
    """

    ui_color = "#e8f1fa"
    held = "something was found."

    def __init__(self, *, words: Iterable[str] = (), dated: bool = False, **kwargs: Any) -> None:
        super().__init__(do_xcom_push=False, **kwargs)
        self.words, self.dated = list(words), dated

    def execute(self, context: Context) -> None:
        """Run the command."""
        day = self.choose(context)[-1].isoformat()
        self.shoplake([*self.words, *(["--as-of", day] if self.dated else [])], context)

    def choose(self, context: Context, **events: Any) -> list[date]:
        """The business days of this run, by the rule of `dags.as_of`."""
        run = context["dag_run"]
        return as_of.choose(
            typed=(run.conf or {}).get("as_of") or context["params"].get("as_of"),
            logical=run.logical_date,
            backfill=run.run_type == "backfill",
            run_after=run.run_after,
            zone=ZONE,
            **({"woken_by": (), "newest": ()} | events),
        )

    def shoplake(self, words: Iterable[str], context: Context) -> list[dict[str, Any]]:
        """Run `shoplake <words>` and return what it said of itself, day by day, if it is one that does."""
        shoplake = os.environ.get("SHOPLAKE_BIN") or str(CHECKOUT / ".shoplake" / "env" / "lake" / "bin" / "shoplake")
        command, run = [shoplake, *words], context["dag_run"]
        self.log.info("%s", " ".join(command))
        results: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=own_environment() | {"SHOPLAKE_RUN_BY": f"airflow {run.dag_id} {run.run_id}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that on_kill reaches its children too
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
        assert self.process.stdout
        said: deque[str] = deque(maxlen=5)  # what an alert should say, for who has no log before them
        for line in self.process.stdout:
            if line.startswith(RESULT):
                results.append(json.loads(line.removeprefix(RESULT)))
            else:
                self.log.info("%s", line.rstrip())
                said.append(line.strip())
        code = self.process.wait()
        last = "".join(f"\n  {line}" for line in said if line)
        if code == HELD:
            raise AirflowFailException(f"{self.task_id}: {self.held}{last}")
        if code == WAITING:
            raise AirflowSkipException(f"{self.task_id} waits for an input that was never delivered. See above.")
        if code:
            raise AirflowException(f"shoplake {' '.join(words)} ended with exit code {code}:{last}")
        return results

    def on_kill(self) -> None:
        """Stop the command and whatever it started: politely, then for certain."""
        process = getattr(self, "process", None)
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


class ShoplakeRun(ShoplakeCommand):
    """Build one table, or fit one model, for the business day (or days) that the run is about.

    The task succeeds if the table is now what it should be; its asset gets an event only if something was published,
    so that a run with nothing new wakes nobody. Each table runs once at a time, over all DAG runs.
    """

    held = "the gate held; the last good version stays."

    def __init__(self, *, node: str, woken_by: Iterable[str] = (), **kwargs: Any) -> None:
        self.per_day = lineage.signature(node)[1] or node.startswith("bronze.")
        made_of = set(lineage.upstream(node)) if self.per_day else ()
        self.woken_by = [asset(n) for n in woken_by if n in made_of]
        inputs = [asset(n) for n in lineage.inputs(node)]
        super().__init__(
            task_id=node,
            outlets=[asset(node)],
            inlets=[*inputs, *(a for a in self.woken_by if a not in inputs)],  # a task may read its inlets' events
            doc_md=grain(node),
            max_active_tis_per_dag=1,
            # What is nearer to the sources goes first: a run that one arrival has woken then finds the others there.
            weight_rule="absolute",
            # An input that was never delivered may be an optional one: whether it is wanted, the run itself finds out.
            trigger_rule="none_failed",
            priority_weight=len(lineage.LAYERS) - lineage.LAYERS.index(layer_of(node)),
            **kwargs,
        )
        self.node = node

    def execute(self, context: Context) -> None:
        """Run the command for each day that the result depends on, and tell the asset what was published."""
        days = self.days(context)
        if not self.per_day:
            days = days[-1:]  # the same whatever the day: once is enough
        as_ofs = (word for day in days for word in ("--as-of", day.isoformat()))
        self.results = self.shoplake(["run", self.node, *as_ofs], context)
        published = [r for r in self.results if r["verdict"] in NEWS]
        if published:
            outlet = context["outlet_events"][asset(self.node)]
            outlet.extra = {"as_of": [r["as_of"] for r in published], "version": published[-1].get("version")}
        else:
            self.outlets = []  # Airflow gives every outlet of a task that succeeds an event

    def get_openlineage_facets_on_complete(self, _instance: Any) -> Any:
        """What the run read and wrote, for OpenLineage; Airflow asks only if `SHOPLAKE_OPENLINEAGE` says where to."""
        from airflow.providers.common.compat.openlineage.facet import Dataset, OutputDataset
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics
        from openlineage.client.facet_v2 import schema_dataset as schema

        columns = [schema.SchemaDatasetFacetFields(*field) for field in lineage.columns(self.node)]
        rows = sum(r["rows_out"] for r in self.results)
        written = OutputDataset(
            namespace="shoplake",
            name=self.node,
            facets={"schema": schema.SchemaDatasetFacet(fields=columns)},
            outputFacets={"outputStatistics": statistics.OutputStatisticsOutputDatasetFacet(rowCount=rows)},
        )
        made_of = [*lineage.inputs(self.node)] or [f"sources.{lineage.source(self.node)}"]
        return OperatorLineage(
            inputs=[Dataset(namespace="shoplake", name=n) for n in made_of],
            outputs=[written] if any(r["verdict"] in NEWS for r in self.results) else [],
        )

    def days(self, context: Context) -> list[date]:
        """The business days of this run: those of the events that woke it, if events did."""
        woken_by = [e.extra for events in context["triggering_asset_events"].values() for e in events]
        if woken_by:
            woken_by += [e.extra for e in self.left_over(context)]
        newest = (e.extra for inlet in self.inlets for e in context["inlet_events"][inlet].ascending(False).limit(1))
        return self.choose(context, woken_by=woken_by, newest=newest)

    def left_over(self, context: Context) -> Iterator[Any]:
        """Events of what the table is made of, that came while this run waited and that Airflow gave to no run.

        Airflow keeps one note for all events of a waiting DAG, dated by the first; the run made from it at last takes
        events up to that date only. The later ones get a run if yet another event comes, and the last ones never do.
        All tasks of a run find the same, because none of these can be given away before the run has ended.
        """
        run = context["dag_run"]
        for source in self.woken_by:
            for event in context["inlet_events"][source].after(run.run_after).before(run.start_date):
                if not any(taker.dag_id == run.dag_id for taker in event.created_dagruns):
                    yield event


def own_environment() -> dict[str, str]:
    """The environment without Airflow's settings and path: the lake's Python finds its own packages."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "_AIRFLOW")) and k != "PYTHONPATH"}


def die_with_parent() -> None:
    """Have Linux end this process if the task's process is killed outright: else the retry would meet its ghost."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def wire(nodes: Iterable[str], woken_by: Iterable[str] = ()) -> dict[str, ShoplakeRun]:
    """Make the tasks of these nodes in the current DAG, in the order that the lineage asks for.

    `woken_by`: the tables and models whose events start the DAG. No groups: Airflow's grid and graph show them folded,
    and one wants to see the tables.
    """
    wanted = set(nodes)
    tasks = {node: ShoplakeRun(node=node, woken_by=woken_by) for node in lineage.order() if node in wanted}
    for node, task in tasks.items():
        task.set_upstream([tasks[n] for n in lineage.inputs(node) if n in tasks])
    if os.environ.get("SHOPLAKE_DASHBOARDS") and any(layer_of(n) in ("gold", "scoring") for n in tasks):
        # What dashboards read is of runs that ended whole: if a gate held, they go on showing the run before.
        words = ["extract", "--if-used"]
        refresh = ShoplakeCommand(task_id="extract.refresh", words=words, trigger_rule="none_failed")
        refresh.set_upstream([task for task in tasks.values() if not task.downstream_task_ids])
    return tasks
