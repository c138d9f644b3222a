"""Alerts: a task failed, a gate held, a run is late. They are told to whatever `SHOPLAKE_ALERTS` names.

That is one or more addresses of Apprise (mailto://, slack://, dingtalk://, feishu://, wecombot://, json:// …), which
knows how each service wants to be told. Without an address the log alone has them; Airflow's page shows the red task.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Context, DeadlineAlert, DeadlineReference, SyncCallback

log = logging.getLogger(__name__)


def tell(title: str, text: str) -> None:
    """Say it in the log and to every address. An address that cannot be reached fails nothing but itself."""
    log.error("%s. %s", title, text)
    addresses = os.environ.get("SHOPLAKE_ALERTS", "").split()
    if addresses:
        import apprise

        bell = apprise.Apprise()
        for n, address in enumerate(addresses, 1):  # an address has keys: it is never written
            if not bell.add(address):
                log.error("Address %d of SHOPLAKE_ALERTS is none that Apprise knows.", n)
        if len(bell) and not bell.notify(title=title, body=text):
            log.error("Not every address of SHOPLAKE_ALERTS took the alert.")


def failed(context: Context) -> None:
    """Tell of a task that failed for good: a gate that held, or retries used up."""
    instance, error = context["task_instance"], context.get("exception")
    tell(f"Shoplake: {instance.task_id} failed", f"{error} (DAG {instance.dag_id}, run {instance.run_id})")


def late(hours: float, context: dict[str, Any] | None = None) -> None:
    """Tell of a run that has not ended in time."""
    run = (context or {}).get("dag_run") or {}
    told = f"{run.get('dag_id', 'A DAG')}, run {run.get('dag_run_id', run.get('run_id', 'unknown'))}"
    tell("Shoplake: a run is late", f"{told}, has not ended {hours:g} hours after it was queued.")


def deadline() -> DeadlineAlert:
    """A run is late `SHOPLAKE_DEADLINE_HOURS` after it was queued, whatever day it is about: backfills are not late."""
    hours = float(os.environ.get("SHOPLAKE_DEADLINE_HOURS", "3"))
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=SyncCallback(f"{__name__}.late", kwargs={"hours": hours}),
        name=f"{hours:g} hours",
    )
