"""Streaming: what a real broker's topics hold is in bronze exactly once, whatever is killed, repeated or broken."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from jobs import cli
from jobs.demo import retailer
from jobs.demo.live import events
from jobs.demo.retailer.world import Scale
from jobs.kit import broker, bronze, engine, quarantine, services
from jobs.kit import lake as storage
from jobs.kit.contracts import load
from jobs.kit.process import NotStarted
from jobs.kit.run import run
from jobs.kit.settings import Settings, settings
from jobs.landing import pulls, stream
from tests.processes import environment

SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "20"))
LONGEST = 40.0  # seconds: past the time that a run of these events takes
SHOPLAKE = (sys.executable, "-m", "jobs.cli")
FIRST, MIDDLE, LAST = date(2025, 4, 1), date(2025, 4, 2), date(2025, 4, 3)
TABLES = ("bronze.app_events", "bronze.app_orders", "bronze.app_users")
EVENTS = "bronze.app_events"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory) -> Iterator[Callable[[], str]]:
    """The address of a running broker; asked for again, of the same one started again if it is not running."""
    mine = Settings(home=tmp_path_factory.mktemp("broker"))
    try:
        broker.install()
    except NotStarted as error:
        pytest.skip(str(error))

    def up() -> str:
        services.up(mine, ["kafka"], say=lambda line: None)
        return services.kafka_url(mine)

    up.home = mine  # type: ignore[attr-defined]
    yield up
    services.down(mine, say=lambda line: None)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Three days of the retailer's files."""
    made = tmp_path_factory.mktemp("files")
    retailer.write(made, tmp_path_factory.mktemp("truth"), Scale(0.002, 1, FIRST, LAST))
    return made


@pytest.fixture
def topics(kafka, request) -> str:
    """The address of topics of the test's own."""
    return new_topics(kafka(), request.node.name)


def new_topics(broker_address: str, name: str) -> str:
    address = f"{broker_address}/{abs(hash(name)) % 10**8}."
    events.create_topics(address)
    return address


@contextmanager
def asking(address: str) -> Iterator[None]:
    """With the app's address set."""
    os.environ["SHOPLAKE_SOURCES__APP"] = address
    settings.cache_clear()
    try:
        yield
    finally:
        del os.environ["SHOPLAKE_SOURCES__APP"]
        settings.cache_clear()


def send(address: str, *messages: bytes | None, partition: int = 0) -> None:
    sender = Producer(stream.client(address))
    for message in messages:
        sender.produce(stream.topic_of(load(EVENTS), address), message, partition=partition)
    assert sender.flush(30) == 0


def event(number: int, **other: object) -> bytes:
    said = {"event_id": f"e{number}", "event": "launch", "server_ts": 1743500000000 + number, "client_ts": None}
    said |= {"user": {"openid": "o1"}, "device": {"platform": "ios"}, "context": {"session_id": "s1"}, "props": {}}
    return json.dumps(said | other).encode()


def content(table: str) -> Counter:
    """The rows as received: what door and landing added to them is no content."""
    rows = storage.read_small(table).to_pylist()
    return Counter(repr(sorted((k, v) for k, v in r.items() if not k.startswith("_") or k == "_extra")) for r in rows)


def ids(table: str = EVENTS) -> list[str]:
    return sorted(storage.read_small(table)["event_id"].to_pylist())


def assert_all_accounted_for(table: str, messages: int) -> None:
    accounts = bronze.ledger(table).values()
    assert sum(a["rows_in"] for a in accounts) == messages
    assert all(a["rows_in"] == a["rows_accepted"] + a["rows_refused"] for a in accounts)
    assert sum(a["rows_accepted"] for a in accounts) == len(storage.read_small(table))


def by_files(lakes, folder: Path, files: Path, *, until: date = LAST) -> dict[str, Counter]:
    with lakes(folder):
        shutil.copytree(files / "app", folder / "drop" / "app")
        for table in TABLES:
            run(table, until)
        return {table: content(table) for table in TABLES}


def test_topics_give_what_files_give_a_day_at_a_time(lake, lakes, topics, files, tmp_path):
    sent: Counter[str] = Counter()
    for day in (FIRST, LAST, LAST):
        sent.update(events.feed(files, topics, day))
        with asking(topics):
            verdicts = {run(table, day)[-1].verdict for table in TABLES}
    assert verdicts == {"nothing new"}
    for table in TABLES:
        assert_all_accounted_for(table, sent[table])
    streamed = {table: content(table) for table in TABLES}
    row = storage.read_small(EVENTS, "SELECT * FROM t WHERE _row_number = 0 LIMIT 1").to_pylist()[0]
    topic = stream.topic_of(load(EVENTS), topics)
    assert row["_source_file"].rpartition("/")[0] == f"kafka/{topic}" and row["_file_date"] == FIRST
    assert row["_file_id"].startswith(f"{topic}-") and row["_arrived_at"].year >= 2026
    # A new contract reads it all again: from landing, so the broker need not have it any more.
    assert run(EVENTS, LAST, full=True)[-1].verdict == "published"
    assert content(EVENTS) == streamed[EVENTS]
    assert_all_accounted_for(EVENTS, sent[EVENTS])
    assert streamed == by_files(lakes, tmp_path / "files", files)


def test_a_poison_message_is_a_dead_letter_and_the_stream_goes_on(lake, topics):
    pretty = json.dumps(json.loads(event(2)), indent=1).encode()
    poison = {1: b"{not json", 2: None, 3: b"\xff\xfe", 4: event(9, event_id=None), 5: event(8, server_ts="12")}
    send(topics, event(1), *poison.values(), pretty)
    with asking(topics):
        (result,) = run(EVENTS, FIRST)
        assert (result.verdict, result.rows_in, result.rows_out, result.rows_refused) == ("published", 7, 2, 5)
        send(topics, event(3))
        run(EVENTS, MIDDLE)
    assert ids() == ["e1", "e2", "e3"]
    total, letters = quarantine.show(EVENTS, 10)
    told = {letter["row_number"]: letter["rules"][0] for letter in letters}
    assert total == 5 and told == {
        1: "row:json",
        2: "row:empty",
        3: "row:encoding",
        4: "row:required:event_id",
        5: told[5],
    }
    assert "server_ts" in told[5]
    assert {letter["source_file"] for letter in letters} == {f"kafka/{stream.topic_of(load(EVENTS), topics)}/0"}
    assert_all_accounted_for(EVENTS, 8)


def test_late_and_repeated_events_stay_in_bronze_and_count_once_in_silver(lake, topics):
    send(topics, event(1), event(1), event(2))
    with asking(topics):
        run(EVENTS, FIRST)
        send(topics, event(2), event(3, server_ts=1743500000000 - 86_400_000), partition=1)
        run(EVENTS, MIDDLE)
    assert ids() == ["e1", "e1", "e2", "e2", "e3"]
    (result,) = run("silver.events", MIDDLE)
    assert result.ok, result
    assert sorted(storage.read_small("silver.events")["event_id"].to_pylist()) == ["e1", "e2", "e3"]


@pytest.mark.parametrize("step", ["quarantine", "commit"])
def test_a_run_that_ends_between_two_writes_doubles_nothing(lake, topics, monkeypatch, step):
    """After the quarantine and before the commit; after the commit and before the ledger. More comes in between."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    send(topics, event(1), b"{not json")
    with asking(topics):
        with monkeypatch.context() as patch:
            patch.setattr(*((bronze._Load, "_publish") if step == "quarantine" else (bronze, "_record")), killed)
            with pytest.raises(KeyboardInterrupt):
                run(EVENTS, FIRST)
        send(topics, event(2), b"neither")
        run(EVENTS, FIRST)
    assert ids() == ["e1", "e2"]
    assert sorted(letter["row_number"] for letter in quarantine.show(EVENTS, 10)[1]) == [1, 3]
    assert_all_accounted_for(EVENTS, 4)


@pytest.mark.slow
def test_a_file_that_replays_streamed_days_brings_only_what_the_stream_did_not(lake, topics, files):
    dropped = lake / "drop" / "app" / "app_events" / "app_events_2025-04-01.jsonl"
    lines = [event(1), event(1), event(2), event(3)]
    send(topics, event(1), event(2))
    dropped.parent.mkdir(parents=True)
    with asking(topics):
        run(EVENTS, FIRST)
        dropped.write_bytes(b"\n".join(lines))
        (result,) = run(EVENTS, FIRST)
        assert result.rules == {"row:came_by_stream": 2} and ids() == ["e1", "e1", "e2", "e3"]
        send(topics, event(3), event(4))  # and the reverse: the topic brings what the file had
        (result,) = run(EVENTS, FIRST)
        assert result.rules == {"row:came_by_file": 1} and ids() == ["e1", "e1", "e2", "e3", "e4"]
        assert quarantine.show(EVENTS, 10) == (0, [])  # nothing of it is to be repaired
        assert_all_accounted_for(EVENTS, 8)
        run(EVENTS, FIRST, full=True)
    assert ids() == ["e1", "e1", "e2", "e3", "e4"]


@pytest.mark.slow
def test_a_broker_that_was_killed_goes_on_with_what_it_had(lake, lakes, kafka, files, tmp_path, request):
    prefix = new_topics(kafka(), request.node.name).rpartition("/")[2]
    events.feed(files, f"{kafka()}/{prefix}", FIRST)
    with asking(f"{kafka()}/{prefix}"):
        run(EVENTS, FIRST)
    (server,) = services.status(kafka.home)
    os.kill(server.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(server.pid)] if psutil.pid_exists(server.pid) else [], timeout=10)
    with asking(f"kafka://{server.address}/{prefix}"), pytest.raises(pulls.PullError, match="does not answer"):
        run(EVENTS, MIDDLE)
    events.feed(files, f"{kafka()}/{prefix}", LAST)
    with asking(f"{kafka()}/{prefix}"):
        run(EVENTS, LAST)
    assert content(EVENTS) == by_files(lakes, tmp_path / "files", files)[EVENTS]


@pytest.mark.slow
def test_an_erased_person_s_messages_are_emptied_and_the_topic_is_read_on_from_where_it_was(lake, topics):
    mine, other = {"openid": "o_canary_0001"}, {"openid": "o_other_00002"}
    send(topics, event(1, user=mine), event(2, user=other), b'{"openid": "o_canary_0001" broken', event(3, user=mine))
    with asking(topics):
        run(EVENTS, FIRST)
        done = CliRunner().invoke(cli.app, ["erase", "--account", "app:o_canary_0001", "--reason", "asked"])
        assert done.exit_code == 0, done.output
        assert ids() == ["e2"]
        landed = storage.read_small(stream.landing_table(load(EVENTS)), 'SELECT "offset", value FROM t').to_pylist()
        assert {row["offset"]: row["value"] is None for row in landed} == {0: True, 1: False, 2: True, 3: True}
        assert run(EVENTS, FIRST)[0].verdict == "nothing new"
        send(topics, event(4, user=other))
        run(EVENTS, MIDDLE)
        assert ids() == ["e2", "e4"]
        run(EVENTS, MIDDLE, full=True)
        assert ids() == ["e2", "e4"]
    assert not any(b"o_canary_0001" in p.read_bytes() for p in (lake / "lake").rglob("*") if p.is_file())


def test_a_topic_that_is_not_there_or_was_made_anew_is_said_in_a_sentence(lake, kafka, topics):
    with asking(f"{kafka()}/nothing."), pytest.raises(pulls.PullError, match=r"has no topic nothing\.app_events"):
        run(EVENTS, FIRST)
    send(topics, event(1), event(2))
    with asking(topics):
        run(EVENTS, FIRST)
        admin, topic = AdminClient(stream.client(topics)), stream.topic_of(load(EVENTS), topics)
        admin.delete_topics([topic])[topic].result()
        while topic in admin.list_topics(timeout=10).topics:
            pass
        events.create_topics(topics)
        send(topics, event(3))
        with pytest.raises(pulls.PullError, match="was made anew"):
            run(EVENTS, MIDDLE)
    assert ids() == ["e1", "e2"]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_runs_killed_at_random_moments_end_with_what_the_topics_hold(lakes, topics, files, tmp_path):
    dice, home = random.Random(SEED), tmp_path / "home"
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    messages = list(events._lines(files, load(EVENTS), LAST))
    hit = 0
    try:
        for i in range(KILLS):
            send_share(topics, messages, i)
            process = start(killed, home, address=topics)
            moment, victim = dice.uniform(1, LONGEST), dice.choice(["run", "run", "engine"])
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                hit += 1
                if victim == "engine" and (found := engine.status(Settings(home=home, engine=""))):
                    os.kill(found.pid, signal.SIGKILL)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            print(f"seed {SEED}, kill {i + 1} of {KILLS}: {victim} after {moment:.1f} s", flush=True)
        assert start(killed, home, address=topics).wait(600) == 0
        shutil.copytree(files / "app", whole / "drop" / "app")
        assert start(whole, home).wait(600) == 0
    finally:
        subprocess.run([*SHOPLAKE, "down"], env=environment(killed, home), check=True)
    print(f"{hit} of {KILLS} met a run")
    with lakes(killed):
        assert_all_accounted_for(EVENTS, len(messages))
        found = content(EVENTS)
    with lakes(whole):
        assert found == content(EVENTS)


def start(folder: Path, home: Path, address: str | None = None) -> subprocess.Popen:
    env = environment(folder, home) | ({"SHOPLAKE_SOURCES__APP": address} if address else {})
    words = [*SHOPLAKE, "run", EVENTS, "--as-of", LAST.isoformat()]
    return subprocess.Popen(words, env=env, start_new_session=True, stdout=subprocess.DEVNULL)


def send_share(address: str, messages: list[bytes], number: int) -> None:
    share = messages[number::KILLS]
    for partition in range(events.PARTITIONS):
        send(address, *share[partition :: events.PARTITIONS], partition=partition)
