"""What the demo asks of Airflow over its public REST API: trigger, watch, read a log. Standard library only."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ACTIVE = ("queued", "running")
ATTEMPTS = 8
NEVER = datetime.max.replace(tzinfo=UTC)


class AirflowError(Exception):
    """Airflow does not answer, or cannot read a DAG file: one sentence."""


@dataclass(frozen=True)
class Task:
    """One task of one DAG run, as Airflow sees it now."""

    dag: str
    run: str
    node: str
    state: str | None  # none yet, queued, running, success, failed, up_for_retry, upstream_failed, skipped …
    attempt: int
    started: datetime | None
    ended: datetime | None


class Airflow:
    """A log-in to one Airflow."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self._headers = {"Content-Type": "application/json"}
        token = self._ask("POST", "/auth/token", {"username": user, "password": password})["access_token"]
        self._headers["Authorization"] = f"Bearer {token}"

    def wait_for(self, dags: Iterable[str], seconds: float = 120) -> None:
        """Wait until the DAG files were read; AirflowError with Airflow's own words if one has an error."""
        missing, until = set(dags), time.monotonic() + seconds
        while time.monotonic() < until:
            for error in self._get("/importErrors", limit=1)["import_errors"]:
                raise AirflowError(f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}")
            missing -= {d["dag_id"] for d in self._get("/dags", limit=100)["dags"]}
            if not missing:
                return
            time.sleep(0.5)
        raise AirflowError(f"Airflow has not read {', '.join(sorted(missing))} after {seconds:.0f} s.")

    def is_healthy(self) -> bool:
        """Whether its scheduler still moves: its process may be alive and stuck."""
        return bool(self._get("/monitor/health")["scheduler"]["status"] == "healthy")

    def start(self, dag: str, **conf: str) -> str:
        """Trigger a run, and let the DAG run; returns the run's id."""
        body = {"logical_date": None, "conf": conf, "note": "started by shoplake demo"}
        run = self._ask("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"]
        self.unpause(dag)
        return str(run)

    def unpause(self, dag: str) -> None:
        """Let a DAG run: on its timer, by its assets, when triggered."""
        self._ask("PATCH", f"/api/v2/dags/{dag}?update_mask=is_paused", {"is_paused": False})

    def is_busy(self, dags: Iterable[str]) -> bool:
        """Whether a run is on or about to be: an event that waits for one of these DAGs counts."""
        if self._get("/dags/~/dagRuns", limit=1, state=ACTIVE)["dag_runs"]:
            return True
        return any(self._waiting_events(dag) for dag in dags)

    def _waiting_events(self, dag: str) -> bool:
        try:
            return bool(self._get(f"/dags/{dag}/assets/queuedEvents")["total_entries"])
        except urllib.error.HTTPError as error:
            if error.code == 404:  # Airflow's way of saying: none
                return False
            raise

    def last_run_succeeded(self, dag: str) -> bool:
        """Whether the last run of a DAG that came to an end did all that it had to."""
        ended = {"state": ("success", "failed"), "order_by": "-run_after", "limit": 1}
        for run in self._get(f"/dags/{dag}/dagRuns", **ended)["dag_runs"]:
            tasks = self.tasks(dag, run["dag_run_id"])
            return run["state"] == "success" and all(t.state in ("success", "skipped") for t in tasks)
        return False

    def tasks(self, dag: str = "~", run: str = "~", **where: Any) -> list[Task]:
        """Tasks of a run, or of all runs, in the order in which they began."""
        path = f"/dags/{dag}/dagRuns/{urllib.parse.quote(run)}/taskInstances"
        found = [
            Task(
                t["dag_id"], t["dag_run_id"], t["task_id"], t["state"], t["try_number"],
                _time(t["start_date"]), _time(t["end_date"]),
            )
            for t in self._get(path, limit=100, **where)["task_instances"]
        ]  # fmt: skip
        return sorted(found, key=lambda t: t.started or NEVER)

    def log(self, task: Task, lines: int = 12) -> list[str]:
        """The last lines of a task's log that the task itself wrote."""
        path = f"/dags/{task.dag}/dagRuns/{urllib.parse.quote(task.run)}/taskInstances/{task.node}/logs/{task.attempt}"
        events = self._get(path, full_content="true")["content"]
        said = [e["event"] for e in events if isinstance(e, dict) and "ShoplakeRun" in str(e.get("logger"))]
        return said[-lines:]

    def page(self, task: Task) -> str:
        """The address of a task's page."""
        return f"{self.address}/dags/{task.dag}/runs/{urllib.parse.quote(task.run)}/tasks/{task.node}"

    def _get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", f"/api/v2{path}?{urllib.parse.urlencode(query, doseq=True)}")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, self._headers, method=method)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == ATTEMPTS or method == "POST":
                    raise
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if attempt == ATTEMPTS or method == "POST":
                    raise AirflowError(f"Airflow does not answer at {self.address} ({error}).") from error
            time.sleep(attempt / 2)
        raise AssertionError


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
