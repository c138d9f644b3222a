"""Tmall: the shop's orders at each state, as JSON lines.

Asked over its open platform (TOP), `taobao.trades.sold.increment.get`: orders by when they were last changed, newest
first, a window of at most one day. A platform tells an order as it is, not as it was: a state that another follows
before it is asked for is never told.
"""

from datetime import datetime, timedelta, timezone
from typing import BinaryIO

from jobs.kit.contracts import Contract
from jobs.landing.platform import Api, Row, by_halves, midnights, write
from jobs.landing.pulls import Days

SCHEDULE = "0 4 * * *"  # At night, when the platform has closed its day; before the refunds of its orders.

CHINA = timezone(timedelta(hours=8))  # both marketplaces tell time without an offset
TIME = "%Y-%m-%d %H:%M:%S"
PAGE = 100  # the most that it gives


def pull(contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
    """Orders changed in these days, oldest change first, as they are at the end of each day or now."""
    api = Api(contract, address)

    def ask(since: datetime, until: datetime, page: int) -> tuple[list[Row], int]:
        found = api.get(
            "router/rest",
            "trades_sold_increment_get_response",
            method="taobao.trades.sold.increment.get",
            start_modified=since.astimezone(CHINA).strftime(TIME),
            end_modified=until.astimezone(CHINA).strftime(TIME),
            page_no=page,
            page_size=PAGE,
        )
        return found.get("trades", {}).get("trade", []), found["total_results"]

    windows = midnights(api.since(days), days)
    pages = (page for since, until in windows for page in by_halves(ask, since, until, modified))
    write(contract, file, (sorted(page, key=changed) for page in pages))


def modified(order: Row) -> datetime:
    """When it was last changed."""
    return datetime.strptime(order["modified"], TIME).replace(tzinfo=CHINA)


def changed(order: Row) -> tuple[str, str]:
    """The order of a file's lines."""
    return order["modified"], order["tid"]
