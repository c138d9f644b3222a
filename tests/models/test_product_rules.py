"""Association rules: measures against hand values, planted rules found, random ones not, nothing seen of the future."""

from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from jobs.models import product_rules as rules
from jobs.models.base import NotEnoughError

AS_OF = date(2017, 6, 30)
MINING, HOLDING, TESTING = date(2017, 4, 1), AS_OF - timedelta(days=40), AS_OF - timedelta(days=10)
PARAMS = rules.Params(min_support=0.02)


def lines(baskets: list[list[str]]) -> pd.DataFrame:
    return pd.DataFrame([(f"o{i}", item) for i, b in enumerate(baskets) for item in b], columns=["order_id", "item"])


def rule_table(*pairs: tuple[list[str], str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["antecedent", "consequent"])


def random_baskets(draw: np.random.Generator, n: int) -> list[list[str]]:
    """Items a … j, each in three of ten baskets, on their own; `butter` comes with `bread` four times in five."""
    baskets = [[item for item in "abcdefghij" if draw.random() < 0.3] for _ in range(n)]
    for basket in baskets:
        if draw.random() < 0.2:
            basket.append("bread")
        if draw.random() < (0.8 if "bread" in basket else 0.1):
            basket.append("butter")
    return baskets


def test_measures_against_hand_values():
    found = rules.measures(100, np.array([20]), np.array([25]), np.array([10])).iloc[0]
    assert found[["support", "confidence", "lift", "leverage", "conviction"]].tolist() == pytest.approx(
        [0.10, 0.5, 2.0, 0.05, 1.5]
    )


def test_a_rule_without_exception_has_no_conviction_and_one_never_seen_says_nothing():
    found = rules.measures(100, np.array([20, 0]), np.array([25, 0]), np.array([20, 0]))
    assert np.isnan(found["conviction"][0])
    assert found.loc[1, ["support", "confidence", "lift", "leverage"]].tolist() == [0, 0, 0, 0]


def test_wilson_bound_against_a_hand_value():
    assert rules.wilson_lower(pd.Series([0.5, 0.0]), pd.Series([100, 0]), 1.96).tolist() == pytest.approx(
        [0.4038, 0], abs=1e-4
    )


def test_mining_finds_what_counting_finds():
    """Without the check for superfluous rules (z = -∞ never rejects), mining is plain counting."""
    baskets = [sorted(set(b)) for b in random_baskets(np.random.default_rng(1), 300)]
    params = rules.Params(min_support=0.05, min_confidence=0.2, z=-1000)
    found = rules.mine(lines(baskets), len(baskets), params)
    wanted = {}
    for size in (2, 3):
        for itemset in combinations(sorted(set().union(*baskets)), size):
            both = sum(set(itemset) <= set(b) for b in baskets)
            for consequent in itemset:
                antecedent = tuple(i for i in itemset if i != consequent)
                alone = sum(set(antecedent) <= set(b) for b in baskets)
                if both >= 0.05 * len(baskets) and both / alone >= 0.2:
                    wanted[antecedent, consequent] = (both / len(baskets), both / alone)
    have = {(tuple(r.antecedent), r.consequent): (r.support, r.confidence) for r in found.itertuples()}
    assert have.keys() == wanted.keys()
    assert all(have[k] == pytest.approx(wanted[k]) for k in wanted)


def test_a_bystander_in_the_antecedent_makes_a_rule_superfluous():
    table = rule_table((["bread"], "butter"), (["bread", "a"], "butter"), (["bread", "jam"], "butter"))
    table = table.assign(confidence=[0.5, 0.52, 0.8], orders_with_antecedent=[1000, 300, 300])
    assert rules.says_more(table, PARAMS.z).tolist() == [True, False, True]


def test_measuring_counts_orders_that_hold_no_frequent_item():
    found = rules.measure(rule_table((["a"], "b")), lines([["a", "b"], ["a"]]), orders=10).iloc[0]
    assert (found.support, found.confidence, found.lift) == pytest.approx((0.1, 0.5, 5.0))


def test_the_withheld_item_does_not_hang_on_the_order_of_rows():
    table = lines(random_baskets(np.random.default_rng(2), 50))
    one, other = (rules.withheld(t, 1000) for t in (table, table.sample(frac=1, random_state=3)))
    pd.testing.assert_frame_equal(one, other)
    fewer = rules.withheld(table, 10)
    assert len(fewer) == 10
    assert fewer.equals(one.loc[fewer.index])
    assert not any(w in items for w, items in zip(one["withheld"], one["items"], strict=True))


def test_suggestions_follow_the_best_rule_and_then_popularity():
    table = rule_table((["bread"], "butter"), (["jam"], "butter")).assign(confidence=[0.5, 0.9])
    model = rules.Rules(table, {"butter": 0.1, "milk": 0.6, "bread": 0.3, "jam": 0.05}, suggestions=2)
    suggested = model.predict(pd.DataFrame({"items": [["bread"], ["jam"], ["milk"]]}))["suggested"].tolist()
    assert suggested == [["milk", "butter"], ["butter", "milk"], ["bread", "butter"]]


def test_hit_rate_and_lift_against_hand_values():
    table = rule_table((["bread"], "butter")).assign(confidence=[0.9])
    model = rules.Rules(table, {"milk": 0.6, "bread": 0.5, "butter": 0.1}, suggestions=1)
    window = pd.DataFrame({"items": [["bread"], ["bread"], ["eggs"]], "withheld": ["butter", "milk", "milk"]})
    found = rules.evaluate(model, window)
    assert found["hit_rate"] == pytest.approx(2 / 3)  # butter by the rule, milk by popularity; not milk beside bread
    assert found["later_lift"] == pytest.approx((1 / 2) / (1 / 3))
    assert found["covered"] == pytest.approx(2 / 3)


def test_an_item_that_nobody_mined_is_never_a_hit():
    model = rules.Rules(rule_table().assign(confidence=[]), {"milk": 0.6}, suggestions=5)
    window = pd.DataFrame({"items": [["milk"]], "withheld": ["novelty"]})
    assert rules.evaluate(model, window)["hit_rate"] == 0


def test_data_and_back_is_the_same_model():
    mined = rules.mine(lines(random_baskets(np.random.default_rng(4), 200)), 200, PARAMS)
    table = pd.concat([mined, mined.add_prefix("later_")], axis=1)[rules.COLUMNS]
    model = rules.Rules(table, {"bread": 0.2, "butter": 0.24} | dict.fromkeys("abcdefghij", 0.3))
    baskets = pd.DataFrame({"items": [["bread"], ["a", "b"], []]})
    pd.testing.assert_frame_equal(rules.from_data(model.to_data()).predict(baskets), model.predict(baskets))


def basket_items(spark, later: bool):
    """Bread → butter always; c → a only while mining; from `later` on, everything comes with `d`, after as_of."""
    draw, rows = np.random.default_rng(5), []
    for day, n in ((MINING, 1200), (HOLDING, 400), (TESTING, 400)):
        for i, basket in enumerate(random_baskets(draw, n)):
            if day == MINING and "c" in basket and draw.random() < 0.9:
                basket.append("a")
            rows += [(f"{day}-{i}", day, item) for item in set(basket)]
    if later:
        rows += [(f"later-{i}", AS_OF + timedelta(days=1), item) for i in range(500) for item in ("c", "a", "d")]
    return spark.createDataFrame(pd.DataFrame(rows, columns=["order_id", "order_date", "item"]))


def test_planted_rules_are_kept_random_and_passing_ones_are_not(spark):
    fitted = rules.fit(basket_items(spark, later=False), as_of=AS_OF, params=PARAMS)
    kept = {(tuple(r.antecedent), r.consequent) for r in fitted.model.rules.itertuples()}
    assert kept == {(("bread",), "butter"), (("butter",), "bread")}  # and none with a bystander beside them
    assert fitted.metrics["rules_mined"] > fitted.metrics["rules_kept"]
    assert fitted.metrics["hit_rate"] > fitted.baselines["popularity"]["hit_rate"]
    assert fitted.metrics["later_lift"] > 2

    knowing = rules.fit(basket_items(spark, later=True), as_of=AS_OF, params=PARAMS)
    pd.testing.assert_frame_equal(knowing.model.rules, fitted.model.rules)
    pd.testing.assert_frame_equal(knowing.window, fitted.window)


def test_too_little_is_said(spark):
    few = spark.createDataFrame(
        [(f"o{i}", MINING, "a") for i in range(50)], "order_id string, order_date date, item string"
    )
    with pytest.raises(NotEnoughError, match="50 orders in its holding window, there are 0"):
        rules.fit(few, as_of=AS_OF, params=PARAMS)
