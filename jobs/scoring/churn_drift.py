"""One row per as_of_date and feature of the churn champion: how far its customers of that day are from its training.

The score itself is a feature here, `churn_probability`: inputs may move where the model does not look. It is held
against what the champion said of the cutoff that stopped its training, for of the cases that its trees were fitted to
they are too sure. How it is measured: jobs/models/drift.py. A champion registered before models carried their
reference has no rows.
"""

import json
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models import drift
from jobs.models.base import Champion
from jobs.models.churn import inputs_and_score


def build(customer_features: DataFrame, churn: Champion, *, as_of: date) -> DataFrame:
    """Compare the customers of `as_of` with those that the champion was trained on."""
    customers = customer_features.where(F.col("as_of_date") == F.lit(as_of)).toPandas()
    reference = json.loads(churn.model.attr("reference") or "{}")
    found = drift.compare(reference, inputs_and_score(churn.model, customers)) if len(customers) else pd.DataFrame()
    rows = found.reindex(columns=list(COLUMNS)).assign(
        as_of_date=as_of, model_name=churn.name, model_version=churn.version, model_as_of=churn.as_of
    )
    return customer_features.sparkSession.createDataFrame(
        rows.astype(object).where(rows.notna(), None).to_dict("records"), ", ".join(map(" ".join, COLUMNS.items()))
    )


COLUMNS = {
    "as_of_date": "date",
    "feature": "string",
    "psi": "double",
    "psi_by_chance": "double",
    "verdict": "string",
    "mean_in_training": "double",
    "mean_now": "double",
    "missing_share_in_training": "double",
    "missing_share_now": "double",
    "training_row_count": "bigint",
    "customer_count": "bigint",
    "model_name": "string",
    "model_version": "int",
    "model_as_of": "date",
}
