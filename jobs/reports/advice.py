"""What follows from the figures: rules that say something only where the data do. Plain functions, no words.

A rule gives each finding the name of its sentence (`advice.<key>` in the words files), the values for it, and what is
at stake in money, by which findings are put in order. Thresholds are in templates/rules.yaml, where anyone may set
them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from jobs.reports.figures import Figures, Row

Thresholds = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Finding:
    """One sentence to come. `values` are plain values: the words file says how each is written."""

    key: str
    kind: Literal["problem", "chance"]
    stake: Decimal  # in the business currency
    values: Mapping[str, Any]


Rule = Callable[[Figures, Mapping[str, float]], Iterator[Finding]]


def findings(figures: Figures, thresholds: Thresholds) -> list[Finding]:
    """All that the rules of this kind of report find: problems first, in each the most at stake first."""
    found = [f for rule in RULES[figures.kind] for f in rule(figures, thresholds[rule.__name__])]
    return sorted(found, key=lambda f: (f.kind != "problem", -f.stake, f.key, str(f.values)))


# --- stores, categories, shops ----------------------------------------------------------------------------------------


def _split(figures: Figures) -> tuple[Row, ...]:
    """What a report compares within itself: a store its categories; a category its categories too."""
    return figures.rows.get("category", ())


def returns(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Of a category comes back so many times the share that usually comes back here."""
    usual = figures.usual.returned_share
    least = at["least_share_of_sales"] * float(figures.month.now.net)
    for row in _split(figures):
        share = row.now.returned_share
        if usual and share and share >= at["times_usual"] * usual and float(row.now.returned) >= least:
            values = {"name": row.name, "times": share / usual, "share": share, "amount": row.now.returned}
            yield Finding("returns", "problem", row.now.returned, values)


def falling(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """A category that mattered sells far less than before, and not because everything does."""
    yield from _moved(figures, at, -1)


def rising(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """A category that matters sells far more than before, and not because everything does."""
    yield from _moved(figures, at, 1)


def _moved(figures: Figures, at: Mapping[str, float], sign: int) -> Iterator[Finding]:
    whole = figures.month.change
    if whole is None:
        return
    for row in _split(figures):
        moved, larger = row.change, max(row.now.net, row.before.net)
        matters = float(larger) >= at["least_share_of_sales"] * float(
            max(figures.month.now.net, figures.month.before.net)
        )
        if moved is None or not matters:
            continue
        if sign * moved >= at["least_change"] and sign * (moved - whole) >= at["beyond_the_whole"]:
            values = {"name": row.name, "change": abs(moved), "now": row.now.net, "before": row.before.net}
            key, kind = ("rising", "chance") if sign > 0 else ("falling", "problem")
            yield Finding(key, kind, abs(row.now.net - row.before.net), values)  # type: ignore[arg-type]


def slow_stock(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Goods lie for long: money is tied up in them."""
    whole = sum((m.stock for m in figures.last_month_rows if m.stock), Decimal(0))
    for m in figures.last_month_rows:
        if not m.stock or m.supply_days is None or float(m.stock) < at["least_share_of_stock"] * float(whole):
            continue
        if m.supply_days >= at["supply_days"]:
            values = {"name": m.name, "days": m.supply_days, "amount": m.stock, "month": m.first}
            # By then the number says no more.
            yield Finding("slow_stock" if m.supply_days <= 365 else "slow_stock_year", "problem", m.stock, values)


def dead_stock(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Goods lie of which nothing was sold in the whole month."""
    whole = sum((m.stock for m in figures.last_month_rows if m.stock), Decimal(0))
    for m in figures.last_month_rows:
        # Without a sale there is no telling how long the stock will last.
        if m.stock and m.turnover == 0 and float(m.stock) >= at["least_share_of_stock"] * float(whole):
            values = {"name": m.name, "amount": m.stock, "month": m.first}
            yield Finding("dead_stock", "problem", m.stock, values)


def short_stock(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Goods that keep lie for a few days only: the shelf may be empty before the next delivery."""
    for m in figures.last_month_rows:
        keeps = m.spoiled is None
        if keeps and m.supply_days is not None and m.supply_days <= at["supply_days"] and m.net:
            yield Finding("short_stock", "problem", m.net, {"name": m.name, "days": m.supply_days, "month": m.first})


def spoilage(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Much of what is fresh is thrown away."""
    least = at["least_share_of_sales"] * float(figures.month.now.net)
    for m in figures.last_month_rows:
        if not m.spoiled or m.loss_share is None or float(m.spoiled) < least:
            continue
        if m.loss_share >= at["share"]:
            values = {"name": m.name, "share": m.loss_share, "amount": m.spoiled, "month": m.first}
            yield Finding("spoilage", "problem", m.spoiled, values)


def below_cost(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """A category earns less than its goods cost."""
    for m in figures.last_month_rows:
        if m.margin is not None and m.margin_rate is not None and m.margin_rate < at["margin_rate"]:
            values = {"name": m.name, "amount": m.margin, "month": m.first}
            yield Finding("below_cost", "problem", abs(m.margin), values)


def discounts(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """More of the shelf's price is given away than before."""
    now, before = figures.month.now.discount_share, figures.month.before.discount_share
    if now is None or before is None or not figures.month.is_comparable:
        return
    if now - before >= at["least_rise"]:
        given = figures.month.now.list - figures.month.now.net
        yield Finding("discounts", "problem", given, {"now": now, "before": before, "amount": given})


def silence(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Days without a sale where there is one on most days: closed, or not sent."""
    silent = figures.silent_days
    if figures.has_sales and 0 < silent <= at["most_days"]:
        mean = figures.month.now.net / (len(figures.days) - silent)
        days = [day for day, net, _ in figures.days if net == 0]
        yield Finding("silence", "problem", mean * silent, {"days": silent, "last": days[-1]})


def ledger(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Months in which the ledger has another revenue than the tills."""
    off = [(month, amount) for month, amount in figures.unreconciled if abs(float(amount)) >= at["least_amount"]]
    if off:
        whole = sum((abs(amount) for _, amount in off), Decimal(0))
        yield Finding("ledger", "problem", whole, {"months": len(off), "month": off[-1][0], "amount": whole})


def pairs(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Two categories are bought together far oftener than by chance: the pair that tells most."""
    strong = [p for p in figures.pairs if p.lift >= at["lift"] and p.orders >= at["least_orders"]]
    for pair in strong[:1]:
        values = {"left": pair.left, "right": pair.right, "times": pair.lift, "orders": pair.orders}
        yield Finding("pairs", "chance", Decimal(0), values)


def at_risk(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Customers who brought much have stayed away."""
    count, amount = figures.value_classes.get("at-risk", (0, Decimal(0)))
    if count >= at["least_customers"]:
        yield Finding("at_risk", "problem", amount, {"count": count, "amount": amount})


# --- campaigns --------------------------------------------------------------------------------------------------------


def over_budget(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """A channel cost more than was planned."""
    for c in figures.channels:
        if c["budget_use"] is not None and c["budget_use"] >= at["budget_use"]:
            values = {"channel": c["touch_channel"], "use": c["budget_use"], "amount": c["cost_amount"]}
            yield Finding("over_budget", "problem", c["cost_amount"] - c["budget_amount"], values)


def unseen(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Messages of a channel are seen far less than usual."""
    yield from _below_usual(figures, at, "unseen", "sent_count", "exposure_rate")


def unclicked(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Messages of a channel are seen, but clicked far less than usual."""
    yield from _below_usual(figures, at, "unclicked", "exposed_count", "click_rate")


def _below_usual(figures: Figures, at: Mapping[str, float], key: str, of: str, rate: str) -> Iterator[Finding]:
    usual = figures.peers.get(rate)
    for c in figures.channels:
        if usual and c[of] >= at["least_messages"] and c[rate] <= at["times_usual"] * usual:
            values = {"channel": c["touch_channel"], "share": c[rate], "usual": usual, "count": c[of]}
            yield Finding(key, "problem", c["cost_amount"], values)


def best_channel(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Of several channels one brings a click for the least money."""
    told = [c for c in figures.channels if c["cost_per_click"] and c["clicked_count"] >= at["least_clicks"]]
    if len(told) > 1:
        best, worst = (pick(told, key=lambda c: c["cost_per_click"]) for pick in (min, max))
        if best["cost_per_click"] < worst["cost_per_click"]:
            values = {"channel": best["touch_channel"], "amount": best["cost_per_click"]}
            values |= {"other": worst["touch_channel"], "other_amount": worst["cost_per_click"]}
            yield Finding("best_channel", "chance", worst["cost_amount"], values)


def few_redeemed(figures: Figures, at: Mapping[str, float]) -> Iterator[Finding]:
    """Far fewer of those addressed redeemed a coupon than usual."""
    usual, about = figures.peers.get("redemption_rate"), figures.about
    rate, targeted = about.get("redemption_rate"), about.get("targeted_member_count") or 0
    if not usual or rate is None or not about.get("is_finished") or targeted * usual < at["least_expected"]:
        return
    if rate <= at["times_usual"] * usual:
        yield Finding("few_redeemed", "problem", Decimal(0), {"share": rate, "usual": usual, "count": targeted})


_SALES: tuple[Rule, ...] = (
    returns, falling, rising, slow_stock, dead_stock, short_stock, spoilage, below_cost, discounts, silence, ledger,
    pairs, at_risk,
)  # fmt: skip
RULES: Mapping[str, tuple[Rule, ...]] = {
    "store": _SALES,
    "category": _SALES,
    "shop": _SALES,
    "campaign": (over_budget, unseen, unclicked, best_channel, few_redeemed),
}
