"""The connectors over HTTP against the server that plays the platforms, badly on purpose: what is pulled is what the
retailer's files say, as far as a platform tells it (docstring of jobs/demo/live/platform.py)."""

import csv
import importlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import urllib3

from jobs.demo import retailer
from jobs.demo.live import platform as server
from jobs.demo.retailer.world import Scale
from jobs.kit.contracts import load
from jobs.landing import files as landing
from jobs.landing import jd, outside, platform, pulls, social, tmall
from jobs.landing.platform import Api
from jobs.landing.pulls import Days

ZONE = ZoneInfo("Asia/Shanghai")
SCALE = Scale(0.002, 1, date(2025, 3, 24), date(2025, 4, 6))
DAYS = [SCALE.first + timedelta(days=n) for n in range(SCALE.days)]
EVENTS = ("refunds", "social_interactions", "reviews", "survey_answers", "weather_daily", "competitor_list")
STATES = {"tmall_orders": "tid", "jd_orders": "orderId", "service_tickets": "ticket_id"}
QUIET = dict.fromkeys(server.RATES, 0.0)
UNRULY = {"busy": 0.03, "broken": 0.1, "slow": 0.02, "cut": 0.1, "expired": 0.1, "moving": 0.5}
SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "20"))
RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    home = tmp_path_factory.mktemp("retailer")
    retailer.write(home / "drop", home / "truth", SCALE)
    return home / "drop"


@pytest.fixture(scope="module")
def serve(files, tmp_path_factory):
    """`serve(rates)`: the home and the addresses of a server with these rates."""
    homes = []

    def start(rates):
        homes.append(tmp_path_factory.mktemp("platform"))
        return homes[-1], server.start(files, homes[-1], rates=rates)

    yield start
    for home in homes:
        server.stop(home)


@pytest.fixture(scope="module")
def quiet(serve):
    return serve(QUIET)


@pytest.fixture
def small_pages(monkeypatch):
    """So that a small shop's day does not fit into one."""
    monkeypatch.setattr(tmall, "PAGE", 5)
    monkeypatch.setattr(jd, "PAGE", 3)


def pull(table: str, addresses: dict[str, str], first: date = SCALE.first, last: date = SCALE.last) -> bytes:
    contract, file = load(f"bronze.{table}"), io.BytesIO()
    module = importlib.import_module(f"jobs.landing.{contract.source}")
    module.pull(contract, addresses[contract.source], Days(first, last, ZONE), file)
    return file.getvalue()


def rows(table: str, text: bytes) -> list[dict]:
    if load(f"bronze.{table}").drop.format == "jsonl":
        return [json.loads(line, parse_float=str) for line in text.splitlines()]
    return [*csv.DictReader(text.decode().splitlines())]


def sent(files: Path, table: str) -> list[dict]:
    """What the files say, in the order of their days."""
    folder = files / load(f"bronze.{table}").drop.folder
    return [row for path in sorted(folder.iterdir()) for row in rows(table, path.read_bytes())]


def changed(table: str, row: dict) -> str:
    return row["modified"] if table != "service_tickets" else row["resolved_at"] or row["opened_at"]


def newest(table: str, found: list[dict]) -> list[dict]:
    """Of each order and day of change, the newest row."""
    ordered = sorted(found, key=lambda row: changed(table, row))
    return [*{(row[STATES[table]], changed(table, row)[:10]): row for row in ordered}.values()]


def multiset(found: list[dict]) -> Counter:
    return Counter(json.dumps(row, sort_keys=True) for row in found)


# --- the same as the files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", EVENTS)
def test_what_has_no_states_is_pulled_row_by_row_as_the_files_have_it(quiet, files, table):
    assert multiset(rows(table, pull(table, quiet[1]))) == multiset(sent(files, table)) != Counter()


@pytest.mark.parametrize("table", STATES)
def test_of_orders_and_tickets_each_days_newest_state_is_pulled(quiet, files, small_pages, table):
    found = [row for day in DAYS for row in rows(table, pull(table, quiet[1], day, day))]
    assert multiset(found) == multiset(newest(table, sent(files, table))) != Counter()


@pytest.mark.parametrize("table", ["tmall_orders", "jd_orders", "social_interactions"])
def test_days_one_by_one_are_the_days_at_once_byte_by_byte(quiet, small_pages, table):
    assert b"".join(pull(table, quiet[1], day, day) for day in DAYS) == pull(table, quiet[1])


def test_a_lines_text_is_the_one_that_the_file_has(quiet, files):
    wanted = {line for path in (files / "jd/jd_orders").iterdir() for line in path.read_bytes().splitlines()}
    assert set(pull("jd_orders", quiet[1]).splitlines()) <= wanted


# --- whatever the platform does ---------------------------------------------------------------------------------------


def test_misbehaviour_costs_requests_and_not_a_row(serve, quiet, files, small_pages, monkeypatch):
    monkeypatch.setattr(platform, "RETRY", platform.RETRY.new(backoff_factor=0.01, backoff_jitter=0.0))
    home, unruly = serve(UNRULY)
    for table in (*EVENTS, *STATES):
        said = pull(table, unruly)
        if table in ("tmall_orders", "jd_orders"):  # orders moved under way: some are told in two states
            told = rows(table, said)
            assert multiset(newest(table, told)) == multiset(newest(table, sent(files, table)))
            assert multiset(told) <= multiset(sent(files, table))
        else:
            assert said == pull(table, quiet[1])
    counts = sum(map(Counter, server.counts(home).values()), Counter())
    print(counts)
    assert counts["early"] == 0, "somebody came back before Retry-After was over"
    assert all(counts[what] > 0 for what in ("429", "500", "503", "cut", "slow", "401", "moved"))
    orders = server.counts(home)["tmall"]["requests"]
    assert orders < 4 * server.counts(quiet[0])["tmall"]["requests"], "patience is no storm of requests"


def test_an_order_that_changed_after_it_was_pulled_comes_again(serve, files, tmp_path):
    """Through the frame of pulls and landing, with platforms that know no more than the day."""
    home, addresses = serve(QUIET)
    table = load("bronze.tmall_orders")
    for as_of in (SCALE.first, SCALE.first, date(2025, 4, 1), SCALE.last):
        server.know_until(home, as_of)
        pulls.pull(table, addresses["tmall"], tmp_path / "drop", tmp_path / "landing", as_of=as_of, zone=ZONE)
        landing.land(table, tmp_path / "drop", tmp_path / "landing", as_of=as_of)
    delivered = landing.newest(landing.landed(table, tmp_path / "landing"))
    assert [f.name[-16:-6] for f in delivered] == ["2025-03-24", "2025-04-01", "2025-04-06"]
    found = [row for f in delivered for row in rows("tmall_orders", Path(f.path).read_bytes())]
    assert multiset(found) == multiset(newest("tmall_orders", sent(files, "tmall_orders")))
    states = Counter(row["tid"] for row in found)
    assert max(states.values()) > 1, "nothing came again"


def test_a_first_pull_goes_back_as_far_as_the_address_says(quiet):
    contract, address = load("bronze.social_interactions"), quiet[1]["social"]
    found = {}
    for since in ("", "?since=2025-04-01"):
        file = io.BytesIO()
        social.pull(contract, address + since, Days(None, SCALE.last, ZONE), file)
        found[since] = min(row["occurred_at"][:10] for row in rows("social_interactions", file.getvalue()))
    assert found == {"": "2025-03-24", "?since=2025-04-01": "2025-04-01"}


def test_a_refusal_that_comes_as_a_success_is_an_error(quiet):
    """TOP refuses with status 200."""
    with pytest.raises(pulls.PullError, match="Invalid arguments:end_modified"):
        window = {"start_modified": "2025-04-01 00:00:00", "end_modified": "2025-04-03 00:00:00"}
        api = Api(load("bronze.tmall_orders"), quiet[1]["tmall"])
        api.get("router/rest", "trades_sold_increment_get_response", page_no=1, page_size=100, **window)


# --- outside ----------------------------------------------------------------------------------------------------------


def test_holidays_are_the_librarys_and_seasons_the_marketings(quiet, files):
    found = rows("holiday_list", pull("holiday_list", quiet[1]))
    within = [row for row in found if str(SCALE.first) <= row["holiday_date"] <= str(SCALE.last)]
    assert multiset(within) == multiset(sent(files, "holiday_list")) != Counter()
    assert {row["holiday_date"][:4] for row in found} == {"2025"}, "the list of the whole year"


def test_weather_is_read_from_a_recorded_answer_without_any_network(monkeypatch):
    """recorded/archive.json: two cities and two days as `v1/archive` answers (jobs/demo/live/platform.py)."""
    recorded = json.loads((RECORDED / "archive.json").read_text())
    monkeypatch.setattr(outside, "cities", lambda: [{"city": c, "latitude": "0", "longitude": "0"} for c in "沪杭"])
    monkeypatch.setattr(Api, "get", lambda self, path, *inside, **params: recorded)
    monkeypatch.setattr(urllib3.PoolManager, "request", lambda *a, **k: pytest.fail("asked the network"))
    days = date(2025, 3, 24), date(2025, 3, 25)
    said = pull("weather_daily", {"outside": "http://x"}, *days)
    lines = said.decode().splitlines()[1:]
    assert lines[:2] == ["沪,2025-03-24,5.0,0.0,6.3", "杭,2025-03-24,6.1,0.0,1.7"]
    assert lines[2:] == ["沪,2025-03-25,3.2,0.0,0.9", "杭,2025-03-25,4.9,0.0,4.8"]
    for values in list(recorded[1]["daily"].values())[1:]:
        values[0] = None  # a gap, which nobody will fill
    assert len(pull("weather_daily", {"outside": "http://x"}, *days).splitlines()) == len(lines)
    for values in list(recorded[1]["daily"].values())[1:]:
        values[1] = None
    with pytest.raises(pulls.PullError, match="does not know the weather of 杭 on 2025-03-25 yet"):
        pull("weather_daily", {"outside": "http://x"}, *days)


def test_the_recorded_answer_has_the_form_that_the_server_has(quiet):
    asked = {"latitude": "31.23,30.27", "longitude": "121.47,120.16", "timezone": "Asia/Shanghai"}
    days = {"start_date": "2025-03-24", "end_date": "2025-03-25", "daily": ",".join(outside.WEATHER.values())}
    found = Api(load("bronze.weather_daily"), quiet[1]["outside"]).get("v1/archive", **asked, **days)
    recorded = json.loads((RECORDED / "archive.json").read_text())
    assert [place.keys() for place in found] == [place.keys() for place in recorded]
    assert [place["daily"].keys() for place in found] == [place["daily"].keys() for place in recorded]


# --- killed -----------------------------------------------------------------------------------------------------------

PULL = """
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo
from jobs.kit.contracts import load
from jobs.landing import files, platform, pulls, tmall, jd
tmall.PAGE, jd.PAGE, platform.RETRY = 5, 3, platform.RETRY.new(backoff_factor=0.01, backoff_jitter=0.0)
print("asking now", flush=True)
home, address, *days = sys.argv[1:]
for table in days.pop().split(","):
    for day in days:
        how = dict(as_of=date.fromisoformat(day))
        where = load(f"bronze.{table}"), Path(home) / "drop", Path(home) / "landing"
        pulls.pull(where[0], address, *where[1:], **how, zone=ZoneInfo("Asia/Shanghai"))
        files.land(*where, **how)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("source", server.SOURCES)
def test_a_pull_killed_at_random_moments_lands_what_an_undisturbed_one_lands(serve, tmp_path, source):
    _, unruly = serve(UNRULY | {"moving": 0.0, "busy": 0.01})
    tables = [t for t in (*EVENTS, *STATES, "holiday_list") if load(f"bronze.{t}").source == source]

    def start(home: Path) -> subprocess.Popen:
        home.mkdir(exist_ok=True)
        words = [sys.executable, "-c", PULL, str(home), unruly[source], *map(str, DAYS), ",".join(tables)]
        run = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": "."}, stdout=subprocess.PIPE)
        run.stdout.readline()  # a kill while Python imports would prove nothing
        return run

    def landed(home: Path) -> dict[str, str]:
        every = [f for t in tables for f in landing.newest(landing.landed(load(f"bronze.{t}"), home / "landing"))]
        return {f.name: f.sha256 for f in every}

    run, begun = start(tmp_path / "whole"), time.monotonic()
    assert run.wait(600) == 0
    longest, dice, killed, whole, parts = time.monotonic() - begun, random.Random(SEED), 0, 0, 0
    while killed < KILLS:
        run = start(tmp_path / "killed")
        try:
            assert run.wait(dice.uniform(0, longest)) == 0
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            killed += 1
            parts += any((tmp_path / "killed").rglob(".*.tmp"))
        else:  # it got through: begin anew
            assert landed(tmp_path / "killed") == landed(tmp_path / "whole")
            shutil.rmtree(tmp_path / "killed")
            whole += 1
    assert start(tmp_path / "killed").wait(600) == 0
    assert landed(tmp_path / "killed") == landed(tmp_path / "whole") != {}
    said = f"{killed} kills, {parts} left a part, {whole} pulls got through, seed {SEED}"
    print(f"{source}: {said}, undisturbed {longest:.1f} s")
