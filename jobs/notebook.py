"""One import for notebooks: the shared engine, tables and models by their names.

    from jobs.notebook import ask, champion, spark, table

`spark` is a session on the engine that runs (it is started if none does); queries that take longer than a moment say
how far they are. The functions of `jobs` are the same that the DAGs run.
"""

import time
from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
from IPython import get_ipython
from IPython.display import HTML, display
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.kit import lake, lineage
from jobs.kit.query import ask
from jobs.kit.registry import champion
from jobs.kit.session import session

__all__ = ["ask", "champion", "latest", "spark", "table"]

plt.rcParams |= {
    "figure.figsize": (9, 4), "figure.dpi": 110, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.alpha": 0.25, "axes.titlelocation": "left", "axes.prop_cycle": plt.cycler(
        color=["#0b5cad", "#d1495b", "#2e8b57", "#edae49", "#66717e", "#8a5fbf", "#00798c", "#a0522d"]
    ),
}  # fmt: skip


PATIENCE_SECONDS = 2.0
_begun: dict[str | None, float] = {}  # by operation
_shown: dict[str | None, Any] = {}


def _tell(stages: Iterable[Any] | None, inflight_tasks: int, operation_id: str | None, done: bool) -> None:
    """Of a query that takes longer than a moment one line in the notebook, gone when it is done: tasks, of how many.

    As an output that is replaced, not on standard error, which JupyterLab paints red and keeps. Elsewhere nothing.
    """
    begun = _begun.setdefault(operation_id, time.monotonic())
    if done:
        del _begun[operation_id]
        if shown := _shown.pop(operation_id, None):
            shown.update(HTML(""))
        return
    total = sum(s.num_tasks for s in stages or ())
    if not total or time.monotonic() - begun < PATIENCE_SECONDS or not hasattr(get_ipython(), "kernel"):
        return
    ready = sum(s.num_completed_tasks for s in stages or ())
    line = HTML(f"<small>{ready} of {total} tasks, {inflight_tasks} running</small>")
    if shown := _shown.get(operation_id):
        shown.update(line)
    else:
        _shown[operation_id] = display(line, display_id=True)


spark = session()
spark.registerProgressHandler(_tell)  # type: ignore[arg-type]  # its protocol wants **kwargs


def table(name: str) -> DataFrame:
    """A published table as it is now: `table("gold.sales_daily")`, or `table("sales_daily")`."""
    return lake.read(spark, lineage.full_name(name))


def latest(name: str) -> DataFrame:
    """Of a table that is kept per day the rows of its last day."""
    rows = table(name)
    day = rows.agg(F.max("as_of_date")).collect()[0][0]
    return rows.where(F.col("as_of_date") == F.lit(day))
