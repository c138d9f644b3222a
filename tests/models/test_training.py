"""Training and registry: who is promoted, once only, and what a training that is cut short leaves behind."""

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from jobs.kit import lineage, training
from jobs.kit import registry as kept
from jobs.models import churn, segments
from jobs.models import contract as contracts
from jobs.models.base import Champion, Fitted, NotEnoughError
from tests.models.test_churn import cases
from tests.models.test_segments import PARAMS, customers

DAY = date(2017, 6, 30)
CHURN = contracts.load("churn")
GOOD = {"pr_auc": 0.6, "ece": 0.05, "top_decile_gain": 0.5}
NAIVE = {"recency_only": {"pr_auc": 0.5}, "logistic_regression": {"pr_auc": 0.7}}


# ---- contracts ----


@pytest.mark.parametrize("node", [n for n in lineage.nodes() if n.startswith("models.")])
def test_a_model_contract_says_what_the_module_does(node):
    contract = contracts.load(node.split(".")[1])
    module = __import__(f"jobs.{node}", fromlist=["x"])
    assert contract.inputs == lineage.inputs(node)
    module.Params(**contract.params)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("metric: {name: pr_auc, better: bigger}", "better"),
        ("metrics: {name: pr_auc, better: higher}", "metrics"),
        ("name: chrun", "the file's name says 'churn'"),
    ],
)
def test_a_wrong_contract_is_refused(tmp_path, change, said):
    key = change.split(":")[0].rstrip("s")
    lines = (contracts.FOLDER / "churn.yaml").read_text().splitlines()
    (tmp_path / "churn.yaml").write_text("\n".join(change if x.startswith(f"{key}:") else x for x in lines))
    with pytest.raises(contracts.ModelContractError, match=said):
        contracts.parse(tmp_path / "churn.yaml")


# ---- the rule of promotion ----


def test_the_first_that_beats_the_baseline_is_champion():
    assert training.decide(CHURN, GOOD, NAIVE, None).promoted


def test_a_baseline_that_need_not_be_beaten_and_is_better_is_told():
    better, worse = ({name: value + by for name, value in GOOD.items()} for by in (0.01, -0.01))
    decision = training.decide(CHURN, GOOD, NAIVE | {"straight": better, "random": worse}, None)
    assert decision.promoted
    assert decision.why.endswith(f"; straight reaches {better['pr_auc']:.3f}")


@pytest.mark.parametrize(
    ("challenger", "champion", "why"),
    [
        ({"pr_auc": 0.5}, None, "does not beat recency_only"),
        ({}, {"pr_auc": 0.6}, "does not beat the champion"),
        ({"pr_auc": 0.4}, {"pr_auc": 0.7}, "does not beat recency_only and the champion"),
        ({"ece": 0.2}, None, "ece is 0.200, at most 0.1 is wanted"),
        ({"top_decile_gain": 0.1}, {"pr_auc": 0.3}, "top_decile_gain is 0.100, at least 0.2 is wanted"),
        ({"pr_auc": float("nan")}, None, "does not beat recency_only"),
    ],
)
def test_who_is_not_better_stays_challenger_and_is_told_why(challenger, champion, why):
    decision = training.decide(CHURN, GOOD | challenger, NAIVE, champion)
    assert not decision.promoted
    assert why in decision.why


def test_lower_may_be_better_and_a_gain_may_be_asked_for():
    metric = contracts.Metric(name="brier", better="lower", min_gain=0.01)
    contract = CHURN.model_copy(update={"metric": metric, "thresholds": {}})
    naive = {"recency_only": {"brier": 0.105}}
    assert training.decide(contract, {"brier": 0.10}, naive, {"brier": 0.12}).promoted
    assert not training.decide(contract, {"brier": 0.10}, naive, {"brier": 0.105}).promoted
    assert not training.decide(contract, {"brier": 0.11}, naive, {"brier": 0.2}).promoted


def test_a_champion_that_cannot_be_judged_gives_way_and_the_run_says_so():
    decision = training.decide(CHURN, GOOD, NAIVE, None, unfit="its features are no more")
    assert decision.promoted
    assert "its features are no more" in decision.why


# ---- registering ----


@pytest.fixture(scope="module")
def small() -> Fitted:
    return segments.fit_customers(customers()[0], PARAMS)


@pytest.fixture
def fits(monkeypatch, small):
    """`segments.fit` without Spark; what it returns may be replaced."""
    box = {"fitted": small, "calls": 0}

    def fit(customer_features, *, as_of, params):
        box["calls"] += 1
        if isinstance(box["fitted"], Exception):
            raise box["fitted"]
        return box["fitted"]

    monkeypatch.setattr(segments, "fit", fit)
    return box


def train(version: int, as_of: date = DAY) -> training.TrainResult:
    return training.train("segments", {"customer_features": None}, as_of, {"gold.customer_features": version})  # type: ignore[dict-item]


def better(fitted: Fitted, silhouette: float) -> Fitted:
    return replace(fitted, metrics={**fitted.metrics, "silhouette": silhouette})


def test_the_story_of_a_model(registry, fits, small, monkeypatch):
    with pytest.raises(kept.NoChampionError, match="shoplake train segments"):
        kept.champion("segments")

    # Killed while the files are written: nothing there that scoring would load.
    with monkeypatch.context() as m:
        m.setattr(kept._client(), "create_model_version", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(1)
    with pytest.raises(kept.NoChampionError):
        kept.champion("segments")

    # Killed between registering and the verdict: the version is there, nobody's champion.
    with monkeypatch.context() as m:
        m.setattr(kept, "settle", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(1)
    with pytest.raises(kept.NoChampionError):
        kept.champion("segments")

    # The next try goes on from there, with the same version.
    first = train(1)
    assert (first.verdict, first.version) == ("promoted", 1)
    assert "silhouette" in first.text and "spend_tiers" in first.text
    champion = kept.champion("segments")
    assert (champion.name, champion.version, champion.as_of) == ("segments", 1, DAY)
    assert champion.metrics == pytest.approx(dict(small.metrics))
    pd.testing.assert_frame_equal(champion.model.predict(small.window), small.model.predict(small.window))

    # The same data and code: no second version, no second fit.
    calls = fits["calls"]
    again = train(1)
    assert (again.verdict, again.version, fits["calls"]) == ("nothing new", 1, calls)

    # New data, no better: a challenger, and the champion stays.
    second = train(2)
    assert (second.verdict, second.version, second.champion) == ("challenger", 2, 1)
    assert "does not beat the champion" in second.text
    assert kept.champion_version("segments") == 1
    assert kept.verdict("segments", 2) == second.text.removeprefix("version 2 ")

    # Better than the champion on the same window (the champion is judged anew, not by what it once had).
    fits["fitted"] = better(small, 0.99)
    third = train(3)
    assert (third.verdict, third.champion_metrics["silhouette"]) == (
        "promoted",
        pytest.approx(small.metrics["silhouette"]),
    )
    assert kept.champion_version("segments") == 3
    # Killed between alias and verdict: said again, the same.
    kept._client().delete_model_version_tag("segments", "3", "verdict")
    repeated = train(3)
    assert (repeated.verdict, repeated.version, kept.champion_version("segments")) == ("promoted", 3, 3)

    # A backfill as of an earlier day takes nobody's place, however good.
    fits["fitted"] = better(small, 1.0)
    early = train(3, date(2017, 5, 31))
    assert (early.verdict, early.champion) == ("challenger", 3)
    assert "trained as of 2017-06-30" in early.text

    # Too little data is no crash, and the champion stays.
    fits["fitted"] = NotEnoughError("two customers")
    assert train(4).verdict == "not enough data"
    assert kept.champion_version("segments") == 3

    # A champion that today's code cannot bring back is replaced by one that beats the baseline.
    fits["fitted"] = small
    with monkeypatch.context() as m:
        m.setattr(segments, "from_data", lambda said: (_ for _ in ()).throw(ValueError("other features")))
        m.setattr(kept, "register", lambda *a, **k: 4)
        m.setattr(kept, "settle", lambda *a, **k: None)
        result = train(5)
    assert result.verdict == "promoted"
    assert "other features" in result.text

    (overview,) = kept.overview()
    assert (overview.name, overview.version, overview.metric) == ("segments", 3, "silhouette")
    assert set(overview.baselines) == {"spend_tiers"}


def test_names_stay_through_the_registry(registry, fits, small):
    """A new fit numbers its segments as it likes; trained beside a champion it takes over ids and names."""
    try:
        champion = kept.champion("segments").model
    except kept.NoChampionError:
        train(1)
        champion = kept.champion("segments").model
    order = [2, 0, 3, 1]
    turned = replace(champion, centroids=champion.centroids[order])  # same ids, other groups
    fits["fitted"] = replace(better(small, 0.999), model=turned)
    assert train(10).verdict == "promoted"
    now = kept.champion("segments").model
    pd.testing.assert_frame_equal(now.predict(small.window), champion.predict(small.window))


def test_a_booster_comes_back_as_it_was_and_nothing_is_pickled(registry):
    booster = churn.train(cases(seed=1, n=200), cases(seed=2, n=200), churn.Params(max_rounds=5))
    booster.set_attr(horizon_days="28")
    window = cases(seed=3, n=200)
    fitted = Fitted(
        booster,
        window,
        churn.evaluate(booster, window),
        {"recency_only": {"pr_auc": 0.1}},
        {"horizon_days": 28},
        churn.inputs(window).head(3),
        {"calibration": churn.calibration(window["churned"], churn.probability(booster, window))},
    )
    version = kept.register(
        "churn", fitted, module="jobs.models.churn", as_of=DAY, data_versions={"silver.orders": 7},
        fingerprint="f", requires=churn.REQUIRES,
    )  # fmt: skip
    kept.settle("churn", version, promoted=True, why="a test")
    champion = kept.champion("churn")
    assert isinstance(champion, Champion)
    pd.testing.assert_frame_equal(churn.score(champion.model, window), churn.score(booster, window))
    assert champion.model.attr("horizon_days") == "28"

    known = kept._client().get_model_version("churn", str(version))
    assert known.tags["data.silver.orders"] == "7"
    files = [p for p in registry.rglob("*") if p.is_file()]
    assert any(p.suffix == ".ubj" for p in files)
    assert any(p.name == "input_example.json" for p in files)
    assert not [
        p
        for p in files
        if p.suffix in (".pkl", ".pickle", ".joblib") or p.read_bytes()[:2] in (b"\x80\x04", b"\x80\x05")
    ]
    model = next(p for p in files if p.name == "MLmodel" and "xgboost" in p.read_text()).read_text()
    assert "signature:" in model and "recency_days" in model


def test_the_fingerprint_knows_data_day_and_code(monkeypatch):
    same = training.fingerprint("segments", DAY, {"gold.customer_features": 1})
    assert same == training.fingerprint("segments", DAY, {"gold.customer_features": 1})
    assert same != training.fingerprint("segments", DAY, {"gold.customer_features": 2})
    assert same != training.fingerprint("segments", date(2017, 7, 1), {"gold.customer_features": 1})
    code = training._code(churn, {})
    assert any(path.endswith("gold/customer_features.py") for path in code)  # what churn's features are made by
