"""The law of increments: any split of the input into runs, in any order, with replays and late days, ends in the same
content as one full build. Held for every table of bronze, silver and gold, quarantine included."""

import random
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.demo import complete_journey
from jobs.kit import lake as storage
from jobs.kit import lineage
from jobs.kit.contracts import all_contracts
from jobs.kit.run import run

CUT = complete_journey.Cut(every=100, last=date(2017, 2, 20), stores=1, only_sold=True)
AS_OFS = (date(2017, 2, 13), date(2017, 2, 20))  # the first coupons were redeemed on the 12th
# When something happened to be loaded is no content; nor is the run that did it.
NO_CONTENT = {"_arrived_at", "run_id"}
TABLES = [n for n in lineage.order() if n.split(".")[0] in ("bronze", "silver", "gold")]


def bring_up_to_date(as_of: date) -> None:
    for table in TABLES:
        for result in run(table, as_of):
            assert result.ok, (table, result)


def content(table: str) -> list[tuple]:
    if storage.version(table) is None:
        return []
    found: pa.Table = storage.read_small(table)
    names = sorted(set(found.column_names) - NO_CONTENT)
    return sorted(zip(*(map(repr, found[n].to_pylist()) for n in names), strict=True))


def dirty(drop: Path) -> None:
    """Rows that get refused, and rows sent twice: the law must hold for them too."""
    day = drop / "pos/pos_lines/pos_lines_2017-01-10.csv"
    lines = day.read_text().splitlines()
    bad = lines[1].split(",")
    bad[lines[0].split(",").index("quantity")] = "1,234"
    day.write_text("\n".join([*lines, lines[1], ",".join(f'"{v}"' for v in bad)]) + "\n")


@pytest.mark.timeout(1800)
def test_any_split_ends_as_one_full_build(lakes, tmp_path):
    check(lakes, tmp_path, seed=1, steps=2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 7))
def test_any_split_ends_as_one_full_build_with_more_seeds(lakes, tmp_path, seed):
    check(lakes, tmp_path, seed, steps=5)


def check(lakes, tmp_path: Path, seed: int, steps: int) -> None:
    source = tmp_path / "source"
    complete_journey.write(source, CUT)
    dirty(source)
    files = sorted(p.relative_to(source) for p in source.rglob("*.csv"))

    with lakes(tmp_path / "whole") as whole:
        shutil.copytree(source, whole / "drop")
        for as_of in AS_OFS:
            bring_up_to_date(as_of)
        wanted = {t: content(t) for t in all_names()}

    dice = random.Random(seed)
    # Every table's first file comes in the first step (a table without any cannot be read); the rest in any order.
    first = {p.parent: p for p in reversed(files)}.values()
    rest = [p for p in files if p not in set(first)]
    dice.shuffle(rest)
    size = -(-len(rest) // steps)
    batches = [[*first, *rest[:size]], *(rest[i : i + size] for i in range(size, len(rest), size))]
    with lakes(tmp_path / "split") as split:
        for i, batch in enumerate(batches):
            replayed = dice.sample(batches[i - 1], k=2) if i else []
            for path in [*batch, *replayed]:
                target = split / "drop" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                if (
                    i == 0 and path == batch[-1]
                ):  # first with other content; the corrected file comes with the next step
                    target.write_text("\n".join((source / path).read_text().splitlines()[:2]) + "\n")
                else:
                    shutil.copyfile(source / path, target)
            if i == 1:
                shutil.copyfile(source / batches[0][-1], split / "drop" / batches[0][-1])
            bring_up_to_date(AS_OFS[i % 2])
        for as_of in AS_OFS:
            bring_up_to_date(as_of)
        found = {t: content(t) for t in all_names()}
        for table in TABLES:  # and with nothing new, nothing is done
            assert [r.verdict for r in run(table, AS_OFS[1])] == ["nothing new"], table
    for table in wanted:
        assert found[table] == wanted[table], f"{table} differs (seed {seed})"
    assert wanted["quarantine.pos_lines"], "the dirt was to be refused"


def all_names() -> list[str]:
    tables = [c.name for c in all_contracts() if c.name in TABLES]
    return [*tables, *(f"quarantine.{t.split('.')[1]}" for t in tables)]
