"""Silver and gold: a task per table, in the order of the lineage, woken by whatever arrives in bronze.

News that comes while a run is on waits and wakes the next one, for all rows and days at once.
"""

from airflow.sdk import DAG, AssetAny

from dags.common import DAG_SETTINGS, asset, wire
from jobs.kit import lineage

bronze = [n for n in lineage.nodes() if n.startswith("bronze.")]

with DAG(
    "refine",
    schedule=AssetAny(*map(asset, bronze)),
    description="Silver and gold, from what arrived in bronze",
    tags=["shoplake", "silver", "gold"],
    doc_md=__doc__,
    **DAG_SETTINGS,
):
    wire((n for n in lineage.nodes() if n.startswith(("silver.", "gold."))), woken_by=bronze)
