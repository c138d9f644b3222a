"""How the retailer's systems write down what they saw: files in a drop folder, each system in its own way.

A feed is a query, `feeds/<table>.sql`, whose rows become the files of one table: `file_day` says in which file a row is
sent, the other columns are what the system writes. History is sent by the month (named by its last day), the last
`DAILY_DAYS` days one by one. All times are local with their offset, or epoch milliseconds where an SDK counts them.

**Dirt**, beside that of the registrations (people.py), at the rates below:

| rate | what |
|---|---|
| LATE_STORE | store-days of till lines that come one to three days late |
| SENT_TWICE | till lines that are in their file twice |
| BAD_LINE | tickets beside which a till sent a line that is none: test print, broken amount |
| LATE_EVENT, REPEATED_EVENT | events that come with the next day's file; events sent twice |
| SKEWED_CLOCK | phones whose clock is off by up to two days (the server's time is right) |
| LEDGER_ERROR | store-months of revenue that the ledger books wrong |

From 1 March 2025 on the app calls an article `sku_id`; before it was `sku`. The CRM exports GB 18030; its attributes
come with a byte-order mark; the warehouse splits columns by `|`; finance sends workbooks.
"""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import xlsxwriter

from jobs.demo.files import put, quoted
from jobs.demo.retailer import campaigns, journeys
from jobs.demo.retailer.world import World

DAILY_DAYS = 61
RENAMED_ON = date(2025, 3, 1)
RATES = {
    "LATE_STORE": 0.0015,
    "SENT_TWICE": 0.001,
    "BAD_LINE": 0.002,
    "LATE_EVENT": 0.02,
    "REPEATED_EVENT": 0.01,
    "SKEWED_CLOCK": 0.005,
    "LEDGER_ERROR": 0.004,
}


@dataclass(frozen=True)
class Feed:
    """One table that a system sends: its files are `<folder>/<table>_<date>.<format>`."""

    folder: str
    table: str
    format: str = "csv"  # csv | jsonl | xlsx
    delimiter: str = ","
    encoding: str = "utf-8"  # utf-8 | utf-8-sig | gb18030
    large: str = ""  # a table with file_day: the query is for one FILE_DAY of it, not for all

    def file(self, world: World, day: int) -> str:
        """The name of the file of a day."""
        return f"{self.table}_{world.scale.first + timedelta(days=day)}.{self.format}"


FEEDS = (
    Feed("pos/pos_lines", "pos_lines"),
    Feed("pos/pos_tickets", "pos_tickets"),
    Feed("pos/pos_payments", "pos_payments"),
    Feed("erp/products", "product_master"),
    Feed("erp/product_details", "product_details"),
    Feed("erp/price_list", "price_list"),
    Feed("erp/store_master", "store_master"),
    Feed("erp/erp_members", "erp_members"),
    Feed("crm/crm_members", "crm_members", encoding="gb18030"),
    Feed("crm/members", "member_attributes", encoding="utf-8-sig"),
    Feed("crm/consent_changes", "consent_changes"),
    Feed("app/app_events", "app_events", "jsonl", large="app_event"),
    Feed("app/app_orders", "app_orders", "jsonl", large="online"),
    Feed("app/app_users", "app_users", "jsonl"),
    Feed("tmall/tmall_orders", "tmall_orders", "jsonl"),
    Feed("jd/jd_orders", "jd_orders", "jsonl"),
    Feed("aftersales/refunds", "refunds", "jsonl"),
    Feed("social/social_interactions", "social_interactions", "jsonl"),
    Feed("marketing/campaign_list", "campaign_list"),
    Feed("marketing/campaign_plans", "campaign_plans"),
    Feed("marketing/campaign_targets", "campaign_targets"),
    Feed("marketing/coupon_list", "coupon_list"),
    Feed("marketing/coupon_events", "coupon_events"),
    Feed("marketing/marketing_touches", "marketing_touches"),
    Feed("marketing/promotion_placements", "promotion_placements"),
    Feed("operations/stock_snapshots", "stock_snapshots", delimiter="|"),
    Feed("operations/stock_moves", "stock_moves", delimiter="|"),
    Feed("operations/purchase_orders", "purchase_orders", delimiter="|"),
    Feed("logistics/delivery_events", "delivery_events", "jsonl"),
    Feed("logistics/gps_points", "gps_points", "jsonl"),
    Feed("feedback/reviews", "reviews", "jsonl"),
    Feed("feedback/service_tickets", "service_tickets"),
    Feed("feedback/survey_answers", "survey_answers"),
    Feed("outside/weather_daily", "weather_daily"),
    Feed("outside/holiday_list", "holiday_list"),
    Feed("outside/competitor_list", "competitor_list"),
    Feed("finance/ledger_entries", "ledger_entries"),
    Feed("finance/finance_monthly", "finance_monthly", "xlsx"),
    Feed("finance/finance_expenses", "finance_expenses", "xlsx"),
)


def write(world: World, drop: Path, heed: Callable[[str, int, int], None]) -> tuple[int, int]:
    """Write all files; (files, of them new or changed). A file whose content would not change is not touched."""
    prepare(world)
    written = changed = 0
    for number, feed in enumerate(FEEDS):
        heed(f"{feed.folder}/{feed.table}", number, len(FEEDS))
        for is_changed in write_feed(world, drop, feed):
            written, changed = written + 1, changed + is_changed
    return written, changed


def prepare(world: World) -> None:
    """The variables, macros and views that the feeds' queries use."""
    scale = world.scale
    said = {"SEED": scale.seed, "LAST_DAY": scale.days - 1, "DAILY_FROM": scale.days - DAILY_DAYS, **RATES}
    said["RENAMED_DAY"] = (RENAMED_ON - scale.first).days
    world.run(f"SET VARIABLE FIRST = DATE '{scale.first}'", *(f"SET VARIABLE {k} = {v}" for k, v in said.items()))
    for macro, names in (("channel_name", campaigns.CHANNELS), ("event_kind", journeys.KINDS)):
        world.run(f"CREATE OR REPLACE MACRO {macro}(n) AS {list(names)}[n::INT + 1]")
    world.run(_query("_shared"))


def _query(name: str) -> str:
    return (files("jobs.demo.retailer") / "feeds" / f"{name}.sql").read_text(encoding="utf-8")


# --- files ------------------------------------------------------------------------------------------------------------


def write_feed(world: World, drop: Path, feed: Feed) -> Iterator[bool]:
    """The files of one feed, whether each is new or changed: file by file, or written as one and cut."""
    folder = drop / feed.folder
    folder.mkdir(parents=True, exist_ok=True)
    *before, query = _query(feed.table).split(";\n")
    world.run(*before)
    whole = folder / f".{feed.table}.whole.tmp"  # hidden: landing looks past names with a leading dot
    if feed.large:
        days = world.get(f"SELECT DISTINCT file_day FROM {feed.large} ORDER BY 1")["file_day"].tolist()
        for day in days:
            world.run(f"SET VARIABLE FILE_DAY = {day}")
            _copy(world, query, whole, feed)
            if whole.stat().st_size:
                yield put(whole, folder / feed.file(world, day))
        whole.unlink(missing_ok=True)
    else:
        world.run(f"CREATE OR REPLACE TEMP TABLE feed AS {query}")
        _copy(world, "FROM feed", whole, feed)
        counts = world.get("SELECT file_day, count(*) AS n FROM feed GROUP BY 1 ORDER BY 1")
        world.run("DROP TABLE feed")
        yield from _cut(world, whole, feed, zip(counts["file_day"].tolist(), counts["n"].tolist(), strict=True))


def _copy(world: World, query: str, path: Path, feed: Feed) -> None:
    options = "FORMAT json" if feed.format == "jsonl" else f"FORMAT csv, HEADER true, DELIMITER '{feed.delimiter}'"
    world.run(f"COPY (SELECT * EXCLUDE (file_day) FROM ({query})) TO {quoted(path)} ({options})")


def _cut(world: World, whole: Path, feed: Feed, counts: Iterable[tuple[int, int]]) -> Iterator[bool]:
    """Cut a file of all days, in their order, into the files of each."""
    with whole.open("rb") as lines:
        header = b"" if feed.format == "jsonl" else next(lines)
        for day, n in counts:
            name = feed.file(world, day)
            fresh = whole.with_name(f".{name}.tmp")
            rows = itertools.chain([header], itertools.islice(lines, n))
            if feed.format == "xlsx":
                _write_workbook(fresh, feed.table, rows)
            elif feed.encoding == "utf-8":
                with fresh.open("wb") as file:
                    file.writelines(rows)
            else:
                fresh.write_bytes(b"".join(rows).decode().encode(feed.encoding))
            yield put(fresh, whole.with_name(name))
    whole.unlink()


def _write_workbook(path: Path, sheet: str, rows: Iterator[bytes]) -> None:
    """A workbook as finance keeps it: numbers as numbers, and a sheet of notes behind."""
    with xlsxwriter.Workbook(path, {"strings_to_numbers": True}) as book:
        book.set_properties({"created": datetime(2024, 1, 1)})  # else the bytes hold the time of writing
        table = book.add_worksheet(sheet)
        for number, fields in enumerate(csv.reader(row.decode() for row in rows)):
            table.write_row(number, 0, fields)
        book.add_worksheet("notes").write(0, 0, "财务部编制，单位：元")
