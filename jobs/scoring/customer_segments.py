"""One row per customer with an order and as_of_date: which segment the customer is in, by the champion's centroids."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models.base import Champion


def build(customer_features: DataFrame, segments: Champion, *, as_of: date) -> DataFrame:
    """Place the customers of `as_of` in the segments of the champion."""
    features = customer_features.where(F.col("as_of_date") == F.lit(as_of)).toPandas()
    scores = segments.model.predict(features).assign(
        as_of_date=as_of,
        customer_id=features["customer_id"],
        model_name=segments.name,
        model_version=segments.version,
        model_as_of=segments.as_of,
    )
    return customer_features.sparkSession.createDataFrame(
        scores[COLUMNS.keys()], ", ".join(map(" ".join, COLUMNS.items()))
    )


COLUMNS = {
    "as_of_date": "date",
    "customer_id": "string",
    "segment_id": "int",
    "segment_name": "string",
    "centroid_distance": "double",
    "model_name": "string",
    "model_version": "int",
    "model_as_of": "date",
}
