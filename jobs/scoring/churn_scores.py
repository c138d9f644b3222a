"""One row per customer with a purchase and as_of_date: how likely it is to stay away, and why the model says so.

Scored on a collected frame: a row is two dozen numbers, deciles need all customers at once, and the trees take
milliseconds where a Spark job takes seconds.
"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models.base import Champion
from jobs.models.churn import score


def build(customer_features: DataFrame, churn: Champion, *, as_of: date) -> DataFrame:
    """Score the customers of `as_of` with the champion."""
    features = customer_features.where(F.col("as_of_date") == F.lit(as_of)).toPandas()
    scores = score(churn.model, features).assign(
        as_of_date=as_of,
        horizon_days=int(churn.model.attr("horizon_days")),
        model_name=churn.name,
        model_version=churn.version,
        model_as_of=churn.as_of,
    )
    return customer_features.sparkSession.createDataFrame(
        scores[COLUMNS.keys()], ", ".join(map(" ".join, COLUMNS.items()))
    )


COLUMNS = {
    "as_of_date": "date",
    "customer_id": "string",
    "churn_probability": "double",
    "decile": "int",
    "reason_1": "string",
    "reason_2": "string",
    "reason_3": "string",
    "horizon_days": "int",
    "model_name": "string",
    "model_version": "int",
    "model_as_of": "date",
}
