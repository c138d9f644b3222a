"""The simulated world while it is made: its size, its random numbers, and its tables.

Tables, in the order in which they are made (integers are row numbers of the table they name, from 0):

| table | made by | one row per |
|---|---|---|
| day, city, weather, store | places | day · city · city and day · store, the last one the marketplaces' warehouse |
| type, product, rule | catalogue | product type (third level of the tree) · article · planted rule between types |
| assortment, price, competitor | catalogue | cluster of stores and article · article and week · that, elsewhere |
| person | people | human being: what is so |
| account | people | registration of a person in a system: what that system was told |
| temper, campaign, target, touch | campaigns | person · campaign · campaign and person it was meant for · message |
| habit, rate, order, line | behaviour | person · person · visit that bought something · article in it |
| demand, visit_day | behaviour | article wanted in a visit, whether it was there or not · visit |
| stock_cell, stock_move, purchase, stock_end | stock | store and article · other than a sale · order · closing |
| session, event | journeys | visit to the app · thing done there |
| payment, return, state, unpaid, delivery, point | after | of orders; point: of a courier's track |
| review, ticket, survey, social | after | text, or doing, with what it truly is about |
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import duckdb
import numpy as np
import pyarrow as pa

ZONE = "Asia/Shanghai"  # no summer time: local time is UTC+8 throughout
CURRENCY = "CNY"
Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all


@dataclass(frozen=True)
class Scale:
    """How large the retailer is. SF 1: 500 stores, 100,000 persons, some 3 million lines, 10 million app events."""

    sf: float = 0.01
    seed: int = 1
    first: date = date(2024, 1, 1)  # a Monday
    last: date = date(2025, 12, 31)

    @property
    def days(self) -> int:
        """Business days simulated; a shop of this chain is open on every one."""
        return (self.last - self.first).days + 1

    @property
    def weeks(self) -> int:
        """Weeks, Monday to Sunday, the last one cut short by the last day."""
        return -(-self.days // 7)

    @property
    def persons(self) -> int:
        """Human beings who are, were or will be customers."""
        return max(200, round(100_000 * self.sf))

    @property
    def stores(self) -> int:
        """Shops; the warehouse of the marketplaces comes on top."""
        return max(5, round(500 * self.sf))

    @property
    def products_per_type(self) -> int:
        """Articles of each of the types."""
        return max(5, round(40 * self.sf**0.4))

    def rng(self, *name: str | int) -> np.random.Generator:
        """A stream of random numbers of its own per name, so that a change in one module moves no other's."""
        words = [crc32(str(n).encode()) for n in name]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *words])))


class World:
    """The tables made so far."""

    def __init__(self, scale: Scale, con: duckdb.DuckDBPyConnection) -> None:
        self.scale, self.con = scale, con

    def add(self, name: str, columns: Mapping[str, Any]) -> None:
        """Make a table of these columns (arrays of one length, in order), or add rows to it."""
        table = pa.table(
            {k: v if isinstance(v, pa.Array | pa.ChunkedArray) else pa.array(v) for k, v in columns.items()}
        )
        self.con.register("fresh", table)
        there = self.con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [name]).fetchone()
        self.con.execute(
            f'INSERT INTO "{name}" BY NAME FROM fresh' if there else f'CREATE TABLE "{name}" AS FROM fresh'
        )
        self.con.unregister("fresh")

    def get(self, query: str, *values: Any) -> dict[str, np.ndarray]:
        """The columns of a query as arrays, in the order of its rows."""
        return {k: np.asarray(v) for k, v in self.con.execute(query, list(values)).fetchnumpy().items()}

    def run(self, *statements: str) -> None:
        """Execute SQL."""
        for statement in statements:
            self.con.execute(statement)


@contextmanager
def world(scale: Scale, folder: Path) -> Iterator[World]:
    """A world on disk below `folder`, so that memory stays bounded; gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".world-", dir=folder) as home, duckdb.connect(str(Path(home) / "world.db")) as con:
        con.execute("SET threads = 2")
        con.execute("SET memory_limit = '2GB'")
        con.execute("SET enable_progress_bar = false")
        con.execute(f"SET temp_directory = '{home}'")
        yield World(scale, con)


def choose(rng: np.random.Generator, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For each of `rows`, draw a column of that row of `weights` (any scale, none negative)."""
    cumulative = np.cumsum(weights, axis=1)
    drawn = rng.random(len(rows)) * cumulative[rows, -1]
    return (cumulative[rows] <= drawn[:, None]).sum(axis=1).astype(np.int32)


def pick(
    rng: np.random.Generator, words: Iterable[Any], size: int, weights: Iterable[float] | None = None
) -> np.ndarray:
    """`size` draws from a list, evenly or by weight."""
    words = np.asarray(list(words))
    p = None if weights is None else np.asarray(list(weights), float) / sum(weights)
    return words[rng.choice(len(words), size=size, p=p)]
