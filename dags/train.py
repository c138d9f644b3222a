"""Once a week: fit each model on the newest gold, and let it challenge the champion.

A model that becomes champion wakes `score`; one that stays a challenger wakes nobody.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common import DAG_SETTINGS, ZONE, wire
from jobs.kit import lineage

with DAG(
    "train",
    schedule=CronDataIntervalTimetable("0 6 * * 0", timezone=ZONE),
    description="Fit the models; the better one becomes champion",
    tags=["shoplake", "models"],
    doc_md=__doc__,
    **DAG_SETTINGS,
):
    wire(n for n in lineage.nodes() if n.startswith("models."))
