"""A server that plays the platforms, badly on purpose: Tmall, JD, the aftersales desk, feedback, the social media's
collector, weather, competitors' prices and the marketing calendar, each in its own manner, from the retailer's files.

It knows what the files say. **Of an order or a ticket it tells the newest state as of the end of the day, or of the
later window, that was asked for**, or of what is known by now (`know_until`): real platforms keep no history of states.
So what is pulled equals the files

- for what has no states (refunds, interactions, reviews, answers, weather, prices): row by row;
- for orders, pulled day by day or many at once, and for tickets, pulled day by day: of each order and day of change the
  newest row. A state that another followed on the same day is missing, unless it was told before the next came;
- so for whatever of silver keeps the newest state. When an order was paid is lost where it was shipped the same day.

History that the files send by the month is told by the day on which it happened.

**Misbehaviour**, by seeded dice and at the rates of `RATES`: too many requests (429 with Retry-After, and again for who
does not wait), errors 500 and 503, answers that are late, answers that break off, tokens that expire. And when a day's
orders do not fit into one answer, some of them change their state right after the first: those rows move from where
they were to the newest end. `counts` tells what was asked and how it was answered.
"""

import argparse
import base64
import bisect
import csv
import json
import random
import re
import secrets
import sys
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jobs.demo.retailer import places
from jobs.kit import process
from jobs.kit.process import LOOPBACK, Handle
from jobs.kit.settings import CHECKOUT

SOURCES = ("tmall", "jd", "aftersales", "feedback", "social", "outside")
RATES = {"busy": 0.02, "broken": 0.02, "slow": 0.01, "cut": 0.01, "expired": 0.01, "moving": 0.2}
SLOW_SECONDS = 0.5
WAIT_SECONDS = 1  # what Retry-After says
KEY = "shoplake"
CHINA = timezone(timedelta(hours=8))
TIME = "%Y-%m-%d %H:%M:%S"
SECOND = timedelta(seconds=1)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

Params = dict[str, str]
Row = dict[str, Any]


# --- start and stop ---------------------------------------------------------------------------------------------------


def start(
    files: Path, home: Path, *, since: date | None = None, seed: int = 1, rates: dict[str, float] | None = None
) -> dict[str, str]:
    """Start the server on the retailer's files; the address of each source, with its secret. Once per home.

    `since`: how far a first pull goes back (jobs/landing/platform.py says how far without it).
    """
    state, log = home / "platform.json", home / "logs" / "platform.log"
    if not _running(home):
        port = process.free_port(18080)
        words = [sys.executable, "-m", "jobs.demo.live.platform", str(files), "--home", str(home)]
        words += ["--port", str(port), "--seed", str(seed), "--rates", json.dumps(rates or {})]
        handle = process.spawn(words, log=log, env=process.environment(PYTHONPATH=str(CHECKOUT)), cwd=home)
        process.write_json(state, {"pid": handle.pid, "created": handle.created, "port": port})
        process.wait_until(lambda: process.listens(port), handle, "The platforms' server", log, 60)
    port = json.loads(state.read_text())["port"]
    base, query = f"http://{KEY}:{_secret(home)}@{LOOPBACK}:{port}", f"?since={since}" if since else ""
    return {source: f"{base}/{source}{query}" for source in SOURCES}


def stop(home: Path) -> None:
    """Stop the server that `start` started; nothing if there is none."""
    if found := _running(home):
        process.stop(found)
    (home / "platform.json").unlink(missing_ok=True)


def know_until(home: Path, day: date) -> None:
    """Let the platforms know what happened up to this business day, and nothing of later ones."""
    _manage(home, f"known?until={day}", "POST")


def counts(home: Path) -> dict[str, dict[str, int]]:
    """Per source: requests, rows told, answers by status, and `slow`, `cut`, `early` (did not wait), `moved` rows."""
    return dict(_manage(home, "counts", "GET"))


def _manage(home: Path, path: str, method: str) -> Any:
    port = json.loads((home / "platform.json").read_text())["port"]
    word = base64.b64encode(f"{KEY}:{_secret(home)}".encode()).decode()
    asked = urllib.request.Request(f"http://{LOOPBACK}:{port}/-/{path}", headers={"Authorization": f"Basic {word}"})
    asked.method = method
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


def _running(home: Path) -> Handle | None:
    try:
        told = json.loads((home / "platform.json").read_text())
    except OSError:
        return None
    handle = Handle(told["pid"], told["created"])
    return handle if handle.process() else None


def _secret(home: Path) -> str:
    return process.secret(home / "secrets" / "platform")


# --- what the platforms know ------------------------------------------------------------------------------------------


@dataclass
class Told:
    """One row of a file: whose state it is, when it came to be, and what the file says."""

    at: datetime
    key: str
    row: Row
    is_late: bool = False  # has not happened yet: it will while somebody pages


class Shelf:
    """The rows of one table in the order of their times. `key`: what tells apart the things that have states."""

    def __init__(self, folder: Path, when: Callable[[Row], datetime], key: str = "") -> None:
        rows = [row for path in sorted(folder.glob("[!.]*")) for row in _rows(path)]
        told = (Told(when(row), row[key] if key else f"{n:09d}", row) for n, row in enumerate(rows))
        self.rows = sorted(told, key=lambda t: (t.at, t.key))
        self.times = [t.at for t in self.rows]
        self.has_states = bool(key)

    def let_move(self, dice: random.Random, share: float) -> None:
        """Make late some of the states that follow another of the same day."""
        before = dict[str, date]()
        for told in self.rows:
            day = told.at.astimezone(CHINA).date()
            told.is_late = before.get(told.key) == day and dice.random() < share
            before[told.key] = day

    def span(self, since: datetime, until: datetime) -> list[Told]:
        """All that came to be in [since, until), late or not."""
        return self.rows[bisect.bisect_left(self.times, since) : bisect.bisect_left(self.times, until)]

    def newest(self, since: datetime, until: datetime) -> list[Told]:
        """What has happened in [since, until), of each thing the newest state."""
        happened = [t for t in self.span(since, until) if not t.is_late]
        if not self.has_states:
            return happened
        return sorted({t.key: t for t in happened}.values(), key=lambda t: (t.at, t.key))


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            yield from (json.loads(line, parse_float=lambda text: f"\0{text}") for line in file)
        else:
            yield from csv.DictReader(file)


def _encode(answer: Any) -> bytes:
    """JSON in which the numbers of the files keep their digits."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return re.sub(r'"\\u0000([0-9.eE+-]+)"', r"\1", text).encode()


# --- each in its manner -----------------------------------------------------------------------------------------------


class Refusal(Exception):
    """What a platform answers instead: status, words."""


class Platforms:
    """What all of them know, whom they have given tokens, and what they were asked."""

    def __init__(self, files: Path, seed: int, rates: dict[str, float]) -> None:
        def iso(name: str) -> Callable[[Row], datetime]:
            return lambda row: datetime.fromisoformat(row[name])

        def day(name: str) -> Callable[[Row], datetime]:
            return lambda row: datetime.fromisoformat(row[name]).replace(tzinfo=CHINA)

        self.shelves = {
            "tmall_orders": Shelf(files / "tmall/tmall_orders", day("modified"), "tid"),
            "jd_orders": Shelf(files / "jd/jd_orders", day("modified"), "orderId"),
            "refunds": Shelf(files / "aftersales/refunds", iso("refunded_at")),
            "reviews": Shelf(files / "feedback/reviews", iso("written_at")),
            "survey_answers": Shelf(files / "feedback/survey_answers", day("answered_on")),
            "service_tickets": Shelf(
                files / "feedback/service_tickets",
                lambda row: datetime.fromisoformat(row["resolved_at"] or row["opened_at"]),
                "ticket_id",
            ),
            "social_interactions": Shelf(files / "social/social_interactions", iso("occurred_at")),
            "weather_daily": Shelf(files / "outside/weather_daily", day("weather_date")),
            "competitor_list": Shelf(files / "outside/competitor_list", day("seen_on")),
            "holiday_list": Shelf(files / "outside/holiday_list", day("holiday_date")),
        }
        self.dice, self.rates = random.Random(seed), rates
        for table in ("tmall_orders", "jd_orders"):
            self.shelves[table].let_move(self.dice, rates["moving"])
        self.known = FOREVER
        self.tokens: dict[str, str] = {}  # each, and whose it is
        self.used = set[str]()  # tokens that were good for something and may expire
        self.waits: dict[str, float] = {}  # token: not to be used before
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.lock = threading.Lock()

    def answer(self, source: str, path: str, params: Params) -> Any:
        """What a platform answers when it is in a good mood."""
        return getattr(self, source)(path, params)

    def tmall(self, path: str, params: Params) -> Any:
        """TOP: newest first, a day at most, numbered pages; refusals come with status 200."""
        since, until = (_moment(params[name]) for name in ("start_modified", "end_modified"))
        if until - since > timedelta(days=1):
            return {"error_response": {"code": 41, "msg": "Invalid arguments:end_modified", "sub_code": "isv.span"}}
        size = min(int(params["page_size"]), 100)
        rows, total = self._page("tmall", since, until, int(params["page_no"]), size, newest_first=True)
        found = {"total_results": total, "request_id": secrets.token_hex(6)}
        return {"trades_sold_increment_get_response": found | ({"trades": {"trade": rows}} if rows else {})}

    def jd(self, path: str, params: Params) -> Any:
        """JOS: oldest first, numbered pages of at most 50, and the total."""
        since, until = (_moment(params[name]) for name in ("start_date", "end_date"))
        size = min(int(params["page_size"]), 50)
        rows, total = self._page("jd", since, until, int(params["page"]), size, newest_first=False)
        found = {"apiResult": {"success": True}, "orderTotal": total, "orderInfoList": rows}
        return {"jingdong_pop_order_search_responce": {"searchorderinfo_result": found}}

    def _page(
        self, source: str, since: datetime, until: datetime, page: int, size: int, *, newest_first: bool
    ) -> tuple[list[Row], int]:
        """One numbered page of a window whose end belongs to it, and the rows in all; then some rows may move."""
        shelf, known = self.shelves[f"{source}_orders"], min(until, self.known)
        found = self._changed(shelf, since, until)
        if len(found) <= size and self._move(shelf, since, known):  # all in one answer: there is no between
            found = self._changed(shelf, since, until)
        if newest_first:
            found.reverse()
        if len(found) > size:
            self.counts[source]["moved"] += self._move(shelf, since, known)
        return [t.row for t in found[(page - 1) * size : page * size]], len(found)

    def _changed(self, shelf: Shelf, since: datetime, until: datetime) -> list[Told]:
        """What changed in a window and did not change again on its last day; what changed at `until` too."""
        over = (until - SECOND).astimezone(CHINA).replace(hour=0, minute=0, second=0) + timedelta(days=1)
        found = [t for t in shelf.newest(since, min(over, self.known)) if t.at <= until]
        if over == until < self.known:
            found += [t for t in shelf.span(until, until + SECOND) if not t.is_late]
        return found

    def _move(self, shelf: Shelf, since: datetime, until: datetime) -> int:
        """Let happen what was late; how many rows that moves."""
        late = [told for told in shelf.span(since, until) if told.is_late]
        for told in late:
            told.is_late = False
        return len(late)

    def aftersales(self, path: str, params: Params) -> Any:
        """A service desk: ISO times, a cursor in `meta`."""
        since, until = (datetime.fromisoformat(params[name]) for name in ("since", "until"))
        rows, cursor = self._after(path, since, until, params.get("after", ""), int(params["size"]))
        return {"records": rows, "meta": {"has_more": bool(cursor), "after_cursor": cursor or None}}

    feedback = aftersales

    def social(self, path: str, params: Params) -> Any:
        """A collector: epoch seconds, cursor and has_more."""
        since, until = (datetime.fromtimestamp(int(params[name]), UTC) for name in ("start_time", "end_time"))
        cursor = params["cursor"].removeprefix("0")
        rows, cursor = self._after("social_interactions", since, until, cursor, int(params["count"]))
        return {"data": {"list": rows, "cursor": cursor, "has_more": bool(cursor)}, "extra": {"error_code": 0}}

    def _after(self, table: str, since: datetime, until: datetime, cursor: str, size: int) -> tuple[list[Row], str]:
        """The rows behind a cursor, which names the last one before; the cursor behind them, empty at the end."""
        if table not in self.shelves:
            raise Refusal(404, f"there is no {table}")
        found = self.shelves[table].newest(since, min(until, self.known))
        last = base64.urlsafe_b64decode(cursor.removeprefix("c")).decode()
        at = bisect.bisect_right(found, last, key=_place) if cursor else 0
        more = at + size < len(found)
        behind = base64.urlsafe_b64encode(_place(found[at + size - 1]).encode()).decode() if more else ""
        return [t.row for t in found[at : at + size]], behind and f"c{behind}"

    def outside(self, path: str, params: Params) -> Any:
        """Open-Meteo's archive; a watcher of prices; the marketing calendar."""
        match path:
            case "v1/archive":
                return self._archive(params)
            case "v1/prices":
                since, until = _midnight(params["seen_from"]), _midnight(params["seen_to"], 1)
                cursor, size = params.get("cursor", ""), int(params["limit"])
                rows, cursor = self._after("competitor_list", since, until, cursor, size)
                return {"prices": rows, "next_cursor": cursor or None}
            case "v1/seasons":
                listed = [t.row for t in self.shelves["holiday_list"].rows if t.row["season"]]
                listed = [row for row in listed if row["holiday_date"].startswith(params["year"])]
                spans = [[*rows] for _, rows in groupby(listed, lambda row: row["season"])]
                told = [(rows[0]["season"], rows[0]["holiday_date"], rows[-1]["holiday_date"]) for rows in spans]
                return {"seasons": [dict(zip(("name", "first", "last"), season, strict=True)) for season in told]}
        raise Refusal(404, f"there is no {path}")

    def _archive(self, params: Params) -> Any:
        """Places by their coordinates, each with arrays by the day; null for a day that is not known."""
        first, last = date.fromisoformat(params["start_date"]), date.fromisoformat(params["end_date"])
        days = [str(first + timedelta(days=n)) for n in range((last - first).days + 1)]
        rows = self.shelves["weather_daily"].newest(_midnight(days[0]), min(_midnight(days[-1], 1), self.known))
        known = {(t.row["city"], t.row["weather_date"]): t.row for t in rows}
        asked = params["daily"].split(",")
        answers = []
        for latitude, longitude in zip(params["latitude"].split(","), params["longitude"].split(","), strict=True):
            city = CITIES.get((float(latitude), float(longitude)), "")
            told = [known.get((city, day), {}) for day in days]
            values = {name: [f"\0{row[DAILY[name][0]]}" if row else None for row in told] for name in asked}
            answers.append({
                "latitude": float(latitude), "longitude": float(longitude), "generationtime_ms": 0.1,
                "utc_offset_seconds": 28800, "timezone": params["timezone"], "timezone_abbreviation": "GMT+8",
                "elevation": 0.0, "daily_units": {"time": "iso8601", **{name: DAILY[name][1] for name in asked}},
                "daily": {"time": days, **values},
            })  # fmt: skip
        return answers if len(answers) > 1 else answers[0]


DAILY = {  # Open-Meteo's names: the files', and the unit
    "temperature_2m_mean": ("temperature_c", "°C"),
    "precipitation_sum": ("rain_mm", "mm"),
    "wind_speed_10m_mean": ("wind_m_s", "m/s"),
}
CITIES = {(latitude, longitude): name for _, name, _, latitude, longitude, *_ in places.CITIES}


def _moment(text: str) -> datetime:
    return datetime.strptime(text, TIME).replace(tzinfo=CHINA)


def _midnight(day: str, later: int = 0) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=CHINA) + timedelta(days=later)


def _place(told: Told) -> str:
    return f"{told.at.astimezone(UTC).isoformat()} {told.key}"


# --- the server -------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Reads requests, checks tokens, throws the dice."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    platforms: Platforms
    secret: str

    def do_GET(self) -> None:
        """A question."""
        told = urlsplit(self.path)
        source, _, path = told.path.strip("/").partition("/")
        params = {name: values[-1] for name, values in parse_qs(told.query).items()}
        with self.platforms.lock:
            status, answer, mood = self._decide(source, path, params)
        if mood == "slow":
            time.sleep(SLOW_SECONDS)
        self._send(status, answer, cut=mood == "cut")

    do_POST = do_GET

    def _decide(self, source: str, path: str, params: Params) -> tuple[int, Any, str]:
        """Status, answer, mood."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        it, word = self.platforms, self.headers.get("Authorization", "")
        basic = f"Basic {base64.b64encode(f'{KEY}:{self.secret}'.encode()).decode()}"
        if source == "-":
            return self._manage(path, params) if word == basic else (401, {"error": "whose are you?"}, "")
        if source not in SOURCES:
            return 404, {"error": "there is no such platform"}, ""
        count, token = it.counts[source], word.removeprefix("Bearer ")
        count["requests"] += 1
        if time.monotonic() < it.waits.get(word, 0):
            count["early"] += 1
            return self._count(source, 429, {"error": "too many requests"})
        mood = self._mood(path)
        if mood == "busy":
            it.waits[word] = time.monotonic() + WAIT_SECONDS
            return self._count(source, 429, {"error": "too many requests"})
        if mood == "broken":
            return self._count(source, it.dice.choice((500, 503)), {"error": "something broke"})
        if path == "oauth/token":
            if word != basic:
                return self._count(source, 401, {"error": "invalid_client"})
            it.tokens[token := secrets.token_urlsafe(16)] = source
            return self._count(source, 200, {"access_token": token, "token_type": "bearer", "expires_in": 3600})
        if mood == "expired" and token in it.used:
            it.tokens.pop(token, None)
        if it.tokens.get(token) != source:
            return self._count(source, 401, {"error": "invalid_token"})
        try:
            answer = it.answer(source, path, params)
        except Refusal as refusal:
            return self._count(source, refusal.args[0], {"error": refusal.args[1]})
        except (KeyError, ValueError) as error:
            return self._count(source, 400, {"error": f"{type(error).__name__}: {error}"})
        it.used.add(token)
        if mood in ("slow", "cut"):
            count[mood] += 1
        return (*self._count(source, 200, answer)[:2], mood)

    def _mood(self, path: str) -> str:
        """What goes wrong this time; empty: nothing."""
        throw = self.platforms.dice.random()
        for mood in ("busy", "broken", "slow", "cut", "expired"):
            throw -= self.platforms.rates[mood]
            if throw < 0:
                return mood
        return ""

    def _count(self, source: str, status: int, answer: Any) -> tuple[int, Any, str]:
        self.platforms.counts[source][str(status)] += 1
        return status, answer, ""

    def _manage(self, path: str, params: Params) -> tuple[int, Any, str]:
        if path == "counts":
            return 200, self.platforms.counts, ""
        if path == "known":
            self.platforms.known = _midnight(params["until"], 1)
            return 200, {"known": params["until"]}, ""
        return 404, {"error": "counts or known?"}, ""

    def _send(self, status: int, answer: Any, *, cut: bool) -> None:
        body = _encode(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", str(WAIT_SECONDS))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection |= cut

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a log would hold what was asked, and the counts say enough."""


def serve(files: Path, home: Path, port: int, seed: int, rates: dict[str, float]) -> ThreadingHTTPServer:
    """A server that knows the files; `serve_forever` lets it answer."""
    told = {"platforms": Platforms(files, seed, RATES | rates), "secret": _secret(home)}
    server = ThreadingHTTPServer((LOOPBACK, port), type("Playing", (Handler,), told))
    server.daemon_threads = True
    return server


def main() -> None:
    """Serve until somebody stops it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rates", type=json.loads, default={})
    told = parser.parse_args()
    serve(told.files, told.home, told.port, told.seed, told.rates).serve_forever()


if __name__ == "__main__":
    main()
