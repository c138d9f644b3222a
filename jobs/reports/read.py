"""What reports are made of: tables of gold and scoring, each read once, without Spark, into one DuckDB in memory.

No column that a contract classifies is read, so nothing here can name a person. Should a name that somebody typed into
a master hold a token of the vault all the same, it is masked here, before any report sees it.
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from jobs.kit import lake
from jobs.kit.contracts import load
from jobs.kit.tokens import TOKEN
from jobs.reports.words import ReportError

WEEKS = 26  # of history in a report
MASKED = "•••"
SALES = "gold.sales_daily"  # the one table without which there is nothing to report

# Columns by table. All but the first may be missing: not every retailer has such a source.
TABLES: Mapping[str, tuple[str, ...]] = {
    SALES: (
        "order_date", "channel", "store_id", "department", "category", "unit_count", "list_amount", "net_amount",
        "returned_amount",
    ),
    "gold.category_margin": (
        "month_start_date", "store_id", "department", "category", "net_amount", "costed_net_amount", "margin_amount",
    ),
    "gold.stock_turnover": (
        "month_start_date", "store_id", "department", "category", "sold_cost_amount", "mean_stock_cost_amount",
        "supply_days",
    ),
    "gold.fresh_loss": (
        "month_start_date", "store_id", "department", "category", "sold_unit_count", "spoiled_unit_count",
        "spoiled_cost_amount",
    ),
    "gold.store_360": (
        "as_of_date", "store_id", "store_name", "store_format", "province", "city", "area_m2", "opened_date",
        "month_count", "net_amount", "margin_amount", "margin_rate", "expense_amount", "contribution_amount",
        "net_amount_per_m2",
    ),
    "gold.store_affinity": (
        "as_of_date", "store_id", "category", "other_category", "pair_order_count", "lift",
    ),
    "gold.store_daily": ("order_date", "store_id", "order_count"),
    "gold.customer_value": ("as_of_date", "value_class", "net_amount_365d"),
    "gold.ledger_reconciliation": ("month_start_date", "store_id", "ledger_difference_amount", "is_reconciled"),
    "gold.campaign_performance": (
        "as_of_date", "campaign_id", "campaign_type", "start_date", "end_date", "is_finished", "window_days",
        "targeted_member_count", "redeemer_count", "redemption_count", "redemption_rate", "buyer_count",
        "net_amount_in_window", "net_amount_before", "margin_amount_in_window", "is_comparable",
    ),
    "gold.campaign_channels": (
        "as_of_date", "campaign_id", "touch_channel", "campaign_name_zh", "campaign_name_en", "start_date", "end_date",
        "targeted_member_count", "sent_count", "exposed_count", "clicked_count", "exposure_rate", "click_rate",
        "cost_amount", "budget_amount", "budget_use", "cost_per_click",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """The tables in memory, each under its bare name, as they were known at the end of `as_of`.

    `first` and `as_of`: the first and the last day with a sale; `last_month`: the first day of the last full month.
    `versions`: the Delta versions read; `missing`: tables that were never published, which are here without a row.
    """

    con: duckdb.DuckDBPyConnection
    as_of: date
    first: date
    versions: Mapping[str, int]
    missing: frozenset[str]

    @property
    def last_month(self) -> date:
        """The first day of the last month that is over by `as_of`."""
        return last_full_month(self.as_of)


def last_full_month(day: date) -> date:
    """The first day of the last month that is over at the end of this day."""
    first = day.replace(day=1)
    is_over = day.day == calendar.monthrange(day.year, day.month)[1]
    return first if is_over else (first - timedelta(days=1)).replace(day=1)


def read(as_of: date | None = None) -> Source:
    """Read what reports need, as of the last day with a sale (not after `as_of`, if one is given).

    NotThereError if there is no sale to report; ReportError if a table is older than its contract.
    """
    day, first = _last_day(as_of)
    con = duckdb.connect()
    versions, missing = {}, set()
    for table, columns in TABLES.items():
        version = lake.version(table)
        if version is None:
            missing.add(table)
            rows = _empty(table)
        else:
            versions[table] = version
            if unknown := set(columns) - set(lake.schema(table)):
                raise ReportError(f"{table} has no {', '.join(sorted(unknown))} yet: shoplake run {table} --full")
            rows = lake.read_small(table, f"SELECT {', '.join(columns)} FROM t WHERE {_recent(table, columns, day)}")
        con.register("_rows", rows)
        con.execute(f"CREATE TABLE {table.partition('.')[2]} AS SELECT {_masked(table, columns)} FROM _rows")
        con.unregister("_rows")
    return Source(con, day, first, versions, frozenset(missing))


def _last_day(as_of: date | None) -> tuple[date, date]:
    if lake.version(SALES) is None:
        raise lake.NotThereError(f"{SALES} was never published: bring the lake up to date first (shoplake run --all)")
    until = f"WHERE order_date <= DATE '{as_of}'" if as_of else ""
    found = lake.read_small(SALES, f"SELECT max(order_date) AS last, min(order_date) AS first FROM t {until}")
    last, first = (found[name].to_pylist()[0] for name in ("last", "first"))
    if last is None:
        asked = f" up to {as_of}" if as_of else ""
        raise lake.NotThereError(f"{SALES} holds no sale{asked}: deliver a day of sales, or ask for a later day")
    return last, first


def _recent(table: str, columns: tuple[str, ...], day: date) -> str:
    """What of a table reports look at: rows of the last weeks or months, or what was known at the end of the day."""
    if "as_of_date" in columns:
        return f"as_of_date = (SELECT max(as_of_date) FROM t WHERE as_of_date <= DATE '{day}')"
    if "month_start_date" in columns:
        last = last_full_month(day)
        first = last.replace(year=last.year - 1)
        return f"month_start_date > DATE '{first}' AND month_start_date <= DATE '{last}'"
    return f"order_date > DATE '{day - timedelta(weeks=WEEKS)}' AND order_date <= DATE '{day}'"


def _masked(table: str, columns: tuple[str, ...]) -> str:
    types = load(table).types
    return ", ".join(
        f"regexp_replace({c}, '{TOKEN.pattern}', '{MASKED}', 'g') AS {c}" if types[c] == "string" else c
        for c in columns
    )


def _empty(table: str) -> pa.Table:
    known = {"string": pa.string(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64()}
    known |= {"boolean": pa.bool_(), "date": pa.date32(), "decimal(18,2)": pa.decimal128(18, 2)}
    known |= {"decimal(18,4)": pa.decimal128(18, 4)}
    types = load(table).types
    return pa.schema([(c, known[types[c]]) for c in TABLES[table]]).empty_table()
