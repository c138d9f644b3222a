"""Erase whom `shoplake erase … --later` was told, at night, one after the other.

Nothing here says who: Airflow keeps what triggers a run, and so would keep what it is to forget. An erasure that was
cut short is finished first. `ops.erasures` has the proofs.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common import DAG_SETTINGS, ZONE, ShoplakeCommand

with DAG(
    "erase",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=ZONE),
    description="Erase the persons who wait for it, and prove it",
    tags=["shoplake", "erasure"],
    doc_md=__doc__,
    **DAG_SETTINGS,
):
    ShoplakeCommand(task_id="erase.waiting", words=["erase", "--waiting"])
