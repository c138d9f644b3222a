"""Quality: fail, and so alert, if a table's score is too low or a source is later than its contract promises."""

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common import DAG_SETTINGS, ZONE, ShoplakeCommand

with DAG(
    "quality",
    schedule=CronDataIntervalTimetable("0 9 * * *", timezone=ZONE),
    description="Scores that are too low, sources that are late",
    tags=["shoplake", "quality"],
    doc_md=__doc__,
    **DAG_SETTINGS,
):
    ShoplakeCommand(task_id="quality.check", words=["quality", "--check"], dated=True, retries=0)
