"""The aftersales desk: refunds of online orders, whatever platform they came from, as JSON lines.

Asked of the desk's service, page by page with a cursor.
"""

from datetime import datetime, time
from typing import BinaryIO

from jobs.kit.contracts import Contract
from jobs.landing.platform import Api, Row, by_cursor, write
from jobs.landing.pulls import Days

SCHEDULE = "30 6 * * *"  # After the platforms' orders, so that a refund finds the order that it is for.


def pull(contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
    """What was booked or changed in these days, oldest first: `<address>/<table>`."""
    api = Api(contract, address)
    since = datetime.combine(api.since(days), time(), days.zone)

    def ask(cursor: str) -> tuple[list[Row], str]:
        window = {"since": since.isoformat(), "until": days.until.isoformat()}
        found = api.get(contract.table, **window, after=cursor or None, size=100)
        return found["records"], found["meta"]["after_cursor"] if found["meta"]["has_more"] else ""

    write(contract, file, by_cursor(ask))
