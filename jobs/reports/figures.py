"""The numbers of each report, of all reports of a kind at once: tables in, plain values out; no words, no files.

A **week** is the 7 days that end with the data's last day, a **month** the 28 days; each is set against as many days
before it. Margin, stock and spoilage are told by the calendar month: there it is the last one that is over. Amounts are
exact decimals in the business currency, as gold has them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, TypeVar

from jobs.reports.read import WEEKS, Source

Kind = Literal["store", "category", "campaign", "shop"]
ALL = "all"  # the subject that is all stores and channels together
ZERO = Decimal("0.00")
WEEK_DAYS, MONTH_DAYS = 7, 28
BY = ("category", "store", "channel")
SUBJECTS = {"store": "store_id", "category": "department", ALL: f"'{ALL}'"}  # which rows are a subject's


_SALES = ("gold.sales_daily", "gold.category_margin", "gold.stock_turnover", "gold.fresh_loss")
_STORE = (*_SALES, "gold.store_360", "gold.store_affinity", "gold.store_daily", "gold.ledger_reconciliation")
TABLES_OF: Mapping[Kind, tuple[str, ...]] = {  # what the figures of a kind are from; store_360 also names the stores
    "store": _STORE,
    "category": (*_SALES, "gold.store_360"),
    "campaign": ("gold.campaign_performance", "gold.campaign_channels"),
    "shop": (*_STORE, "gold.customer_value"),
}


@dataclass(frozen=True)
class Totals:
    """Sales of some days: `net` after returns, `returned` as a positive amount, `list` at the shelf's price."""

    net: Decimal = ZERO
    returned: Decimal = ZERO
    list: Decimal = ZERO
    units: int = 0

    @property
    def returned_share(self) -> float | None:
        """Of what was sold, the share that came back; None if nothing was sold."""
        sold = self.net + self.returned
        return float(self.returned / sold) if sold > 0 else None

    @property
    def discount_share(self) -> float | None:
        """Of the shelf's price, the share that was given away; None if nothing was sold."""
        return float((self.list - self.net) / self.list) if self.list > 0 else None


@dataclass(frozen=True)
class Row:
    """One line of a table that splits a subject: now against before."""

    name: str
    now: Totals = Totals()
    before: Totals = Totals()

    @property
    def change(self) -> float | None:
        """How much more was sold than before, as a share; None where there is nothing to compare with."""
        return change(self.now.net, self.before.net)


@dataclass(frozen=True)
class Period(Row):
    """The days up to the last one against as many before; `is_comparable`: the lake knows sales of all of these."""

    days: int = 0
    last: date = date.min
    is_comparable: bool = True

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - timedelta(days=self.days - 1)

    @property
    def change(self) -> float | None:
        """As of a row; None too where the lake does not know the days before."""
        return super().change if self.is_comparable else None


@dataclass(frozen=True)
class Month:
    """A calendar month of a subject, or of a category in it. None is not known; there may be goods without stock."""

    name: str
    first: date
    net: Decimal | None = None
    costed: Decimal = ZERO
    margin: Decimal | None = None
    stock: Decimal | None = None
    turnover: float | None = None
    supply_days: float | None = None
    spoiled: Decimal | None = None
    loss_share: float | None = None

    @property
    def margin_rate(self) -> float | None:
        """Margin as a share of the sales whose cost is known."""
        return float(self.margin / self.costed) if self.margin is not None and self.costed > 0 else None


@dataclass(frozen=True)
class Pair:
    """Two categories that are bought together: `lift` times as often as by chance, in so many orders."""

    left: str
    right: str
    lift: float
    orders: int


@dataclass(frozen=True)
class Figures:
    """All of one report. `about`: what the store, or the campaign, is; empty where nobody tells."""

    kind: Kind
    id: str
    as_of: date
    about: Mapping[str, Any] = field(default_factory=dict)
    week: Period = Period("")
    month: Period = Period("")
    usual: Totals = Totals()  # of all days that are looked at, which is what a share is usual by
    weeks: tuple[tuple[date, Decimal], ...] = ()  # first day of each whole week, oldest first
    days: tuple[tuple[date, Decimal, Decimal], ...] = ()  # of the month: net of the day, and of that 28 days before
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)  # of the month, by each of BY
    months: tuple[Month, ...] = ()
    last_month: date = date.min
    last_month_rows: tuple[Month, ...] = ()  # by category
    pairs: tuple[Pair, ...] = ()
    last_sale: date | None = None
    orders: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # by days of a period: orders now, and before
    value_classes: Mapping[str, tuple[int, Decimal]] = field(default_factory=dict)  # customers, and their net in a year
    unreconciled: tuple[tuple[date, Decimal], ...] = ()  # months in which ledger and tills differ, by how much
    channels: tuple[Mapping[str, Any], ...] = ()  # of a campaign
    peers: Mapping[str, float] = field(default_factory=dict)  # of all campaigns: what is usual
    missing: frozenset[str] = frozenset()

    @cached_property
    def has_sales(self) -> bool:
        """Whether anything was sold, or came back, in the month."""
        return self.month.now != Totals()

    @cached_property
    def silent_days(self) -> int:
        """Days of the month without any sale."""
        return sum(net == 0 for _, net, _ in self.days)


Named = TypeVar("Named", Row, Month)


def change(now: Decimal, before: Decimal) -> float | None:
    """How much more than before, as a share of before; None where before is nothing to compare with."""
    return float((now - before) / before) if before > 0 else None


def of_kind(source: Source, kind: Kind) -> list[Figures]:
    """The figures of every report of a kind, by id."""
    if kind == "campaign":
        return _campaigns(source)
    if kind == "shop":
        stores = _subjects(source, "store")
        # A shop alone is the whole business: one page says all of it.
        both = [*_subjects(source, ALL), *(stores if len(stores) > 1 else [])]
        return [replace(f, kind="shop") for f in both]
    return _subjects(source, kind)


# --- stores, categories, and all together -----------------------------------------------------------------------------


def _subjects(source: Source, level: str) -> list[Figures]:
    key = SUBJECTS[level]
    periods = _periods(source, key)
    rows = {by: _rows(source, key, by) for by in BY}
    weeks, days = _weeks(source, key), _days(source, key)
    months, last_month_rows = _months(source, key, "month"), _months(source, key, "category", source.last_month)
    usual, last_sale = _usual(source, key)
    about = _stores(source) if level == "store" else {}
    pairs = _store_pairs(source) if level == "store" else {}
    unreconciled = _unreconciled(source) if level == "store" else {}
    orders = _orders(source, key) if level in ("store", ALL) else {}  # an order holds several categories
    found = []
    for subject in sorted(set(last_sale) | set(about)):
        week, month = periods[subject]
        found.append(
            Figures(
                kind="store" if level == ALL else level,  # type: ignore[arg-type]
                id=subject,
                as_of=source.as_of,
                about=about.get(subject, {}),
                week=week,
                month=month,
                usual=usual.get(subject, Totals()),
                weeks=weeks[subject],
                days=days[subject],
                rows={by: rows[by].get(subject, ()) for by in BY},
                months=months.get(subject, ()),
                last_month=source.last_month,
                last_month_rows=last_month_rows.get(subject, ()),
                pairs=pairs.get(subject, ()),
                last_sale=last_sale.get(subject),
                orders=orders.get(subject, {}),
                value_classes=_value_classes(source) if level == ALL else {},
                unreconciled=unreconciled.get(subject, ()),
                missing=source.missing,
            )
        )
    return found


def _ask(source: Source, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    return source.con.execute(sql, list(values)).fetchall()


_SUMS = """coalesce(sum(net_amount) FILTER ({0}), 0), coalesce(sum(returned_amount) FILTER ({0}), 0),
coalesce(sum(list_amount) FILTER ({0}), 0), coalesce(sum(unit_count) FILTER ({0}), 0)"""


def _now_and_before(source: Source, days: int) -> str:
    """Sums of the last days and of as many before, as SQL."""
    last = source.as_of
    now = f"order_date > DATE '{last - timedelta(days=days)}'"
    before = (
        f"order_date <= DATE '{last - timedelta(days=days)}' AND order_date > DATE '{last - timedelta(days=2 * days)}'"
    )
    return f"{_SUMS.format('WHERE ' + now)}, {_SUMS.format('WHERE ' + before)}"


def _totals(values: Iterable[Any]) -> Totals:
    net, returned, list_, units = values
    return Totals(_money(net), _money(returned), _money(list_), int(units))


def _money(value: Any) -> Decimal:
    return Decimal(value).quantize(ZERO)


def _periods(source: Source, key: str) -> Mapping[str, tuple[Period, Period]]:
    made: dict[str, list[Period]] = defaultdict(list)
    for days in (WEEK_DAYS, MONTH_DAYS):
        known = source.first <= source.as_of - timedelta(days=2 * days - 1)
        said: Any = {"days": days, "last": source.as_of, "is_comparable": known}
        for subject, *sums in _ask(
            source, f"SELECT {key}, {_now_and_before(source, days)} FROM sales_daily GROUP BY ALL"
        ):
            made[subject].append(Period(subject, _totals(sums[:4]), _totals(sums[4:]), **said))
    nothing = tuple(Period("", days=days, last=source.as_of, is_comparable=False) for days in (WEEK_DAYS, MONTH_DAYS))
    found: dict[str, tuple[Period, Period]] = defaultdict(lambda: (nothing[0], nothing[1]))
    return found | {subject: (two[0], two[1]) for subject, two in made.items()}


# A category is its department's own; where the master has none, the department says more than UNKNOWN.
_CATEGORY = "CASE WHEN category = 'UNKNOWN' THEN department ELSE category END"
_PARTS = {"category": f"department, {_CATEGORY}", "store": "NULL, store_id", "channel": "NULL, channel"}


def _rows(source: Source, key: str, by: str) -> Mapping[str, tuple[Row, ...]]:
    """What a subject sold by category, store or channel in the month, most first."""
    sql = f"SELECT {key}, {_PARTS[by]}, {_now_and_before(source, MONTH_DAYS)} FROM sales_daily GROUP BY ALL"
    found: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for subject, department, name, *sums in _ask(source, sql):
        row = Row(name, _totals(sums[:4]), _totals(sums[4:]))
        if (row.now, row.before) != (Totals(), Totals()):
            found[subject].append((department, row))
    return {s: tuple(sorted(_told_apart(rows), key=lambda r: (-r.now.net, r.name))) for s, rows in found.items()}


def _told_apart(rows: list[tuple[str, Named]]) -> list[Named]:
    """Rows with their department; of those that share a name, the department is told with it."""
    names = Counter(row.name for _, row in rows)
    return [replace(r, name=f"{r.name} ({department})") if names[r.name] > 1 else r for department, r in rows]


def _weeks(source: Source, key: str) -> Mapping[str, tuple[tuple[date, Decimal], ...]]:
    """Net of each whole week that the lake knows; zero where the subject sold nothing."""
    known = min(((source.as_of - source.first).days + 1) // WEEK_DAYS, WEEKS)
    firsts = [source.as_of - timedelta(days=WEEK_DAYS * (back + 1) - 1) for back in reversed(range(known))]
    sql = f"""SELECT {key}, CAST(floor(date_diff('day', order_date, ?::DATE) / {WEEK_DAYS}) AS INT), sum(net_amount)
    FROM sales_daily GROUP BY ALL"""
    sums: dict[str, dict[int, Decimal]] = defaultdict(dict)
    for subject, back, net in _ask(source, sql, source.as_of):
        sums[subject][back] = _money(net)
    nothing = tuple((first, ZERO) for first in firsts)
    found: dict[str, tuple[tuple[date, Decimal], ...]] = defaultdict(lambda: nothing)
    for subject, by_back in sums.items():
        found[subject] = tuple((first, by_back.get(known - 1 - i, ZERO)) for i, first in enumerate(firsts))
    return found


def _days(source: Source, key: str) -> Mapping[str, tuple[tuple[date, Decimal, Decimal], ...]]:
    sql = f"SELECT {key}, order_date, sum(net_amount) FROM sales_daily WHERE order_date > ? GROUP BY ALL"
    sums: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for subject, day, net in _ask(source, sql, source.as_of - timedelta(days=2 * MONTH_DAYS)):
        sums[subject][day] = _money(net)
    shown = [source.as_of - timedelta(days=back) for back in reversed(range(MONTH_DAYS))]
    found: dict[str, tuple[tuple[date, Decimal, Decimal], ...]] = defaultdict(
        lambda: tuple((day, ZERO, ZERO) for day in shown)
    )
    for subject, by_day in sums.items():
        found[subject] = tuple(
            (day, by_day.get(day, ZERO), by_day.get(day - timedelta(days=MONTH_DAYS), ZERO)) for day in shown
        )
    return found


def _usual(source: Source, key: str) -> tuple[Mapping[str, Totals], Mapping[str, date]]:
    sql = f"SELECT {key}, max(order_date), {_SUMS.format('WHERE true')} FROM sales_daily GROUP BY ALL"
    found = _ask(source, sql)
    return {s: _totals(sums) for s, _, *sums in found}, {s: last for s, last, *_ in found}


def _months(source: Source, key: str, by: str, only: date | None = None) -> Mapping[str, tuple[Month, ...]]:
    """Months of a subject, oldest first; or of its categories in one month, most sold first."""
    department, name = ("department", _CATEGORY) if by == "category" else ("NULL", "''")
    of = f"{key} AS subject, {department} AS part_of, {name} AS name, month_start_date AS month"
    where = f"WHERE month_start_date = DATE '{only}'" if only else ""
    sql = f"""
    WITH told AS (
        SELECT {of}, net_amount AS net, costed_net_amount AS costed, margin_amount AS margin
        FROM category_margin {where}
        UNION ALL BY NAME
        SELECT {of}, mean_stock_cost_amount AS stock, sold_cost_amount AS turned, supply_days
        FROM stock_turnover {where}
        UNION ALL BY NAME
        SELECT {of}, spoiled_cost_amount AS spoiled, spoiled_unit_count AS lost, sold_unit_count AS kept
        FROM fresh_loss {where}
    )
    SELECT subject, part_of, name, month, sum(net), sum(costed), CASE WHEN sum(costed) > 0 THEN sum(margin) END,
        sum(stock),
        sum(turned)::DOUBLE / nullif(sum(stock), 0)::DOUBLE,
        -- One row knows how many days its books cover; over several it is the month's.
        CASE WHEN count(stock) = 1 THEN max(supply_days)
        ELSE sum(stock)::DOUBLE * day(last_day(month)) / nullif(sum(turned), 0)::DOUBLE END,
        sum(spoiled), sum(lost)::DOUBLE / nullif(sum(lost) + sum(kept), 0)::DOUBLE
    FROM told GROUP BY subject, part_of, name, month
    """
    nothing = None if "gold.category_margin" in source.missing else ZERO  # goods in stock of which nothing was sold
    found: dict[str, list[tuple[str, Month]]] = defaultdict(list)
    for subject, part_of, label, month, net, costed, *rest in _ask(source, sql):
        told = Month(label, month, nothing if net is None else net, costed or ZERO, *rest)
        found[subject].append((part_of, told))
    if by == "month":
        return {s: tuple(sorted((m for _, m in months), key=lambda m: m.first)) for s, months in found.items()}
    return {s: tuple(sorted(_told_apart(rows), key=lambda m: (-(m.net or 0), m.name))) for s, rows in found.items()}


def _stores(source: Source) -> Mapping[str, Mapping[str, Any]]:
    """What each store is, and its place among the stores by sales in twelve months."""
    sql = "SELECT *, rank() OVER (ORDER BY net_amount DESC) AS place, count(*) OVER () AS places FROM store_360"
    names = [d[0] for d in source.con.execute(sql).description or ()]
    return {row["store_id"]: row for row in (dict(zip(names, r, strict=True)) for r in _ask(source, sql))}


def _store_pairs(source: Source) -> Mapping[str, tuple[Pair, ...]]:
    """Categories bought together, each pair once, the most telling first."""
    sql = """SELECT store_id, category, other_category, lift, pair_order_count FROM store_affinity
    WHERE category < other_category ORDER BY store_id, lift DESC, category, other_category"""
    found: dict[str, list[Pair]] = defaultdict(list)
    for store, *pair in _ask(source, sql):
        found[store].append(Pair(*pair))
    return {store: tuple(pairs) for store, pairs in found.items()}


def _unreconciled(source: Source) -> Mapping[str, tuple[tuple[date, Decimal], ...]]:
    sql = """SELECT store_id, month_start_date, ledger_difference_amount FROM ledger_reconciliation
    WHERE NOT is_reconciled AND ledger_difference_amount <> 0 ORDER BY ALL"""
    found: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for store, month, off in _ask(source, sql):
        found[store].append((month, off))
    return {store: tuple(months) for store, months in found.items()}


def _orders(source: Source, key: str) -> Mapping[str, Mapping[int, tuple[int, int]]]:
    """Orders of each subject by days of the period: in it, and in as many days before; empty if no table tells."""
    found: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for days in (WEEK_DAYS, MONTH_DAYS):
        sql = f"""SELECT {key}, coalesce(sum(order_count) FILTER (WHERE order_date > ?), 0), coalesce(sum(order_count)
        FILTER (WHERE order_date <= ? AND order_date > ?), 0) FROM store_daily GROUP BY ALL"""
        middle = source.as_of - timedelta(days=days)
        for subject, now, before in _ask(source, sql, middle, middle, middle - timedelta(days=days)):
            found[subject][days] = (int(now), int(before))
    return found


def _value_classes(source: Source) -> Mapping[str, tuple[int, Decimal]]:
    sql = "SELECT value_class, count(*), sum(net_amount_365d) FROM customer_value GROUP BY ALL ORDER BY ALL"
    return {name: (count, _money(net)) for name, count, net in _ask(source, sql)}


# --- campaigns --------------------------------------------------------------------------------------------------------


def _campaigns(source: Source) -> list[Figures]:
    """Every campaign that has begun, with its channels: of the two tables that tell of it one is enough."""
    performance = _dicts(source, "SELECT * FROM campaign_performance")
    channels: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in _dicts(source, "SELECT * FROM campaign_channels ORDER BY sent_count DESC, touch_channel"):
        channels[row["campaign_id"]].append(row)
    known = {row["campaign_id"]: row for row in performance}
    peers = _peers(source)
    found = []
    for campaign in sorted(set(known) | set(channels)):
        described = channels[campaign][0] if channels[campaign] else {}
        names = ("campaign_name_zh", "campaign_name_en", "start_date", "end_date", "targeted_member_count")
        about = {n: described.get(n) for n in names} | {n: v for n, v in known.get(campaign, {}).items()}
        found.append(
            Figures(
                kind="campaign",
                id=campaign,
                as_of=source.as_of,
                about=about,
                channels=tuple(channels[campaign]),
                peers=peers,
                missing=source.missing,
            )
        )
    return found


def _peers(source: Source) -> Mapping[str, float]:
    """What is usual over all campaigns: shares of their sums; only what there is something to have a share of."""
    sql = """SELECT sum(redeemer_count) / nullif(sum(targeted_member_count), 0), NULL FROM campaign_performance
    UNION ALL SELECT sum(exposed_count) / nullif(sum(sent_count), 0), sum(clicked_count) / nullif(sum(exposed_count), 0)
    FROM campaign_channels"""
    (redemption, _), (exposure, click) = _ask(source, sql)
    usual = {"redemption_rate": redemption, "exposure_rate": exposure, "click_rate": click}
    return {name: float(value) for name, value in usual.items() if value is not None}


def _dicts(source: Source, sql: str) -> list[Mapping[str, Any]]:
    cursor = source.con.execute(sql)
    names = [d[0] for d in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
