"""The law of increments: any split of the input into runs, in any order, with replays and late days, ends in the same
content as one full build. Held for every table of bronze, silver and gold, quarantine included.

The simulated retailer has files for every table; Complete Journey lacks most sources, and so holds it for lakes in
which optional inputs never come.
"""

import csv
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from jobs.demo import complete_journey, retailer
from jobs.demo.retailer.world import Scale
from jobs.kit import lake as storage
from jobs.kit import lineage
from jobs.kit.contracts import all_contracts, load
from jobs.kit.run import run
from tests.conftest import lake_at


@dataclass(frozen=True)
class Data:
    """What a source folder is filled with; `lines`: a day of tills to make dirty; two days to build as of."""

    write: Callable[[Path], object]
    lines: str
    as_ofs: tuple[date, date]


def write_retailer(drop: Path) -> None:
    """Two weeks' files, and of a card and a CRM record that they were deleted; one of them came back."""
    # The CRM exports at the start of a quarter, holidays are told on the first day of a year that has any.
    retailer.write(drop, drop.parent / "truth", Scale(0.002, 1, date(2025, 3, 24), date(2025, 4, 6)))
    for system in ("erp", "crm"):
        table = f"{system}_members"
        keys = [
            line.split(b",")[0].decode() for line in min((drop / system / table).iterdir()).read_bytes().split()[1:3]
        ]
        folder = drop / system / f"{system}_deletions"
        folder.mkdir()
        for day, gone in {"2025-03-30": {keys[0]: "Y", keys[1]: "Y"}, "2025-04-03": {keys[0]: "N"}}.items():
            rows = "".join(f"{table},{key},{word},{day}\n" for key, word in gone.items())
            (folder / f"{folder.name}_{day}.csv").write_text("table_name,row_key,is_deleted,seen_on\n" + rows)


RETAILER = Data(
    write_retailer,
    "pos/pos_lines/pos_lines_2025-03-26.csv",
    (date(2025, 3, 31), date(2025, 4, 6)),
)
COMPLETE_JOURNEY = Data(
    lambda drop: complete_journey.write(drop, complete_journey.Cut(100, date(2017, 2, 20), 1, only_sold=True)),
    "pos/pos_lines/pos_lines_2017-01-10.csv",
    (date(2017, 2, 13), date(2017, 2, 20)),  # the first coupons were redeemed on the 12th
)
# When something happened to be loaded is no content; nor is the run that did it.
NO_CONTENT = {"_arrived_at", "run_id"}
TABLES = [n for n in lineage.order() if n.split(".")[0] in ("bronze", "silver", "gold")]


def reached(source: Path) -> list[str]:
    """The tables that have rows of these files, or wait for others: the rest are empty."""
    folders = {p.parent for p in source.rglob("*.*")}
    bronze = {c.name for c in all_contracts() if c.drop and source / c.drop.folder in folders}
    found = {t for t in TABLES if t in bronze or bronze & set(lineage.upstream(t))}
    for table in reversed(TABLES):  # and whatever has to be there for these to be built
        if table in found and not table.startswith("bronze."):
            found |= {n for n in lineage.inputs(table) if n.split(".")[1] not in load(table).optional}
    return [t for t in TABLES if t in found]


def bring_up_to_date(as_of: date, tables: Sequence[str], *, is_all_there: bool) -> None:
    """While files are missing a gate may hold (a count without the sales before it): it must not once all are there."""
    for table in tables:
        try:
            results = run(table, as_of)
        except storage.NotThereError:
            continue  # it waits for an input, as a skipped task does
        for result in results:
            assert result.ok or not is_all_there, (table, result)


def content(table: str) -> list[tuple]:
    if storage.version(table) is None:
        return []
    found: pa.Table = storage.read_small(table)
    names = sorted(set(found.column_names) - NO_CONTENT)
    return sorted(zip(*(map(repr, found[n].to_pylist()) for n in names), strict=True))


def dirty(day: Path) -> None:
    """Rows that get refused, and rows sent twice: the law must hold for them too."""
    with day.open(newline="") as file:
        rows = list(csv.reader(file))
    bad = list(rows[1])
    bad[rows[0].index("quantity")] = "1,234"
    with day.open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([rows[1], bad])


@dataclass(frozen=True)
class Whole:
    """A source folder, and what the lake holds that was built of all of it at once."""

    source: Path
    lake: Path
    tables: dict[str, list[tuple]]
    built: list[str]


def build_whole(folder: Path, data: Data, as_ofs: Sequence[date] = (), *, only_reached: bool = False) -> Whole:
    source, lake = folder / "source", folder / "whole"
    data.write(source)
    dirty(source / data.lines)
    tables = reached(source) if only_reached else TABLES
    with lake_at(lake):
        shutil.copytree(source, lake / "drop")
        for as_of in as_ofs or data.as_ofs:
            bring_up_to_date(as_of, tables, is_all_there=True)
        return Whole(source, lake, {t: content(t) for t in all_names()}, tables)


@pytest.fixture(scope="module")
def whole(spark, tmp_path_factory) -> Whole:
    """The simulated retailer's, as of its last day alone."""
    return build_whole(tmp_path_factory.mktemp("retailer"), RETAILER, RETAILER.as_ofs[1:])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_table_of_the_retailer_is_empty(whole):
    assert [t for t in TABLES if not whole.tables[t]] == [], "a law over nothing says nothing"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_cent_is_lost_between_layers(whole):
    """Every path of money, from the files to gold: what the last table holds is what the first one does."""

    def total(table: str, column: str, where: str = "true") -> Decimal:
        found = storage.read_small(table, f"SELECT sum({column}) AS total FROM t WHERE {where}")
        return found["total"][0].as_py()

    sent = duckdb.execute(SENT.format(drop=whole.source)).fetchone()
    with lake_at(whole.lake):
        for amount in ("list_amount", "net_amount", "paid_amount", "retail_discount_amount", "coupon_match_amount"):
            lines = total("silver.order_lines", amount)
            assert lines == total("silver.orders", amount) == total("gold.sales_daily", amount)
            assert lines == total("gold.channel_daily", amount)
        paid = total("silver.order_lines", "paid_amount")
        assert paid > 0 and paid == sum(sent)
        assert paid == total("silver.payments", "payment_amount") == total("silver.order_balances", "lines_amount")
        named = total("silver.customer_orders", "net_amount")
        assert named + total("silver.orders", "net_amount", "account_id IS NULL") == total(
            "silver.orders", "net_amount"
        )
        back = total("silver.returns", "refunded_amount")
        assert back > 0 and back == total("silver.orders", "returned_amount") == total(
            "gold.sales_daily", "returned_amount"
        )


# What tickets, orders and refunds say was paid, from the files themselves; each order at the newest state sent.
SENT = """
WITH app AS (
    SELECT arg_max(amounts.paid, updated_at) AS paid
    FROM read_json('{drop}/app/app_orders/*.jsonl',
        columns = {{order_no: 'VARCHAR', updated_at: 'VARCHAR', amounts: 'STRUCT(paid DECIMAL(18,2))'}})
    GROUP BY order_no
), tmall AS (
    SELECT arg_max(payment::DECIMAL(18, 2), modified) AS paid
    FROM read_json('{drop}/tmall/tmall_orders/*.jsonl',
        columns = {{tid: 'VARCHAR', modified: 'VARCHAR', payment: 'VARCHAR'}})
    GROUP BY tid
), jd AS (
    SELECT arg_max("orderPayment", modified) AS paid
    FROM read_json('{drop}/jd/jd_orders/*.jsonl',
        columns = {{orderId: 'VARCHAR', modified: 'VARCHAR', orderPayment: 'DECIMAL(18,2)'}})
    GROUP BY "orderId"
)
SELECT (SELECT sum(total_amount::DECIMAL(18, 2)) FROM read_csv('{drop}/pos/pos_tickets/*.csv', all_varchar = true)),
       (SELECT sum(paid) FROM app), (SELECT sum(paid) FROM tmall), (SELECT sum(paid) FROM jd),
       (SELECT -sum(amount) FROM read_json('{drop}/aftersales/refunds/*.jsonl', columns = {{amount: 'DECIMAL(18,2)'}}))
"""


@pytest.mark.timeout(1800)
def test_any_split_ends_as_one_full_build(spark, tmp_path):
    """Of the fewer tables that Complete Journey fills: the retailer's hundred take half an hour."""
    whole = build_whole(tmp_path, COMPLETE_JOURNEY, only_reached=True)
    check(whole, tmp_path, COMPLETE_JOURNEY, seed=1, steps=2)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("data", [RETAILER, COMPLETE_JOURNEY], ids=["retailer", "complete journey"])
def test_any_split_ends_as_one_full_build_with_more_seeds(spark, tmp_path, data, seed):
    check(build_whole(tmp_path, data), tmp_path, data, seed, steps=3 if data is RETAILER else 5)


def check(whole: Whole, tmp_path: Path, data: Data, seed: int, steps: int) -> None:
    source, wanted = whole.source, whole.tables
    files = sorted(p.relative_to(source) for p in source.rglob("*.*"))
    dice = random.Random(seed)
    # Whole sources come with the last step only; of the others any file comes in any step.
    late = set(dice.sample(sorted({p.parts[0] for p in files} - {"pos", "erp"}), k=2))
    rest = [p for p in files if p.parts[0] not in late]
    dice.shuffle(rest)
    size = -(-len(rest) // steps)
    batches = [rest[i : i + size] for i in range(0, len(rest), size)]
    batches[-1] += [p for p in files if p.parts[0] in late]
    corrected = next(p for p in batches[0] if p.suffix == ".csv")  # comes with other content first
    with lake_at(tmp_path / "split") as split:
        for i, batch in enumerate(batches):
            again = [corrected, *dice.sample(batches[i - 1], k=2)] if i else []
            for path in [*batch, *again]:
                target = split / "drop" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / path, target)
            if i == 0:
                first_rows = (source / corrected).read_bytes().splitlines(keepends=True)[:2]
                (split / "drop" / corrected).write_bytes(b"".join(first_rows))
            bring_up_to_date(data.as_ofs[i % 2], whole.built, is_all_there=False)
        for as_of in data.as_ofs:
            bring_up_to_date(as_of, whole.built, is_all_there=True)
        found = {t: content(t) for t in all_names()}
        for table in TABLES:  # and with nothing new, nothing is done
            if storage.version(table) is not None:
                assert [r.verdict for r in run(table, data.as_ofs[1])] == ["nothing new"], table
    for table in wanted:
        assert found[table] == wanted[table], f"{table} differs (seed {seed}, late {late})"
    assert wanted["quarantine.pos_lines"], "the dirt was to be refused"


def all_names() -> list[str]:
    tables = [c.name for c in all_contracts() if c.name in TABLES]
    return [*tables, *(f"quarantine.{t.split('.')[1]}" for t in tables)]
