"""One row per association rule of the champion and as_of_date, with how it fares on the 28 days up to as_of_date."""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.models.base import Champion
from jobs.models.product_rules import COLUMNS as MEASURED
from jobs.models.product_rules import measure

RECENT_DAYS = 28
RECENT = ["support", "confidence", "lift"]


def build(basket_items: DataFrame, product_rules: Champion, *, as_of: date) -> DataFrame:
    """The champion's rules, counted anew on the days that end with `as_of`."""
    rules = product_rules.model.rules
    recent = basket_items.where(
        (F.col("order_date") > F.lit(as_of - timedelta(days=RECENT_DAYS))) & (F.col("order_date") <= F.lit(as_of))
    )
    orders = recent.select("order_id").distinct().count()
    named = sorted(set(rules["consequent"]).union(*rules["antecedent"]))
    lines = recent.where(F.col("item").isin(named)).select("order_id", "item").toPandas()
    now = measure(rules, lines, max(orders, 1))
    scores = rules.assign(
        **{f"recent_{name}": now[name] for name in RECENT},
        rule_id=[" + ".join(a) + " → " + c for a, c in zip(rules["antecedent"], rules["consequent"], strict=True)],
        as_of_date=as_of,
        model_name=product_rules.name,
        model_version=product_rules.version,
        model_as_of=product_rules.as_of,
    )
    return basket_items.sparkSession.createDataFrame(scores[COLUMNS.keys()], ", ".join(map(" ".join, COLUMNS.items())))


COLUMNS = {
    "as_of_date": "date",
    "rule_id": "string",
    "antecedent": "array<string>",
    "consequent": "string",
    **{name: "double" for name in MEASURED[2:]},
    **{f"recent_{name}": "double" for name in RECENT},
    "model_name": "string",
    "model_version": "int",
    "model_as_of": "date",
}
