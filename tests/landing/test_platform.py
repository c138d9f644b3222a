"""What connectors over HTTP share: patient with a platform that misbehaves, and nothing lost between two answers."""

import io
import json
import threading
import tracemalloc
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import Timeout

from jobs.kit.contracts import load
from jobs.landing import platform
from jobs.landing.platform import Api, by_cursor, by_halves, write
from jobs.landing.pulls import PullError

TMALL, WEATHER = load("bronze.tmall_orders"), load("bronze.weather_daily")
SECRET = "s3cret"
OK = (200, {}, b'{"n": 1}')
TOKEN = (200, {}, b'{"access_token": "t0ken"}')
BUSY = (429, {"Retry-After": "7"}, b"")
BROKEN = (503, {}, b"")
NO_TOKEN = (401, {}, b"")
CUT = (200, {"Content-Length": "100"}, b'{"n": ')
SILENT = (0, {}, b"")


@contextmanager
def playing(*answers):
    """A server that gives these answers, then the last one forever; yields its address and the requests it got."""
    asked, left = [], [*answers]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            asked.append((self.path, self.headers.get("Authorization"), body))
            status, headers, answer = left.pop(0) if len(left) > 1 else left[0]
            if not status:
                done.wait(5)
                return
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(answer))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *_args):
            pass

    done = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        done.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def slept(monkeypatch):
    """The pauses, which are noted and not made."""
    pauses = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    return pauses


# --- patience ---------------------------------------------------------------------------------------------------------


def test_who_is_asked_to_wait_waits_as_long_as_was_said(slept):
    with playing(BUSY, BUSY, OK) as (address, asked):
        assert Api(TMALL, address).get("x") == {"n": 1}
    assert (len(asked), slept) == (3, [7, 7])


def test_errors_and_broken_answers_are_asked_again(slept):
    with playing(BROKEN, CUT, (500, {}, b""), OK) as (address, asked):
        assert Api(TMALL, address).get("x") == {"n": 1}
    assert len(asked) == 4


def test_silence_is_asked_again(slept, monkeypatch):
    monkeypatch.setattr(platform, "TIMEOUT", Timeout(connect=1, read=0.2))
    with playing(SILENT, OK) as (address, asked):
        assert Api(TMALL, address).get("x") == {"n": 1}
    assert len(asked) == 2


def test_a_platform_that_stays_down_is_one_sentence_without_secrets_after_growing_pauses(slept):
    with playing(TOKEN, BROKEN) as (address, asked), pytest.raises(PullError) as error:
        Api(TMALL, address.replace("//", f"//key:{SECRET}@")).get("x", day="2025-05-01")
    said = str(error.value)
    assert said.startswith("tmall: 127.0.0.1 did not answer x") and "503" in said
    assert not any(hidden in said for hidden in (SECRET, "t0ken", "key"))
    assert len(asked) == 1 + 1 + platform.RETRY.total
    assert len(slept) == 7 and all(b > a for a, b in pairwise(slept[:6])) and max(slept) <= 60.5


def test_nobody_there_is_one_sentence_too(slept):
    with playing(OK) as (address, _):
        pass
    with pytest.raises(PullError, match=r"tmall: 127\.0\.0\.1 did not answer x"):
        Api(TMALL, address).get("x")


def test_a_token_that_expired_is_replaced_and_the_question_asked_again():
    with playing(TOKEN, OK, NO_TOKEN, (200, {}, b'{"access_token": "new"}'), OK) as (address, asked):
        api = Api(TMALL, address.replace("//", f"//key:{SECRET}@"))
        assert [api.get("x"), api.get("x")] == [{"n": 1}] * 2
    assert [a for _, a, _ in asked[1:3] + asked[4:]] == ["Bearer t0ken", "Bearer t0ken", "Bearer new"]
    assert asked[0][0] == asked[3][0] == "/oauth/token" and asked[0][2] == "grant_type=client_credentials"
    assert not any(SECRET in path for path, _, _ in asked)


@pytest.mark.parametrize("answers", [(NO_TOKEN,), (TOKEN, NO_TOKEN)])
def test_a_key_that_is_refused_names_the_setting(answers):
    with playing(*answers) as (address, asked), pytest.raises(PullError, match="SHOPLAKE_SOURCES__TMALL") as error:
        Api(TMALL, address.replace("//", f"//key:{SECRET}@")).get("x")
    assert SECRET not in str(error.value) and len(asked) <= 4


def test_an_answer_that_is_none_is_told_without_its_rows():
    refusal = b'{"error_response": {"code": 15, "msg": "Remote service error"}}'
    for body, said in [
        (b"<html>", "else than JSON"),
        (refusal, "Remote service"),
        (b'{"rows": "13812345678"}', "rows"),
    ]:
        with playing((200, {}, body)) as (address, _), pytest.raises(PullError, match=said) as error:
            Api(TMALL, address).get("x", "found")
        assert "138" not in str(error.value)
    with pytest.raises(PullError, match=r"bronze|tmall_orders.*tmall\.py"):
        write(TMALL, io.BytesIO(), ([row["list"]] for row in [{}]))


# --- nothing gets lost ------------------------------------------------------------------------------------------------

START = datetime(2025, 5, 1, tzinfo=UTC)
UNTIL = START + timedelta(minutes=1)


def when(row):
    return START + timedelta(seconds=row["at"])


class Shop:
    """Orders that change while somebody reads them: before each answer some change, to a later second."""

    def __init__(self, times, moves, size):
        self.rows = [{"id": n, "at": at} for n, at in enumerate(times)]
        self.moves, self.size, self.clock = [*moves], size, max(times, default=0)

    def ask(self, since, until, page, newest_first=False):
        for n, later in self.moves.pop() if self.moves else ():
            if self.rows and self.clock + later <= 70:  # the end of the window is 60
                self.clock += later
                self.rows[n % len(self.rows)]["at"] = self.clock
        found = [dict(r) for r in self.rows if since <= when(r) <= until]
        found.sort(key=lambda r: (r["at"], r["id"]), reverse=newest_first)
        return found[(page - 1) * self.size : page * self.size], len(found)

    def still_there(self):
        return {(r["id"], r["at"]) for r in self.rows if r["at"] < 60}


TIMES = st.lists(st.integers(0, 40), max_size=30)
MOVES = st.lists(st.lists(st.tuples(st.integers(0, 29), st.integers(1, 4)), max_size=2), max_size=25)


@given(TIMES, MOVES, st.integers(2, 5), st.booleans())
def test_whatever_changes_between_two_answers_is_told_as_it_is_at_last(times, moves, size, newest_first):
    shop = Shop(times, moves, size)
    pages = by_halves(lambda *w: shop.ask(*w, newest_first), START, UNTIL, when)
    told = {(row["id"], row["at"]) for page in pages for row in page}
    assert told >= shop.still_there()


def test_numbered_pages_would_lose_it():
    """What by_halves is for: the same shop, page after page, either way round."""
    for newest_first, moves in [(True, [[(0, 1)], []]), (False, [[(0, 1)], []])]:
        shop, told = Shop([1, 2, 3, 4], moves, 2), set()
        for page in (1, 2):
            told |= {(r["id"], r["at"]) for r in shop.ask(START, UNTIL, page, newest_first)[0]}
        assert not told >= shop.still_there()


def test_an_answer_is_asked_for_once_where_all_fits_into_it():
    shop, asked = Shop([1, 2, 3], [], 3), []
    assert sum(map(len, by_halves(lambda *w: (asked.append(w), shop.ask(*w))[1], START, UNTIL, when))) == len(asked) * 3


def test_a_cursor_that_comes_again_is_an_error_and_no_endless_loop():
    with pytest.raises(PullError, match="no end"):
        write(TMALL, io.BytesIO(), by_cursor(lambda cursor: ([], "again")))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_numbers_keep_their_digits_and_texts_their_characters():
    received = '{"a":164.40,"b":[0.00,{"c":1e400}],"d":"\\u0000x","e":"文","f":null,"g":12345678901234567890123}'
    with playing((200, {}, received.encode())) as (address, _):
        row = Api(TMALL, address).get("x")
    file = io.BytesIO()
    write(TMALL, file, [[row]])
    assert file.getvalue().decode() == received.replace("1e400", "1E+400") + "\n"


def test_csv_has_the_contracts_columns_whatever_order_they_came_in():
    file = io.BytesIO()
    write(WEATHER, file, [[{"rain_mm": 0, "city": "上,海", "more": 1, "weather_date": "2025-05-01"}], []])
    head = "city,weather_date,temperature_c,rain_mm,wind_m_s\n"
    assert file.getvalue().decode() == head + '"上,海",2025-05-01,,0,\n'


def test_memory_holds_a_page_and_not_the_file(tmp_path):
    page = [{"tid": f"{n:020d}", "text": "x" * 1000} for n in range(100)]

    def ask(cursor):
        at = int(cursor or 0)
        return json.loads(json.dumps(page)), str(at + 1) if at < 60 else ""

    tracemalloc.start()
    with (tmp_path / "file").open("wb") as file:
        write(TMALL, file, by_cursor(ask))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size > 6e6 and peak < 1.5e6
