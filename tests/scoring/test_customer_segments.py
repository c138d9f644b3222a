"""Segments of the day asked for, as the champion's centroids say, and signed by it."""

from datetime import date

import pandas as pd

from jobs.kit.contracts import load
from jobs.models import segments
from jobs.models.base import Champion
from jobs.scoring import customer_segments
from tests.models.test_segments import PARAMS, customers

DAY = date(2017, 6, 30)


def test_segments_equal_direct_prediction(spark):
    frame, _ = customers(each=40)
    champion = Champion("segments", 3, date(2017, 6, 26), segments.fit_customers(frame, PARAMS).model)
    table = spark.createDataFrame(
        pd.concat([frame.assign(as_of_date=DAY), customers(seed=4)[0].assign(as_of_date=date(2017, 5, 31))])
    )
    built = customer_segments.build(table, champion, as_of=DAY)
    assert [(f.name, f.dataType.simpleString()) for f in built.schema] == [
        (c.name, c.type) for c in load("scoring.customer_segments").columns
    ]
    found = built.toPandas().set_index("customer_id").sort_index()
    wanted = champion.model.predict(frame).set_axis(frame["customer_id"]).sort_index()
    pd.testing.assert_frame_equal(found[wanted.columns], wanted, check_dtype=False)
    assert (found[["model_name", "model_version"]].drop_duplicates().values.tolist()) == [["segments", 3]]
    assert set(found["as_of_date"]) == {DAY}
