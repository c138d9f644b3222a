"""One DAG per source system, on that system's own clock: land what it dropped, load it into bronze.

The logical date is the business day that a run closes: the run of 2017-06-01 begins on the morning of the 2nd. A source
on Kafka can have a short clock instead (the setting `stream_clock`): a run drains what its topics have by then.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common import DAG_SETTINGS, ZONE, grain, schedule, wire
from jobs.kit import lineage

for source, tables in lineage.sources().items():
    with DAG(
        f"ingest_{source}",
        schedule=CronDataIntervalTimetable(schedule(source), timezone=ZONE),
        description=f"Into bronze: {grain(f'landing.{source}')}",
        tags=["shoplake", "bronze", source],
        doc_md=__doc__,
        **DAG_SETTINGS,
    ):
        wire(tables)
