"""Which product types are bought together: association rules by FP-Growth, kept only if they hold on a later window.

Three windows, one after the other, ending at `as_of`:

- **mining**: rules are found here (all orders before the other two), less those that a simpler rule makes superfluous;
- **holding**: a rule is kept only if it holds here too: its lift is surely above 1 (one-sided Wilson bound) and its
  confidence has not fallen below `keep_confidence` of what was mined;
- **testing**: never looked at before. Of each basket one item is withheld, and the rules suggest `suggestions` items
  for the rest of it; the measure is how often the withheld item is among them. The naive baseline suggests the most
  popular items that the basket does not hold yet.

FP-Growth is mlxtend's, on the frequent items of the mining window: the same itemsets as Spark's, at a tenth of its
work (docs/decisions/0301-fp-growth-outside-spark.md).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from jobs.models.base import Fitted, NotEnoughError

REQUIRES = ("numpy", "pandas", "scipy")
MEASURES = ["support", "confidence", "lift", "leverage", "conviction"]


@dataclass(frozen=True)
class Params:
    """What may be set in product_rules.yaml."""

    min_support: float = 0.01  # share of orders that hold the whole rule
    min_confidence: float = 0.1
    max_items: int = 3  # in a rule, its consequent included
    later_days: int = 28  # length of the holding and of the testing window, each
    keep_confidence: float = 0.75  # of the mined confidence must remain on the holding window
    z: float = 2.326  # one-sided 99 %
    suggestions: int = 5
    min_orders: int = 50  # in each window, or nothing can be said
    max_tested: int = 20_000  # baskets; more would not make the measure surer


@dataclass(frozen=True)
class Rules:
    """The model: a table of rules, and how popular each frequent item (so each that a rule names) was when mined."""

    rules: pd.DataFrame
    popularity: Mapping[str, float]
    suggestions: int = 5

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """For each basket (`items`, a list) the items most likely to be added, the likeliest first."""
        items = sorted(self.popularity)
        scores = self.scores(encode(frame["items"], items), items)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.suggestions]
        return pd.DataFrame({"suggested": [[items[i] for i in row] for row in best]}, index=frame.index)

    def scores(self, baskets: sparse.csr_matrix, items: list[str]) -> np.ndarray:
        """How likely each item is in each basket: its popularity, or the best confidence of a rule that says more.

        An item that a basket holds already is not suggested (-1).
        """
        place = {item: i for i, item in enumerate(items)}
        scores = np.tile([self.popularity.get(i, 0.0) for i in items], (baskets.shape[0], 1))
        fires = sparse.csc_matrix(holds_all(baskets, self.rules["antecedent"], items))
        for j, (consequent, confidence) in enumerate(self.rules[["consequent", "confidence"]].to_numpy()):
            where = fires.indices[fires.indptr[j] : fires.indptr[j + 1]], place[consequent]
            scores[where] = np.maximum(scores[where], confidence)
        scores[baskets.nonzero()] = -1.0
        return scores

    def to_data(self) -> dict[str, Any]:
        """All of it as what JSON can hold; `from_data` brings it back."""
        return {
            "suggestions": self.suggestions,
            "popularity": dict(self.popularity),
            "rules": self.rules.to_dict(orient="records"),
        }


def from_data(said: dict[str, Any]) -> Rules:
    """The model of `Rules.to_data`."""
    return Rules(pd.DataFrame(said["rules"], columns=COLUMNS), said["popularity"], said["suggestions"])


COLUMNS = ["antecedent", "consequent", *MEASURES, *(f"later_{m}" for m in MEASURES)]


def fit(basket_items: DataFrame, *, as_of: date, params: Params = Params()) -> Fitted:
    """Mine, keep what holds, and test, on three windows that end at `as_of`."""
    holding_from = as_of - timedelta(days=2 * params.later_days - 1)
    testing_from = as_of - timedelta(days=params.later_days - 1)
    known = basket_items.where(F.col("order_date") <= F.lit(as_of)).select(
        "order_id",
        "item",
        F.when(F.col("order_date") >= F.lit(testing_from), "testing")
        .when(F.col("order_date") >= F.lit(holding_from), "holding")
        .otherwise("mining")
        .alias("window"),
    )
    orders = {
        r["window"]: r["n"] for r in known.groupBy("window").agg(F.countDistinct("order_id").alias("n")).collect()
    }
    for window in ("mining", "holding", "testing"):
        if orders.get(window, 0) < params.min_orders:
            raise NotEnoughError(
                f"product_rules wants {params.min_orders} orders in its {window} window, "
                f"there are {orders.get(window, 0)} as of {as_of}"
            )
    popular = (
        known.where("window = 'mining'")
        .groupBy("item")
        .count()
        .where(F.col("count") >= params.min_support * orders["mining"])
        .toPandas()
        .sort_values("item")
    )
    popularity = {r.item: r.count / orders["mining"] for r in popular.itertuples(index=False, name="Popular")}
    # Rare items cannot be in a frequent set: only the testing window is wanted whole.
    lines = known.where((F.col("window") == "testing") | F.col("item").isin(list(popularity))).toPandas()
    rows = {w: lines.loc[lines["window"] == w, ["order_id", "item"]] for w in orders}
    mined = mine(rows["mining"], orders["mining"], params)
    later = measure(mined, rows["holding"], orders["holding"])
    kept = pd.concat([mined, later.add_prefix("later_")], axis=1)[
        holds(mined, params.z)
        & holds(later, params.z)
        & (later["confidence"] >= params.keep_confidence * mined["confidence"])
    ]
    kept = kept.sort_values(["lift", "consequent"], ascending=[False, True])[COLUMNS].reset_index(drop=True)
    if kept.empty:
        raise NotEnoughError(
            f"product_rules: of {len(mined)} rules mined none holds on the {params.later_days} days after"
        )
    model = Rules(kept, popularity, params.suggestions)
    tested = withheld(rows["testing"], params.max_tested)
    metrics = evaluate(model, tested) | {"rules_mined": float(len(mined)), "rules_kept": float(len(kept))}
    return Fitted(
        model=model,
        window=tested,
        metrics=metrics,
        baselines={"popularity": evaluate(Rules(kept.iloc[:0], popularity, params.suggestions), tested)},
        params=asdict(params),
        example=tested[["items"]].head(5),
        tables={"rules": kept},
    )


def evaluate(model: Rules, window: pd.DataFrame) -> dict[str, float]:
    """How often the withheld item is suggested; and how the rules' lift fares on these baskets, pooled over rules."""
    items = sorted(set(model.popularity) | set(window["withheld"]) | set().union(*window["items"]))
    rest, taken = encode(window["items"], items), encode(window["withheld"].map(lambda i: [i]), items)
    scores = model.scores(rest, items)
    wanted = scores[taken.nonzero()]
    # Ties (items that nobody mined) count against the model: it could not have told them apart.
    ahead = (scores >= wanted[:, None]).sum(axis=1) - 1
    with_antecedent, with_consequent, with_both = count(model.rules, rest + taken, items)
    expected = (with_antecedent * with_consequent / max(len(window), 1)).sum()
    return {
        "hit_rate": float(((wanted > 0) & (ahead < model.suggestions)).mean()),
        "later_lift": float(with_both.sum() / expected) if expected else 1.0,
        "covered": float((holds_all(rest, model.rules["antecedent"], items).getnnz(axis=1) > 0).mean()),
        "orders": float(len(window)),
    }


def mine(lines: pd.DataFrame, orders: int, params: Params) -> pd.DataFrame:
    """All rules with one consequent that are frequent and confident enough, with their measures."""
    from mlxtend.frequent_patterns import fpgrowth  # here, because mlxtend brings matplotlib with it

    items = sorted(set(lines["item"]))
    baskets = encode_lines(lines, items)
    # As a count, because orders without a frequent item are no rows here; half below it, to be safe from rounding.
    wanted = np.ceil(params.min_support * orders - 1e-9) - 0.5
    sets = fpgrowth(
        pd.DataFrame(baskets.toarray(), columns=items),
        min_support=wanted / max(baskets.shape[0], 1),
        use_colnames=True,
        max_len=params.max_items,
    )
    rules = pd.DataFrame(
        [(sorted(s - {c}), c) for s in sets["itemsets"] if len(s) > 1 for c in sorted(s)],
        columns=["antecedent", "consequent"],
    )
    rules = measure(rules, lines, orders)
    return rules[(rules["confidence"] >= params.min_confidence) & says_more(rules, params.z)].reset_index(drop=True)


def measure(rules: pd.DataFrame, lines: pd.DataFrame, orders: int) -> pd.DataFrame:
    """The measures of given rules on some orders, counted there anew."""
    items = sorted(set(lines["item"]).union(rules["consequent"], *rules["antecedent"]))
    counts = count(rules, encode_lines(lines, items), items)
    return pd.concat([rules[["antecedent", "consequent"]], measures(orders, *counts)], axis=1)


def count(
    rules: pd.DataFrame, baskets: sparse.csr_matrix, items: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each rule, the number of baskets with its antecedent, with its consequent, and with both."""
    antecedents = {key: i for i, key in enumerate(dict.fromkeys(rules["antecedent"].map(tuple)))}
    fires = sparse.csr_matrix(holds_all(baskets, antecedents, items), dtype=np.int64)
    together = (fires.T @ baskets.astype(np.int64)).toarray()
    place = {item: i for i, item in enumerate(items)}
    a = np.array([antecedents[tuple(a)] for a in rules["antecedent"]], dtype=int)
    c = np.array([place[c] for c in rules["consequent"]], dtype=int)
    return fires.getnnz(axis=0)[a], baskets.getnnz(axis=0)[c], together[a, c]


def measures(orders: int, with_a: np.ndarray, with_c: np.ndarray, with_both: np.ndarray) -> pd.DataFrame:
    """Support, confidence, lift, leverage and conviction from counts of orders.

    Conviction is infinite for a rule without exception: it is left empty there.
    """
    a, c, both = with_a / orders, with_c / orders, with_both / orders
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence = np.where(a > 0, both / a, 0.0)
        lift = np.where(c > 0, confidence / c, 0.0)
        conviction = np.where(confidence < 1, (1 - c) / (1 - confidence), np.nan)
    return pd.DataFrame(
        {
            "orders_with_antecedent": with_a,
            "popularity": c,
            "support": both,
            "confidence": confidence,
            "lift": lift,
            "leverage": both - a * c,
            "conviction": conviction,
        }
    )


def holds(rules: pd.DataFrame, z: float) -> pd.Series:
    """Whether the consequent is surely more likely with the antecedent than without asking: lift's lower bound > 1."""
    return wilson_lower(rules["confidence"], rules["orders_with_antecedent"], z) > rules["popularity"]


def says_more(rules: pd.DataFrame, z: float) -> pd.Series:
    """Whether a rule is surely more confident than each that needs less: a bystander in the antecedent adds nothing."""
    pairs = [(frozenset(a), c) for a, c in rules[["antecedent", "consequent"]].to_numpy()]
    known = dict(zip(pairs, rules["confidence"], strict=True))
    simpler = [max((known.get((a - {item}, c), 0.0) for item in a), default=0.0) for a, c in pairs]
    return wilson_lower(rules["confidence"], rules["orders_with_antecedent"], z) > simpler


def wilson_lower(share: pd.Series, n: pd.Series, z: float) -> pd.Series:
    """Lower end of Wilson's interval for a share seen in n trials; 0 for none."""
    centre = share + z * z / (2 * n)
    spread = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return ((centre - spread) / (1 + z * z / n)).where(n > 0, 0.0)


def encode(baskets: Collection[Sequence[str]], items: list[str]) -> sparse.csr_matrix:
    """Baskets as rows, items as columns, True where the basket holds the item; other items are left out."""
    place = {item: i for i, item in enumerate(items)}
    cells = [(r, place[i]) for r, basket in enumerate(baskets) for i in set(basket) if i in place]
    rows, columns = zip(*cells, strict=True) if cells else ((), ())
    return sparse.csr_matrix((np.ones(len(cells), dtype=bool), (rows, columns)), shape=(len(baskets), len(items)))


def encode_lines(lines: pd.DataFrame, items: list[str]) -> sparse.csr_matrix:
    """The same from lines (`order_id`, `item`; each pair once, all among `items`): a row per order that has one."""
    rows, orders = pd.factorize(lines["order_id"])
    columns = pd.Categorical(lines["item"], categories=items).codes
    return sparse.csr_matrix((np.ones(len(lines), dtype=bool), (rows, columns)), shape=(len(orders), len(items)))


def holds_all(baskets: sparse.csr_matrix, itemsets: Collection[Sequence[str]], items: list[str]) -> sparse.csr_matrix:
    """Baskets × itemsets, True where the basket holds every item of the set."""
    held = baskets.astype(np.int32) @ encode(itemsets, items).astype(np.int32).T
    held.data = held.data == np.array([len(s) for s in itemsets])[held.indices]
    held.eliminate_zeros()
    return held


def withheld(lines: pd.DataFrame, most: int) -> pd.DataFrame:
    """One row per basket of two items and more: its `items`, less the one `withheld`.

    Which one, and which baskets where there are more than `most`, is drawn by a hash: the same in every run.
    """
    lines = lines.assign(draw=pd.util.hash_pandas_object(lines["order_id"] + "\x1f" + lines["item"], index=False))
    lines = lines.sort_values(["order_id", "draw"])
    lines = lines[lines.groupby("order_id")["item"].transform("size") > 1]
    lines = lines[lines.groupby("order_id")["draw"].transform("min").rank(method="dense") <= most]
    baskets = lines.groupby("order_id")["item"].agg(list)
    return pd.DataFrame({"items": baskets.map(lambda b: sorted(b[1:])), "withheld": baskets.map(lambda b: b[0])})
