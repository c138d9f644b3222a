"""How good the answers are: every model beside its naive baseline, and beside the best that the truth allows.

The only reader of `<home>/truth`, which the simulated retailer leaves; on data whose truth nobody knows those rows are
missing, and the others stay. A capability adds its rows by a function in `SCORES`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score, average_precision_score, roc_auc_score

from jobs.kit import lake, registry
from jobs.kit.settings import Settings


@dataclass(frozen=True)
class Score:
    """One line: a figure, what the naive way reaches, and the best that can be reached, where it is known."""

    capability: str
    metric: str
    value: float
    baseline: float | None = None
    best: float | None = None
    note: str = ""


class NoTruthError(Exception):
    """These data came without a truth."""


def scores(conf: Settings) -> list[Score]:
    """Every line that this lake allows: what was not scored yet, or has no truth, is left out."""
    return [*on_later_data(), *against_truth(conf)]


def against_truth(conf: Settings) -> list[Score]:
    """The lines that know the best that can be reached."""
    found: list[Score] = []
    for score in SCORES:
        try:
            found += score(conf)
        except (lake.NotThereError, NoTruthError):
            continue
    return found


def truth(conf: Settings, name: str) -> pd.DataFrame:
    """One table of the truth. NoTruthError if there is none."""
    path = conf.home / "truth" / f"{name}.parquet"
    if not path.is_file():
        raise NoTruthError(f"{path} does not exist")
    return pq.read_table(path).to_pandas()


def _latest(table: str) -> pd.DataFrame:
    """The rows of a table that is kept per as_of, of its newest one."""
    rows = pd.DataFrame(lake.read_small(table).to_pylist())  # to_pandas does not know delta-rs's lists of text
    return rows[rows["as_of_date"] == rows["as_of_date"].max()]


def _persons(conf: Settings) -> pd.DataFrame:
    """Who each customer is, and what is so of them: whoever is behind most of the customer's accounts."""
    people = truth(conf, "people").rename(columns={"system": "account_system", "native_id": "account_id"})
    accounts = pd.DataFrame(lake.read_small("silver.identities").to_pylist()).merge(people)
    counts = accounts.groupby(["customer_id", "person_id"]).size().rename("n").reset_index()
    most = counts.sort_values(["n", "person_id"], ascending=[False, True]).drop_duplicates("customer_id")
    return most.merge(truth(conf, "persons"), on="person_id")


# --- without a truth --------------------------------------------------------------------------------------------------


def on_later_data() -> Iterator[Score]:
    """What each model reached on the later window that it was judged on, beside its best baseline."""
    for model in registry.overview():
        name, value = max(model.baselines.items(), key=lambda item: item[1], default=("", None))
        note = f"baseline {name}; {model.verdict.split(':')[0]}"
        yield Score(f"models.{model.name}", f"{model.metric}, later window", model.value, value, None, note)


# --- with it ----------------------------------------------------------------------------------------------------------


def association_rules(conf: Settings) -> Iterator[Score]:
    """Pairs of types that a planted rule ties, among the pairs that were mined. The direction is not asked for.

    The baseline names as many pairs as were mined, of the types that are bought most.
    """
    planted = {frozenset(pair) for pair in truth(conf, "rules")[["antecedent", "consequent"]].to_numpy().tolist()}
    rules = _latest("scoring.product_associations")
    mined = {frozenset((a[0], c)) for a, c in zip(rules["antecedent"], rules["consequent"], strict=True) if len(a) == 1}
    items = lake.read_small("gold.basket_items", "SELECT item, count(*) AS n FROM t GROUP BY item").to_pandas()
    popular = items.sort_values(["n", "item"], ascending=[False, True])["item"]
    naive = {frozenset(pair) for pair in list(combinations(popular, 2))[: len(mined)]}
    said = f"{len(mined & planted)} found, {len(planted - mined)} missed, {len(mined - planted)} false"
    yield Score(
        "rules", "precision of pairs", _share(mined & planted, mined), _share(naive & planted, naive), 1.0, said
    )
    yield Score("rules", "recall of pairs", _share(mined & planted, planted), _share(naive & planted, planted), 1.0)


def _share(part: set, whole: set) -> float:
    return len(part) / len(whole) if whole else 0.0


def segments(conf: Settings) -> Iterator[Score]:
    """Agreement of the segments with the kinds of shoppers that there are (adjusted Rand index: 0 is chance)."""
    rows = _latest("scoring.customer_segments").merge(_persons(conf), on="customer_id")
    spend = _latest("gold.customer_rfm")[["customer_id", "monetary_score"]]
    rows = rows.merge(spend, on="customer_id")
    yield Score(
        "segments",
        "adjusted Rand index",
        float(adjusted_rand_score(rows["segment"], rows["segment_id"])),
        float(adjusted_rand_score(rows["segment"], rows["monetary_score"])),
        1.0,
        f"{rows['segment_id'].nunique()} segments of {rows['segment'].nunique()} kinds; baseline: fifths by spend",
    )


def churn(conf: Settings) -> Iterator[Score]:
    """Who has left for good, as told from the churn score. The model aims at silence, which is not quite the same.

    The baseline is recency; the best is the chance to be alive given the last visit, by one who knows each person's
    rate and the mean lifetime of the kind (Schmittlein, Morrison and Colombo, 1987, with known rates).
    """
    rows = _latest("scoring.churn_scores").merge(_persons(conf), on="customer_id")
    rows = rows.merge(_latest("gold.customer_rfm")[["customer_id", "recency_days"]], on="customer_id")
    begun = pd.to_datetime(truth(conf, "calendar")["first_date"].iloc[0])
    day = (pd.to_datetime(rows["as_of_date"]) - begun).dt.days
    left = (rows["left_day"] <= day).to_numpy()
    if left.all() or not left.any():
        raise NoTruthError("nobody, or everybody, has left")
    ends = 1 / rows["mean_lifetime_days"]
    both = rows["named_visits_per_day"] + ends
    gone = ends / both * np.expm1(np.minimum(both * rows["recency_days"], 50.0))
    for metric, measure in (("AUC", roc_auc_score), ("PR-AUC", average_precision_score)):
        yield Score(
            "churn",
            f"{metric} for having left",
            float(measure(left, rows["churn_probability"])),
            float(measure(left, rows["recency_days"])),
            float(measure(left, gone)),
            f"{left.mean():.0%} of {len(rows)} scored customers have left; baseline: recency",
        )


def identities(conf: Settings) -> Iterator[Score]:
    """Whose each account is: pairs of accounts found to be one person's."""
    accounts = lake.read_small("silver.accounts", "SELECT account_system, account_id, unionid FROM t").to_pandas()
    links = lake.read_small("silver.identity_links").to_pandas()
    yield from score_identities(truth(conf, "people"), accounts, links)


def score_identities(people: pd.DataFrame, accounts: pd.DataFrame, links: pd.DataFrame) -> Iterator[Score]:
    """Pairs of accounts and B-cubed, of all links beside those of the rules alone (the baseline).

    A follower without a union id tells a nickname and nothing that could be linked: such accounts are left out, but for
    the last line, whose best is what is left when nobody can link them.
    """
    known = accounts.assign(native_id=accounts["account_id"])
    social = known["account_system"] == "social"
    known.loc[social, "native_id"] = known.loc[social, "account_id"].str.partition(":")[2]
    known = known.merge(people.rename(columns={"system": "account_system"}), on=["account_system", "native_id"])
    if known.empty:
        raise NoTruthError("of no account it is known whose it is")
    place = pd.Series(np.arange(len(known)), index=pd.MultiIndex.from_frame(known[["account_system", "account_id"]]))

    def clusters(linked: pd.DataFrame) -> np.ndarray:
        ends = pd.DataFrame(
            {
                side: place.reindex(
                    pd.MultiIndex.from_frame(linked[[f"{side}_account_system", f"{side}_account_id"]])
                ).to_numpy()
                for side in ("left", "right")
            }
        ).dropna()
        shape = (len(known), len(known))
        graph = coo_matrix((np.ones(len(ends)), (ends["left"].astype(int), ends["right"].astype(int))), shape=shape)
        return connected_components(graph, directed=False)[1]

    linked, person = links[links["decision"] == "link"], known["person_id"].to_numpy()
    found, ruled = clusters(linked), clusters(linked[linked["link_rule"] != "probabilistic"])
    tells = ((known["account_system"] != "social") | known["unionid"].notna()).to_numpy()
    by_rules = _agreement(ruled[tells], person[tells])
    said = f"{tells.sum()} accounts of {len(set(person[tells]))} persons; baseline: the rules without Splink"
    for metric, value in _agreement(found[tells], person[tells]).items():
        yield Score("identity", metric, value, by_rules[metric], 1.0, said)
    recall = "recall of pairs"
    best = _agreement(np.where(tells, person, -1 - np.arange(len(person))), person)[recall]
    said = f"with {(~tells).sum()} followers who tell nothing but a nickname"
    yield Score(
        "identity", f"{recall}, all", _agreement(found, person)[recall], _agreement(ruled, person)[recall], best, said
    )


def _agreement(cluster: np.ndarray, person: np.ndarray) -> dict[str, float]:
    """How well clusters agree with persons, by pairs and by accounts (B-cubed; Bagga and Baldwin, 1998)."""
    rows = pd.DataFrame({"cluster": cluster, "person": person})
    both = rows.value_counts()
    sizes = {side: rows[side].value_counts() for side in rows}
    pairs = {side: float((n * (n - 1)).sum()) for side, n in {**sizes, "both": both}.items()}
    shares = {
        side: float((both**2 / both.index.get_level_values(side).map(n)).sum()) / len(rows) for side, n in sizes.items()
    }
    return {
        "precision of pairs": pairs["both"] / pairs["cluster"] if pairs["cluster"] else 1.0,
        "recall of pairs": pairs["both"] / pairs["person"] if pairs["person"] else 1.0,
        "B-cubed precision": shares["cluster"],
        "B-cubed recall": shares["person"],
    }


SCORES: tuple[Callable[[Settings], Iterator[Score]], ...] = (association_rules, segments, churn, identities)


# --- as pages ---------------------------------------------------------------------------------------------------------


def as_json(found: list[Score]) -> str:
    """All lines, for machines."""
    return json.dumps([asdict(s) for s in found], indent=1, ensure_ascii=False)


def cells(score: Score) -> tuple[str, ...]:
    """A line as text: unknown figures are a dash."""
    numbers = ("–" if n is None else f"{n:.3f}" for n in (score.value, score.baseline, score.best))
    return score.capability, score.metric, *numbers, score.note


HEADINGS = ("capability", "metric", "value", "baseline", "best", "")


def as_markdown(found: list[Score], title: str, command: str) -> str:
    """A page that says what made it."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, found)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"# Scoreboard\n\n{title}. Made by `{command}`.\n\n{table}\n"


def write_page(conf: Settings, found: list[Score], title: str) -> Path:
    """The scoreboard as a page of its own, without a server."""
    from html import escape

    def row(words: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(word)}</{tag}>" for word in words) + "</tr>"

    body = "".join(row(cells(s), "td") for s in found)
    page = _PAGE.format(title=escape(title), head=row(HEADINGS, "th"), body=body)
    path = conf.home / "scoreboard.html"
    path.write_text(page, encoding="utf-8")
    return path


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Scoreboard</title>
<style>body{{font:15px system-ui,sans-serif;margin:2.5rem auto;max-width:68rem;padding:0 1rem;color:#1d2733}}
table{{border-collapse:collapse;width:100%}}
th,td{{text-align:left;padding:.45rem .6rem;border-bottom:1px solid #d8dee6}}
td:nth-child(n+3):nth-child(-n+5),th:nth-child(n+3):nth-child(-n+5){{text-align:right;font-variant-numeric:tabular-nums}}
td:nth-child(3){{font-weight:600}}td:last-child{{color:#5b6775}}</style>
<h1>Scoreboard</h1><p>{title}. Each figure stands beside what the naive way reaches, and beside the best that the truth
allows, where it is known.</p><table>{head}{body}</table></html>
"""
