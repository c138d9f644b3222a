"""Social platforms: who followed, liked, shared, watched or commented under the brand's posts.

Asked of the collector that the platforms report to: by the time of the interaction, in epoch seconds, page by page with
a cursor and `has_more`, in the manner of Douyin's own API.
"""

from datetime import datetime, time
from typing import BinaryIO

from jobs.kit.contracts import Contract
from jobs.landing.platform import Api, Row, by_cursor, write
from jobs.landing.pulls import Days

SCHEDULE = "30 3 * * *"  # At night, when the collector has asked the platforms for the day before.


def pull(contract: Contract, address: str, days: Days, file: BinaryIO) -> None:
    """Interactions of these days, oldest first."""
    api = Api(contract, address)
    since = datetime.combine(api.since(days), time(), days.zone)

    def ask(cursor: str) -> tuple[list[Row], str]:
        start, end = int(since.timestamp()), int(days.until.timestamp())
        found = api.get("interactions/list", "data", start_time=start, end_time=end, cursor=cursor or 0, count=100)
        return found["list"], str(found["cursor"]) if found["has_more"] else ""

    write(contract, file, by_cursor(ask))
