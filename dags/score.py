"""Predictions by the champions: woken by a new champion, and by news in the gold tables that scoring reads."""

from airflow.sdk import DAG, AssetAny

from dags.common import DAG_SETTINGS, asset, wire
from jobs.kit import lineage

scores = [n for n in lineage.nodes() if n.startswith("scoring.")]
reads = sorted({i for n in scores for i in lineage.inputs(n) if i not in scores})

with DAG(
    "score",
    schedule=AssetAny(*map(asset, reads)),
    description="Score members and products with the champions",
    tags=["shoplake", "scoring"],
    doc_md=__doc__,
    **DAG_SETTINGS,
):
    wire(scores, woken_by=reads)
