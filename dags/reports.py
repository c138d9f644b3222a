"""Reports: write those of all stores, categories, campaigns and shops, each Monday, for the week that is over."""

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common import DAG_SETTINGS, ZONE, ShoplakeCommand

with DAG(
    "reports",
    schedule=CronDataIntervalTimetable("0 7 * * 1", timezone=ZONE),
    description="Pages and workbooks for those who open no dashboard",
    tags=["shoplake", "reports"],
    doc_md=__doc__,
    **DAG_SETTINGS,
):
    ShoplakeCommand(task_id="reports.write", words=["report"], dated=True)
