"""The scoreboard: a perfect answer scores the best, a naive one the baseline, and what nobody knows is left out."""

import json
import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jobs.demo import scoreboard
from jobs.kit import lake, registry
from jobs.kit.settings import Settings

DAY = date(2025, 12, 31)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A lake without tables and models; `put` and `tell` add tables and truths."""
    tables: dict[str, pa.Table] = {}

    def read_small(name, sql=""):
        if name not in tables:
            raise lake.NotThereError(name)
        return tables[name]

    monkeypatch.setattr(lake, "read_small", read_small)
    monkeypatch.setattr(registry, "overview", lambda: [])
    (tmp_path / "truth").mkdir()

    def put(name, rows):
        tables[name] = pa.Table.from_pylist(rows)

    def tell(name, **columns):
        pd.DataFrame(columns).to_parquet(tmp_path / "truth" / f"{name}.parquet")

    return SimpleNamespace(conf=Settings(home=tmp_path), put=put, tell=tell)


def put_rules(given, *pairs):
    given.put(
        "scoring.product_associations", [{"as_of_date": DAY, "antecedent": list(a), "consequent": c} for a, c in pairs]
    )
    given.put("gold.basket_items", [{"item": item, "n": n} for item, n in (("a", 9), ("b", 8), ("c", 2), ("d", 1))])


def people(given, n):
    given.tell(
        "people",
        system=["erp"] * n,
        native_id=[f"M{i}" for i in range(n)],
        person_id=range(n),
        is_duplicate=[False] * n,
    )
    given.put(
        "silver.identities",
        [{"account_system": "erp", "account_id": f"M{i}", "customer_id": f"C{i}"} for i in range(n)],
    )


def by_metric(found):
    return {s.metric: s for s in found}


def test_a_lake_without_scores_has_none(given):
    assert scoreboard.scores(given.conf) == []


def test_mined_pairs_are_found_missed_or_false_whatever_their_direction(given):
    given.tell("rules", antecedent=["a", "c"], consequent=["b", "d"], chance=[0.3, 0.3])
    put_rules(given, ("b", "a"), ("a", "d"), (("a", "b"), "c"))
    found = by_metric(scoreboard.scores(given.conf))
    assert found["precision of pairs"].value == 0.5  # a rule with two antecedents is no pair
    assert found["recall of pairs"].value == 0.5
    assert found["precision of pairs"].baseline == 0.5  # the two most bought pairs: a b, and a c
    assert "1 found, 1 missed, 1 false" in found["precision of pairs"].note


def test_without_a_truth_nothing_is_said_of_it(given):
    put_rules(given, ("b", "a"))
    assert scoreboard.scores(given.conf) == []


def test_segments_that_are_the_kinds_of_shoppers_agree_wholly(given):
    n = 40
    people(given, n)
    given.tell("persons", person_id=range(n), segment=[i % 4 for i in range(n)])
    customer = [{"as_of_date": DAY, "customer_id": f"C{i}"} for i in range(n)]
    given.put("scoring.customer_segments", [{**m, "segment_id": 10 + i % 4} for i, m in enumerate(customer)])
    given.put("gold.customer_rfm", [{**m, "monetary_score": i % 5, "recency_days": i} for i, m in enumerate(customer)])
    (score,) = scoreboard.scores(given.conf)
    assert score.value == 1.0
    assert score.baseline == pytest.approx(0, abs=0.1)


def test_who_knows_every_rate_tells_best_who_has_left(given):
    n, rng = 3000, np.random.default_rng(3)
    rate, mean = rng.choice([0.02, 0.3], n), np.full(n, 300.0)
    left = rng.exponential(mean).astype(int)
    until = np.minimum(left, 730)
    recency = 730 - np.maximum(until - rng.exponential(1 / rate), 0)
    people(given, n)
    given.tell("calendar", first_date=[pd.Timestamp("2024-01-02")], last_date=[pd.Timestamp(DAY)])
    given.tell(
        "persons",
        person_id=range(n),
        segment=[0] * n,
        left_day=left,
        named_visits_per_day=rate,
        mean_lifetime_days=mean,
    )
    customer = [{"as_of_date": DAY, "customer_id": f"C{i}"} for i in range(n)]
    given.put(
        "scoring.churn_scores",
        [{**m, "churn_probability": float(p)} for m, p in zip(customer, rng.random(n), strict=True)],
    )
    given.put(
        "gold.customer_rfm",
        [{**m, "monetary_score": 1, "recency_days": int(r)} for m, r in zip(customer, recency, strict=True)],
    )
    auc = by_metric(scoreboard.scores(given.conf))["AUC for having left"]
    assert auc.value == pytest.approx(0.5, abs=0.04)  # drawn by lot
    assert auc.value < auc.baseline < auc.best < 1


def test_pages_say_what_made_them_and_escape_what_they_are_told(given):
    found = [scoreboard.Score("rules", "recall <b>", 0.5, None, 1.0)]
    text = scoreboard.as_markdown(found, "Simulated", "shoplake scoreboard --write X.md")
    assert "`shoplake scoreboard --write X.md`" in text
    assert "| rules | recall <b> | 0.500 | – | 1.000 |  |" in text
    page = scoreboard.write_page(given.conf, found, "Simulated").read_text()
    assert "recall &lt;b&gt;" in page
    assert json.loads(scoreboard.as_json(found))[0]["best"] == 1.0


def test_nobody_else_reads_the_truth():
    """A table or model that saw it would be graded on its own answers."""
    package = Path(scoreboard.__file__).parents[1]
    named = {
        p.relative_to(package).as_posix()
        for p in package.rglob("*.py")
        if re.search(r"[\"/]truth\b", p.read_text("utf-8"))
    }
    # They say where it is written, or leave it out.
    others = {"demo/retailer/__init__.py", "demo/datasets.py", "cli.py", "kit/kept.py"}
    assert named - others == {"demo/scoreboard.py"}


def put_identities(given, *links):
    """Two persons: 1 with two cards and an app account, 2 with a card and a follower of a nickname alone."""
    given.tell(
        "people",
        system=["erp", "erp", "app", "erp", "social"],
        native_id=["M1", "M2", "o1", "M3", "wx_1"],
        person_id=[1, 1, 1, 2, 2],
        is_duplicate=[False, True, False, False, False],
    )
    names = [("erp", "M1"), ("erp", "M2"), ("app", "o1"), ("erp", "M3"), ("social", "wechat:wx_1")]
    rows = [{"account_system": s, "account_id": i, "unionid": None} for s, i in names]
    given.put("silver.accounts", [*rows, {"account_system": "crm", "account_id": "untold", "unionid": "u"}])
    own = [(name, name, "own", "link") for name in names]
    given.put(
        "silver.identity_links",
        [
            {"left_account_system": left[0], "left_account_id": left[1], "right_account_system": right[0],
             "right_account_id": right[1], "link_rule": rule, "decision": decision}
            for left, right, rule, decision in [*own, *links]
        ],
    )  # fmt: skip


def test_all_that_can_be_linked_is_the_best(given):
    put_identities(
        given,
        (("erp", "M1"), ("erp", "M2"), "document", "link"),
        (("erp", "M2"), ("app", "o1"), "probabilistic", "link"),
    )
    found = by_metric(scoreboard.scores(given.conf))
    assert all(found[m].value == 1.0 for m in found if m != "recall of pairs, all")
    assert found["recall of pairs"].baseline == pytest.approx(1 / 3)
    assert found["precision of pairs"].baseline == 1.0
    assert (found["recall of pairs, all"].value, found["recall of pairs, all"].best) == (0.75, 0.75)


def test_a_wrong_link_costs_precision_and_a_review_nothing(given):
    put_identities(
        given, (("erp", "M1"), ("erp", "M2"), "card", "link"), (("erp", "M2"), ("erp", "M3"), "probabilistic", "link"),
        (("erp", "M1"), ("app", "o1"), "probabilistic", "review"),
    )  # fmt: skip
    found = by_metric(scoreboard.scores(given.conf))
    assert found["precision of pairs"].value == pytest.approx(1 / 3)
    assert found["precision of pairs"].baseline == 1.0
    assert found["recall of pairs"].value == pytest.approx(1 / 3)
    # M1, M2 and M3 in one cluster: two thirds right for two of them, one third for M3; o1 alone is right.
    assert found["B-cubed precision"].value == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert found["B-cubed recall"].value == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)


def test_without_accounts_that_the_truth_knows_nothing_is_said(given):
    put_identities(given)
    people(given, 0)
    assert "precision of pairs" not in by_metric(scoreboard.scores(given.conf))
