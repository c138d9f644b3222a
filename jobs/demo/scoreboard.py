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
    """Who holds which card, and what is so of them; of two cards of one person both."""
    people = truth(conf, "people")
    cards = people[people["system"] == "erp"].rename(columns={"native_id": "member_id"})
    return cards.merge(truth(conf, "persons"), on="person_id")


# --- without a truth --------------------------------------------------------------------------------------------------


def on_later_data(conf: Settings) -> Iterator[Score]:
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
    rows = _latest("scoring.customer_segments").merge(_persons(conf), on="member_id")
    spend = _latest("gold.customer_rfm")[["member_id", "monetary_score"]]
    rows = rows.merge(spend, on="member_id")
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
    rows = _latest("scoring.churn_scores").merge(_persons(conf), on="member_id")
    rows = rows.merge(_latest("gold.customer_rfm")[["member_id", "recency_days"]], on="member_id")
    begun = pd.to_datetime(truth(conf, "calendar")["first_date"].iloc[0])
    day = (pd.to_datetime(rows["as_of_date"]) - begun).dt.days
    left = (rows["left_day"] <= day).to_numpy()
    if left.all() or not left.any():
        raise NoTruthError("nobody, or everybody, has left")
    ends = 1 / rows["mean_lifetime_days"]
    both = rows["card_visits_per_day"] + ends
    gone = ends / both * np.expm1(np.minimum(both * rows["recency_days"], 50.0))
    for metric, measure in (("AUC", roc_auc_score), ("PR-AUC", average_precision_score)):
        yield Score(
            "churn",
            f"{metric} for having left",
            float(measure(left, rows["churn_probability"])),
            float(measure(left, rows["recency_days"])),
            float(measure(left, gone)),
            f"{left.mean():.0%} of {len(rows)} scored members have left; baseline: recency",
        )


SCORES: tuple[Callable[[Settings], Iterator[Score]], ...] = (on_later_data, association_rules, segments, churn)


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
