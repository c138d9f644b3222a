"""What is on the shelves: day by day, for each article that a store carries.

A day goes: deliveries arrive, what is too old is thrown away, customers take (first come, first served, from what is
there), in the evening what has run low is ordered, up to a level, by the demand that the buyers reckon with. It arrives
after the supplier's lead time; suppliers fail for days at a time, which, with promotions that nobody ordered ahead for,
makes shelves empty and hides demand. Fresh goods are kept by age and sold oldest first. Counting the shelves once a
month finds what was stolen or miscounted.

The books hold: opening + received - sold - spoiled +- adjusted = closing, for each cell and day. What customers bring
back is not sold again.
"""

from collections.abc import Mapping

import numpy as np

from jobs.demo.retailer.catalogue import FRESH_DAYS
from jobs.demo.retailer.world import World

FAILURES_PER_YEAR, FAILURE_DAYS = 1.5, 9  # of a supplier, and how long one lasts on average
SHRINKAGE = 0.004  # chance per cell and count that a unit or so is missing
TYPES_PER_VISIT, UNITS_PER_LINE = 4.0, 1.35  # what buyers reckon with


class Shelves:
    """The stock of all stores while the days go by. A cell is a store and an article that it carries."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.scale.rng("shelves")
        cell = world.get("""
            SELECT store_id, product_id, supplier, shelf_life_days, is_warehouse, format
            FROM store JOIN assortment USING (cluster) JOIN product USING (product_id) JOIN type USING (type_id)
            ORDER BY store_id, product_id""")
        self.store, self.product = cell["store_id"], cell["product_id"]
        self.cells = len(self.store)
        products = int(self.product.max()) + 1
        self.key = self.store.astype(np.int64) * products + self.product  # sorted, so that a line finds its cell
        self.products = products
        life = cell["shelf_life_days"]
        self.fresh = np.flatnonzero((life > 0) & (life <= FRESH_DAYS))
        self.life = life[self.fresh]
        self.lead = np.where(np.isin(np.arange(self.cells), self.fresh), 1, np.where(cell["is_warehouse"], 4, 2))
        self.expected = self._expected(cell)
        pack = np.where(self.lead == 1, 1, np.where(cell["is_warehouse"], 12, 3))
        self.pack = pack
        is_fresh = self.lead == 1
        # What keeps is ordered for two weeks and then some; what spoils, as much as will just be sold.
        cover = np.where(is_fresh, np.clip(life - 1, 0, 4), 14)
        spare = np.where(is_fresh, 0.3, 1.5)
        mean, until = self.expected * (self.lead + cover), self.expected * self.lead
        self.level = np.maximum(np.round(mean + spare * np.sqrt(mean)), pack).astype(np.int32)
        self.reorder = np.where(is_fresh, np.round(until), np.ceil(until + 1.2 * np.sqrt(until))).astype(np.int32)
        self.on_hand = self.level.copy()
        self.by_age = np.zeros((FRESH_DAYS + 1, len(self.fresh)), np.int32)  # by days left
        self.by_age[self.life, np.arange(len(self.fresh))] = self.on_hand[self.fresh]
        self.coming = np.zeros((int(self.lead.max()) + 1, self.cells), np.int32)  # by days until they arrive
        self.on_order = np.zeros(self.cells, np.int32)
        self.fails = self._failures(cell["supplier"])
        world.add("stock_cell", {
            "cell_id": np.arange(self.cells, dtype=np.int32), "store_id": self.store, "product_id": self.product,
            "opening": self.on_hand.astype(np.int32),
        })  # fmt: skip

    def _expected(self, cell: Mapping[str, np.ndarray]) -> np.ndarray:
        """Units a day that the buyers count on: a visit's usual needs, shared by popularity among what is carried."""
        per_store = self.world.get("""
            SELECT store_id, count(*) / (SELECT count(*) FROM day) AS visits FROM visit GROUP BY 1 ORDER BY 1""")
        visits = np.zeros(int(self.store.max()) + 1)
        visits[per_store["store_id"]] = per_store["visits"]
        share = self.world.get("""
            SELECT weight / (SELECT sum(weight) FROM type)
                   * popularity / sum(popularity) OVER (PARTITION BY store_id, type_id) AS share
            FROM store JOIN assortment USING (cluster) JOIN product USING (product_id) JOIN type USING (type_id)
            ORDER BY store_id, product_id""")
        return visits[self.store] * TYPES_PER_VISIT * share["share"] * UNITS_PER_LINE

    def _failures(self, supplier: np.ndarray) -> np.ndarray:
        """(day, cell): the supplier delivers nothing."""
        days = self.world.scale.days
        names, of = np.unique(supplier, return_inverse=True)
        fails = np.zeros((days + 1, len(names)), bool)
        for number in range(len(names)):
            for _ in range(self.rng.poisson(FAILURES_PER_YEAR * days / 365)):
                begins = int(self.rng.integers(0, days))
                fails[begins : begins + 1 + int(self.rng.exponential(FAILURE_DAYS)), number] = True
        self.supplier = of
        return fails

    def serve(self, line: dict[str, np.ndarray], first: int, last: int) -> None:
        """Run the days from `first` up to `last`; `line` (in the order of time) learns what was `sold` of its units."""
        cell = np.searchsorted(self.key, line["store_id"].astype(np.int64) * self.products + line["product_id"])
        line["sold"] = np.zeros(len(cell), np.int64)
        bounds = np.searchsorted(line["day"], np.arange(first, last + 1))
        moves: list[tuple[np.ndarray, ...]] = []
        orders: list[tuple[np.ndarray, ...]] = []
        for n, day in enumerate(range(first, last)):
            self._receive(day, moves)
            self._throw_away(day, moves)
            today = slice(bounds[n], bounds[n + 1])
            line["sold"][today] = self._sell(cell[today], line["units"][today])
            self._order(day, orders)
            if (day + 1) % 30 == 0:
                self._count(day, moves)
        self._write("stock_move", ("kind", "day", "cell_id", "units"), moves)
        self._write("purchase", ("ordered_day", "cell_id", "units", "due_day"), orders)

    def close(self) -> None:
        """The shelves at the end of the last day."""
        self.world.add("stock_end", {"cell_id": np.arange(self.cells, dtype=np.int32), "units": self.on_hand})

    def _receive(self, day: int, moves: list) -> None:
        arrived = self.coming[0].copy()
        self.coming[:-1] = self.coming[1:]
        self.coming[-1] = 0
        failing = self.fails[day, self.supplier] & (arrived > 0)
        self.coming[0][failing] += arrived[failing]  # tomorrow, perhaps
        arrived[failing] = 0
        self.on_hand += arrived
        self.on_order -= arrived
        self.by_age[self.life, np.arange(len(self.fresh))] += arrived[self.fresh]
        self._note(moves, 0, day, arrived)

    def _throw_away(self, day: int, moves: list) -> None:
        """What had no day left this morning; everything else is a day older."""
        spoiled = np.zeros(self.cells, np.int32)
        spoiled[self.fresh] = self.by_age[0]
        self.by_age[:-1] = self.by_age[1:]
        self.by_age[-1] = 0
        self.on_hand -= spoiled
        self._note(moves, 1, day, -spoiled)

    def _sell(self, cell: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Units that each line gets: what is left of the shelf when its turn comes."""
        order = np.argsort(cell, kind="stable")
        cell, units = cell[order], units[order]
        before = np.cumsum(units) - units
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        before -= np.repeat(before[first], np.diff(np.append(first, len(cell))))
        got = np.clip(self.on_hand[cell] - before, 0, units)
        taken = np.bincount(cell, got, self.cells).astype(np.int32)
        self.on_hand -= taken
        left = taken[self.fresh]
        for age in range(len(self.by_age)):  # oldest first
            from_here = np.minimum(self.by_age[age], left)
            self.by_age[age] -= from_here
            left = left - from_here
        sold = np.empty(len(cell), np.int64)
        sold[order] = got
        return sold

    def _order(self, day: int, orders: list) -> None:
        position = self.on_hand + self.on_order
        low = np.flatnonzero(position <= self.reorder)
        packs = -(-np.maximum(self.level[low] - position[low], 1) // self.pack[low])
        units = (packs * self.pack[low]).astype(np.int32)
        self.coming[self.lead[low] - 1, low] += units
        self.on_order[low] += units
        days = np.full(len(low), day, np.int32)
        orders.append((days, low.astype(np.int32), units, (days + self.lead[low]).astype(np.int32)))

    def _count(self, day: int, moves: list) -> None:
        off = np.where(self.rng.random(self.cells) < SHRINKAGE, self.rng.choice([-2, -1, -1, 1], self.cells), 0)
        off[self.fresh] = 0
        off = np.maximum(off, -self.on_hand).astype(np.int32)
        self.on_hand += off
        self._note(moves, 2, day, off)

    @staticmethod
    def _note(moves: list, kind: int, day: int, units: np.ndarray) -> None:
        cell = np.flatnonzero(units)
        moves.append(
            (np.full(len(cell), kind, np.int8), np.full(len(cell), day, np.int32), cell.astype(np.int32), units[cell])
        )

    def _write(self, table: str, names: tuple[str, ...], rows: list[tuple[np.ndarray, ...]]) -> None:
        self.world.add(table, dict(zip(names, map(np.concatenate, zip(*rows, strict=True)), strict=True)))
