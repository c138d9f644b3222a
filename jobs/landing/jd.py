"""JD: the shop's orders at each state, as JSON lines.

Asked over its open platform (JOS), `jingdong.pop.order.search`: orders by when they were last changed, oldest first, in
numbered pages with their total. A platform tells an order as it is, not as it was: a state that another follows before
it is asked for is never told.
"""

from datetime import datetime
from typing import BinaryIO

from jobs.kit.contracts import Contract
from jobs.landing.platform import Api, Row, by_halves, midnights, write
from jobs.landing.pulls import Days
from jobs.landing.tmall import CHINA, TIME, modified

SCHEDULE = "15 4 * * *"  # Right after Tmall, and like it before the refunds of its orders.

PAGE = 50  # the most that it gives


def pull(contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
    """Orders changed in these days, oldest change first, as they are at the end of each day or now."""
    api = Api(contract, address)

    def ask(since: datetime, until: datetime, page: int) -> tuple[list[Row], int]:
        found = api.get(
            "routerjson",
            "jingdong_pop_order_search_responce",  # sic
            "searchorderinfo_result",
            method="jingdong.pop.order.search",
            start_date=since.astimezone(CHINA).strftime(TIME),
            end_date=until.astimezone(CHINA).strftime(TIME),
            dateType=0,  # by time of change
            sortType=0,  # oldest first
            page=page,
            page_size=PAGE,
        )
        return found["orderInfoList"], found["orderTotal"]

    windows = midnights(api.since(days), days)
    pages = (page for since, until in windows for page in by_halves(ask, since, until, modified))
    write(contract, file, (sorted(page, key=changed) for page in pages))


def changed(order: Row) -> tuple[str, str]:
    """The order of a file's lines."""
    return order["modified"], order["orderId"]
