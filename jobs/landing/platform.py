"""What the connectors over HTTP share: asking an API patiently, and writing its answers as a contract's file.

An address is `https://key:secret@host/path?since=2024-01-01`. With a key, a token is asked for at
`<path>/oauth/token` (OAuth 2, client credentials) and sent with each request; when it is refused (401), a new one is
asked for. `since`: how far the first pull goes back; without it, `KEPT`. Neither key, secret nor token is ever in
a URL or an error.

**Patience** is urllib3's: what cannot be reached, breaks off, is silent for longer than `TIMEOUT`, or answers 429 or
5xx is asked again after `Retry-After`, or else after a pause that doubles, `RETRY.total` times. Then PullError: the
pull leaves nothing behind, and the next run asks for the same days again.

**Nothing gets lost between two answers.** Rows change while one pages: numbered pages shift, and what goes from page 2
to page 1 after page 1 was read is never seen. So either the platform keeps the place (`by_cursor`), or each window of
time is small enough for one answer (`by_halves`).
"""

import csv
import io
import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache, reduce
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3
from urllib3.util import Retry, Timeout, make_headers

from jobs.kit.contracts import Contract, Drop
from jobs.landing.pulls import Days, PullError

Row = dict[str, Any]
Ask = Callable[[datetime, datetime, int], tuple[list[Row], int]]  # (since, until, page) → rows of the page, rows in all

TIMEOUT = Timeout(connect=10, read=60)  # seconds
RETRY = Retry(
    total=8,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,  # all: nothing here changes what the platform has
    backoff_factor=0.5,
    backoff_max=60,
    backoff_jitter=0.5,
    retry_after_max=600,
)
TOKENS = 3  # so many are tried for one question: a fresh one may expire while a platform has us wait
KEPT = timedelta(days=90)  # marketplaces keep orders findable for three months
SECOND = timedelta(seconds=1)
_DECIMAL = re.compile(r'"\\u0000(-?[0-9][0-9.eE+-]*)"')


class Api:
    """One platform, asked with one key."""

    def __init__(self, contract: Contract, address: str) -> None:
        told = urlsplit(address)
        self.source, self.host = str(contract.source), told.hostname or ""
        self.base = f"{told.scheme}://{told.netloc.rpartition('@')[2]}{told.path.rstrip('/')}"
        self.key, self.secret = unquote(told.username or ""), unquote(told.password or "")
        self.told = {name: values[-1] for name, values in parse_qs(told.query).items()}
        self.token = ""

    def get(self, path: str, *inside: str, **params: Any) -> Any:
        """The JSON of an answer, or what is `inside` it, key by key; decimals keep their digits.

        PullError where the platform stays down, refuses the key, or answers something else.
        """
        for _ in range(TOKENS):
            answer = self._send("GET", path, fields=_text(params), headers=self._bearer())
            if answer.status != 401:
                break
            self.token = ""
        return self._read(answer, path, inside)

    def since(self, days: Days) -> date:
        """The first day to ask for."""
        told = self.told.get("since")
        return days.first or (date.fromisoformat(told) if told else days.last - KEPT)

    def error(self, said: str) -> PullError:
        """The one sentence about this platform, without what nobody may read."""
        for hidden in filter(None, (self.secret, self.token, self.key)):
            said = said.replace(hidden, "***")
        return PullError(f"{self.source}: {self.host} {said}")

    def _bearer(self) -> dict[str, str]:
        if not self.key:
            return {}
        if not self.token:
            headers = make_headers(basic_auth=f"{self.key}:{self.secret}")
            grant = {"fields": {"grant_type": "client_credentials"}, "encode_multipart": False}
            answer = self._send("POST", "oauth/token", headers=headers, **grant)
            self.token = str(self._read(answer, "oauth/token", ("access_token",)))
        return {"Authorization": f"Bearer {self.token}"}

    def _send(self, method: str, path: str, **what: Any) -> urllib3.BaseHTTPResponse:
        try:
            return _pool().request(method, f"{self.base}/{path}", retries=RETRY, timeout=TIMEOUT, **what)
        except urllib3.exceptions.MaxRetryError as error:  # its text holds the whole URL: only the reason is told
            why = str(error.reason or "no reason told")
        except urllib3.exceptions.HTTPError as error:
            why = type(error).__name__
        raise self.error(f"did not answer {path}, asked {RETRY.total} times more ({why}). The next run asks again.")

    def _read(self, answer: urllib3.BaseHTTPResponse, path: str, inside: Iterable[str]) -> Any:
        if answer.status in (401, 403):
            setting = f"SHOPLAKE_SOURCES__{self.source.upper()}"
            raise self.error(f"refuses the key ({answer.status} for {path}): put a valid one into {setting}.")
        if answer.status >= 400:
            raise self.error(f"answered {path} with {answer.status}: {answer.data[:200].decode('utf-8', 'replace')}")
        try:
            whole = json.loads(answer.data, parse_float=Decimal)
        except ValueError:
            raise self.error(f"answered {path} with something else than JSON: is the address right?") from None
        try:
            return reduce(operator.getitem, inside, whole)
        except (LookupError, TypeError):  # rows are not told: they hold personal data
            why = whole.get("error_response", sorted(whole)) if isinstance(whole, dict) else type(whole).__name__
            raise self.error(f"answered {path} without {'.'.join(inside)}, but {why}") from None


@lru_cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager()


def _text(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items() if value is not None}


# --- what does not fit into one answer --------------------------------------------------------------------------------


def by_halves(ask: Ask, since: datetime, until: datetime, when: Callable[[Row], datetime]) -> Iterator[list[Row]]:
    """What changed in [since, until), oldest answer first: what does not fit into one is asked for in two halves.

    A row that changes meanwhile goes to a later time: into a half that is asked after, or past `until` and into a later
    pull. So every row that stays in the window is told, perhaps in two states; pages would have lost some.
    """
    rows, total = ask(since, until, 1)
    if total <= len(rows):
        yield [row for row in rows if since <= when(row) < until]  # some platforms count `until` in
    elif until - since > SECOND:
        middle = since + (until - since) // SECOND // 2 * SECOND
        yield from by_halves(ask, since, middle, when)
        yield from by_halves(ask, middle, until, when)
    else:
        # More in a second than in an answer. Rows only leave a second, so pages only move up: from the last on, what
        # moves is told twice rather than never.
        for page in range(math.ceil(total / max(len(rows), 1)), 0, -1):
            yield [row for row in ask(since, until, page)[0] if since <= when(row) < until]


def by_cursor(ask: Callable[[str], tuple[list[Row], str]]) -> Iterator[list[Row]]:
    """Answer by answer, each with the place at which the next begins; empty at the end."""
    cursor, seen = "", set[str]()
    while True:
        rows, cursor = ask(cursor)
        yield rows
        if not cursor:
            return
        if cursor in seen:
            raise ValueError("the same cursor twice, so the list has no end")
        seen.add(cursor)


def midnights(first: date, days: Days) -> Iterator[tuple[datetime, datetime]]:
    """Each day up to the last, from midnight to midnight of the business time zone."""
    for n in range((days.last - first).days + 1):
        day, after = (datetime.combine(first + timedelta(days=n + more), time(), days.zone) for more in (0, 1))
        yield day, after


# --- the file ---------------------------------------------------------------------------------------------------------


def write(contract: Contract, file: BinaryIO, pages: Iterable[list[Row]]) -> None:
    """Write pages as they come, each row as the table's files have it: one JSON object a line, or CSV with a header.

    PullError if the answers are not what the connector takes them for.
    """
    assert contract.drop
    try:
        if contract.drop.format == "jsonl":
            for page in pages:
                file.writelines(_line(row) for row in page)
        else:
            _write_csv(contract, contract.drop, file, pages)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"{contract.source}: answers for {contract.table} are not as jobs/landing/{contract.source}.py expects"
        raise PullError(f"{said} ({type(error).__name__}: {error}). Has the API changed?") from error


def _write_csv(contract: Contract, drop: Drop, file: BinaryIO, pages: Iterable[list[Row]]) -> None:
    names = [c.received_as for c in contract.columns if c.derived is None]
    text = io.TextIOWrapper(file, drop.encoding, newline="", write_through=True)
    lines = csv.DictWriter(text, names, extrasaction="ignore", delimiter=drop.delimiter, lineterminator="\n")
    lines.writeheader()
    for page in pages:
        lines.writerows(page)
    text.detach()  # the file stays its opener's


def _line(row: Row) -> bytes:
    """As received: `json` knows no decimals, so they pass as marked text."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=lambda number: f"\0{number}")
    return (_DECIMAL.sub(r"\1", text) + "\n").encode()
