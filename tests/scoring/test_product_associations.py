"""The champion's rules as they were mined and confirmed, and counted anew on the 28 days up to as_of."""

from datetime import date, timedelta

import pandas as pd
import pytest

from jobs.kit.contracts import load
from jobs.models import product_rules
from jobs.models.base import Champion
from jobs.scoring import product_associations

DAY = date(2017, 6, 30)


def champion() -> Champion:
    mined = {"support": 0.1, "confidence": 0.5, "lift": 2.0, "leverage": 0.05, "conviction": 1.5}
    later = {f"later_{k}": v for k, v in mined.items()}
    rules = pd.DataFrame(
        [
            {"antecedent": ["bread"], "consequent": "butter", **mined, **later},
            {"antecedent": ["bread", "jam"], "consequent": "butter", **mined, **later, "conviction": None},
            {"antecedent": ["sledge"], "consequent": "snow boots", **mined, **later},
        ]
    )[product_rules.COLUMNS]
    return Champion("product_rules", 2, date(2017, 6, 26), product_rules.Rules(rules, {}))


def test_rules_are_counted_anew_on_the_last_28_days(spark):
    recent = {"o1": ["bread", "butter"], "o2": ["bread", "jam", "butter"], "o3": ["bread"], "o4": ["eggs"]}
    rows = [(order, DAY, item) for order, items in recent.items() for item in items]
    rows += [("old", DAY - timedelta(days=28), i) for i in ("bread", "butter", "sledge")]
    rows += [("new", DAY + timedelta(days=1), i) for i in ("bread", "butter", "sledge")]
    table = spark.createDataFrame(rows, "order_id string, order_date date, item string")
    built = product_associations.build(table, champion(), as_of=DAY)
    assert [(f.name, f.dataType.simpleString()) for f in built.schema] == [
        (c.name, c.type) for c in load("scoring.product_associations").columns
    ]
    found = {r["rule_id"]: r for r in built.collect()}
    plain = found["bread → butter"]
    assert (plain["recent_support"], plain["recent_confidence"], plain["recent_lift"]) == pytest.approx(
        (2 / 4, 2 / 3, (2 / 3) / (2 / 4))
    )
    assert found["bread + jam → butter"]["recent_confidence"] == 1
    assert found["bread + jam → butter"]["conviction"] is None
    assert list(found["bread + jam → butter"]["antecedent"]) == ["bread", "jam"]
    assert found["sledge → snow boots"]["recent_lift"] == 0  # out of season
    assert (plain["lift"], plain["later_lift"], plain["model_version"]) == (2.0, 2.0, 2)
    assert {r["as_of_date"] for r in found.values()} == {DAY}
