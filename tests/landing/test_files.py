"""Landing: each file once, every byte kept, what cannot be taken refused by name and rule."""

import os
import threading
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.kit import contracts
from jobs.landing import files
from jobs.landing.files import LandedFile, land, landed, newest

CONTRACT = contracts.load("bronze.pos_lines")
MASTER = contracts.load("bronze.product_master")
YEAR_END = date(2017, 12, 31)


class Lake:
    """A drop folder and a landing of one table."""

    def __init__(self, root: Path, contract=CONTRACT):
        self.contract, self.drop, self.landing = contract, root / "drop", root / "landing"
        self.folder = self.drop / contract.drop.folder
        self.folder.mkdir(parents=True)

    def put(self, content: bytes, day: int = 1, month: int = 1) -> Path:
        path = self.folder / f"{self.contract.table}_2017-{month:02}-{day:02}.csv"
        path.write_bytes(content)
        return path

    def land(self, as_of: date = YEAR_END) -> list[LandedFile]:
        return land(self.contract, self.drop, self.landing, as_of=as_of)

    def all(self) -> list[LandedFile]:
        return landed(self.contract, self.landing)

    def content(self) -> dict[str, bytes]:
        """What bronze would read: of each name the delivery that counts."""
        return {f.name: Path(f.path).read_bytes() for f in newest(self.all())}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_takes_each_file_once_with_every_byte(lake: Lake) -> None:
    content = bytes(range(256)) * 10_000
    path = lake.put(content)
    (file,) = lake.land()
    assert (file.name, file.file_date, file.bytes, file.verdict) == (
        path.name,
        date(2017, 1, 1),
        len(content),
        "landed",
    )
    assert Path(file.path) == lake.landing / "pos/pos_lines" / file.file_id / path.name
    assert Path(file.path).read_bytes() == content
    assert file.source == f"pos/pos_lines/{path.name}"
    assert lake.land() == []
    (lake.landing / "pos/pos_lines/.index.json").write_text("{ damaged")  # losing the index costs time, nothing else
    assert lake.land() == []
    assert lake.all() == [file]


def test_untouched_files_are_not_read_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lake.put(b"a")
    os.utime(path, (1, 1))
    lake.land()
    monkeypatch.setattr(files, "_copy", lambda *_: pytest.fail("read again"))
    assert lake.land() == []


def test_as_of_leaves_later_files_in_the_drop_folder(lake: Lake) -> None:
    lake.put(b"first", 1), lake.put(b"second", 2)
    assert [f.file_date.day for f in lake.land(date(2017, 1, 1))] == [1]
    assert [f.file_date.day for f in lake.land(date(2017, 1, 2))] == [2]


def test_arrivals_strictly_increase_even_when_the_clock_goes_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(1, 6):
        lake.put(b"%d" % day, day)
    (first, *_) = lake.land(date(2017, 1, 3))
    sidecar = lake.landing / "pos/pos_lines" / f"{first.file_id}.json"
    sidecar.write_text(replace(first, arrived_at=first.arrived_at + timedelta(days=9)).to_json())
    lake.land()
    arrivals = [f.arrived_at for f in lake.all()]
    assert len(arrivals) == 5 and all(a < b for a, b in pairwise(arrivals))


def test_same_name_with_other_content_supersedes_and_both_are_kept(lake: Lake) -> None:
    path = lake.put(b"bad!")
    lake.land()
    lake.put(b"good")  # as many bytes, in the same file, within the same tick of the clock
    (file,) = lake.land()
    assert lake.content() == {path.name: b"good"}
    assert [Path(f.path).read_bytes() for f in lake.all()] == [b"bad!", b"good"]
    assert file.verdict == "landed"


def test_content_that_comes_back_is_a_new_delivery(lake: Lake) -> None:
    path = lake.put(b"good")
    (first,) = lake.land()
    for content in (b"bad", b"good", b"bad", b"good"):
        lake.put(content)
        (file,) = lake.land()
        assert lake.content() == {path.name: content}
    assert file.file_id == f"{first.file_id}-3"


def test_same_content_under_two_names_counts_once(lake: Lake) -> None:
    first, _ = lake.put(b"h\nday\n", 1), lake.put(b"h\nday\n", 2)
    _, second = lake.land()
    assert (second.verdict, second.rule) == ("duplicate", "file:duplicate_content")
    assert second.duplicate_of.startswith(first.name)
    assert list(lake.content()) == [first.name]
    assert lake.land() == []


def test_days_without_sales_are_no_duplicates_of_each_other(lake: Lake) -> None:
    lake.put(b"header\n", 1), lake.put(b"header\n", 2)
    assert [f.verdict for f in lake.land()] == ["landed", "landed"]


def test_a_single_record_without_a_header_is_a_day_of_its_own_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path, contracts.load("bronze.refunds"))  # JSON lines
    for day in (1, 2):
        (lake.folder / f"refunds_2017-01-0{day}.jsonl").write_bytes(b'{"refund_id": "F1"}\n')
    assert [f.verdict for f in lake.land()] == ["landed", "duplicate"]


def test_duplicate_is_delivered_once_its_twin_was_the_wrong_one(lake: Lake) -> None:
    """Day 2's file was sent as day 1's, then as its own, then day 1's own came: both days are there."""
    lake.put(b"h\nday 2\n", 1), lake.put(b"h\nday 2\n", 2)
    lake.land()
    lake.put(b"h\nday 1\n", 1)
    assert [(f.file_date.day, f.verdict) for f in lake.land()] == [(1, "landed"), (2, "landed")]
    assert sorted(lake.content().values()) == [b"h\nday 1\n", b"h\nday 2\n"]
    assert lake.land() == []


def test_whole_export_that_says_the_same_at_a_later_date_is_no_duplicate(tmp_path: Path) -> None:
    lake = Lake(tmp_path, MASTER)
    lake.put(b"old", month=1), lake.put(b"new", month=2), lake.put(b"old", month=3)
    assert [f.verdict for f in lake.land()] == ["landed"] * 3


@pytest.mark.parametrize(
    "name", ["pos_lines_2017-02-30.csv", "pos_lines.csv", "notes.json", "pos_lines_2017-01-01.CSV"]
)
def test_unexpected_name_is_refused_and_its_bytes_kept(lake: Lake, name: str) -> None:
    (lake.folder / name).write_bytes(b"{}")
    lake.put(b"good")
    refused, good = lake.land()
    assert (refused.name, refused.verdict, refused.rule) == (name, "refused", "file:unexpected_name")
    assert Path(refused.path).read_bytes() == b"{}"
    assert lake.content() == {good.name: b"good"}
    assert lake.land() == []


def _as_directory(path: Path) -> None:
    path.mkdir()
    (path / "inside.csv").write_text("x")


def _as_symlink(path: Path) -> None:
    target = path.parent.parent / "elsewhere.csv"
    target.write_text("secret")
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "rule"),
    [(_as_directory, "file:directory"), (_as_symlink, "file:symlink"), (os.mkfifo, "file:not_a_file")],
)
def test_what_is_no_file_is_refused_and_the_rest_goes_on(lake: Lake, make, rule: str) -> None:
    path = lake.folder / "pos_lines_2017-01-01.csv"
    make(path)
    lake.put(b"good", 2)
    refused, good = lake.land()
    assert (refused.name, refused.rule, refused.path) == (path.name, rule, None)
    assert lake.content() == {good.name: b"good"}
    assert lake.land() == [], "told once"


def test_refused_name_is_taken_once_it_is_a_file(lake: Lake) -> None:
    path = lake.folder / "pos_lines_2017-01-01.csv"
    path.mkdir()
    lake.land()
    path.rmdir()
    lake.put(b"good")
    lake.land()
    assert lake.content() == {path.name: b"good"}


def test_unreadable_file_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.put(b"secret", 1), lake.put(b"good", 2)
    real = os.read
    monkeypatch.setattr(files.os, "read", lambda fd, n: _bad_disk(real(fd, n)))  # root may read all: a bad disk it is
    refused, good = lake.land()
    assert (refused.rule, refused.detail) == ("file:unreadable", "Input/output error")
    assert list(lake.content()) == [good.name]


def _bad_disk(content: bytes) -> bytes:
    if content == b"secret":
        raise OSError(5, "Input/output error")
    return content


def test_vanished_file_is_refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, good = lake.put(b"gone", 1), lake.put(b"good", 2)
    monkeypatch.setattr(files, "_candidates", lambda *_: [(date(2017, 1, 1), gone), (date(2017, 1, 2), good)])
    gone.unlink()
    assert [f.rule for f in lake.land()] == ["file:vanished", None]


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_file_that_changes_while_read_is_refused_then_taken_whole(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path, real, changed = lake.put(b"x" * 100), os.read, threading.Event()

    def read(source: int, size: int) -> bytes:
        chunk = real(source, min(size, 10))
        if not changed.is_set():
            changed.set()
            path.write_bytes({"grow": b"y" * 200, "shrink": b"y" * 50, "rewrite": b"y" * 100}[change])
            os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
        return chunk

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "read", read)
        (refused,) = lake.land()
    assert (refused.rule, refused.path, lake.content()) == ("file:changed_while_read", None, {})
    lake.land()
    assert lake.content() == {path.name: path.read_bytes()}


def test_hidden_names_are_unfinished(lake: Lake) -> None:
    (lake.folder / ".pos_lines_2017-01-01.csv.tmp").write_bytes(b"half")
    assert lake.land() == []


def test_killed_at_any_step_then_run_again_ends_the_same(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.put(b"h\n1\n", 1), lake.put(b"h\n2\n", 2), lake.put(b"h\n2\n", 3), (lake.folder / "odd").mkdir()
    real = Path.replace
    for step in range(12):
        steps = iter(range(step, -1, -1))

        def replace_or_die(self: Path, target: Path, steps=steps) -> Path:
            if next(steps) == 0:
                raise KeyboardInterrupt
            return real(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace_or_die)
            try:
                lake.land()
            except KeyboardInterrupt:
                continue
            break
    lake.land()
    assert sorted(lake.content().values()) == [b"h\n1\n", b"h\n2\n"]
    assert [f.verdict for f in lake.all()] == ["refused", "landed", "landed", "duplicate"]


def test_two_processes_at_once_take_each_file_once(lake: Lake) -> None:
    for day in range(1, 29):
        lake.put(b"%d" % day, day)
    both: list[LandedFile] = []
    threads = [threading.Thread(target=lambda: both.extend(lake.land())) for _ in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert sorted(f.name for f in both) == sorted(f.name for f in lake.all())
    assert len(both) == 28
