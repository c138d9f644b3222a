"""Pulling: each day is asked for once, whatever the order and however often a run begins again."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobs.kit.contracts import Pull, load
from jobs.landing import files, pulls

ZONE = ZoneInfo("Asia/Shanghai")


class Asked:
    """A source with one row a day from 1 May 2025 on; remembers what it was asked."""

    def __init__(self):
        self.windows = []
        self.fails = False

    def pull(self, contract, address, days, file):
        self.windows.append((days.first, days.last))
        day = days.first or date(2025, 5, 1)
        while day <= days.last:
            file.write(f'{{"tid": "{day}"}}\n'.encode())
            if self.fails:
                raise pulls.PullError("the line broke")
            day += timedelta(days=1)


@pytest.fixture
def source(monkeypatch):
    asked = Asked()
    monkeypatch.setattr(pulls, "_module", lambda contract, scheme: asked)
    return asked


@pytest.fixture
def run(tmp_path):
    contract = load("bronze.tmall_orders")

    def once(day: str) -> list[str]:
        as_of = date.fromisoformat(day)
        pulls.pull(contract, "http://x", tmp_path / "drop", tmp_path / "landing", as_of=as_of, zone=ZONE)
        files.land(contract, tmp_path / "drop", tmp_path / "landing", as_of=as_of)
        newest = files.newest(files.landed(contract, tmp_path / "landing"))
        return sorted(json.loads(line)["tid"] for f in newest for line in Path(f.path).open())

    return once


def test_the_first_pull_asks_for_everything_and_the_next_for_what_came_since(run, source):
    assert run("2025-05-03") == ["2025-05-01", "2025-05-02", "2025-05-03"]
    assert run("2025-05-06")[-1] == "2025-05-06"
    assert source.windows == [(None, date(2025, 5, 3)), (date(2025, 5, 4), date(2025, 5, 6))]


def test_a_day_that_is_over_is_asked_for_once_and_an_earlier_one_is_in_a_later_file(run, source):
    run("2025-05-06")
    assert len(run("2025-05-06")) == len(run("2025-05-02")) == 6
    assert len(source.windows) == 1


def test_a_day_that_was_not_over_is_asked_for_again_before_the_next(run, source, monkeypatch):
    midday = datetime(2025, 5, 6, 12, tzinfo=ZONE)
    monkeypatch.setattr(files._Shelf, "_now", lambda self: midday)
    run("2025-05-06")
    monkeypatch.undo()
    monkeypatch.setattr(pulls, "_module", lambda contract, scheme: source)
    assert len(run("2025-05-07")) == 7
    assert source.windows[1:] == [(None, date(2025, 5, 6)), (date(2025, 5, 7), date(2025, 5, 7))]


def test_what_changed_after_a_day_was_asked_for_is_asked_for_without_a_partition_too(tmp_path, source, monkeypatch):
    """As `shoplake new source --relation` writes it: a cursor, and no date to partition by."""
    contract = replace(load("bronze.tmall_orders"), partition=None, pull=Pull("gifts.redemptions", "updated_at"))
    where = contract, tmp_path / "drop", tmp_path / "landing"

    def run(day: int) -> None:
        pulls.pull(where[0], "postgresql://x", *where[1:], as_of=date(2025, 5, day), zone=ZONE)
        files.land(*where, as_of=date(2025, 5, day))

    with monkeypatch.context() as then:
        then.setattr(files._Shelf, "_now", lambda self: datetime(2025, 5, 6, 12, tzinfo=ZONE))
        run(6)
    run(7)
    assert source.windows[1:] == [(None, date(2025, 5, 6)), (date(2025, 5, 7), date(2025, 5, 7))]
    run(7)
    assert len(source.windows) == 3, "both days are over, and were asked for when they were"


def test_a_pull_that_fails_leaves_nothing_and_the_next_asks_again(run, source, tmp_path):
    source.fails = True
    with pytest.raises(pulls.PullError):
        run("2025-05-03")
    assert [p for p in (tmp_path / "drop").rglob("*") if p.is_file()] == []
    source.fails = False
    assert len(run("2025-05-03")) == 3


def test_an_address_that_nobody_speaks_is_named_without_its_password(tmp_path):
    contract = load("bronze.tmall_orders")
    with pytest.raises(pulls.PullError, match=r"tmall.*gopher") as error:
        pulls.pull(contract, "gopher://me:secret@x", tmp_path, tmp_path, as_of=date(2025, 5, 1), zone=ZONE)
    assert "secret" not in str(error.value)
