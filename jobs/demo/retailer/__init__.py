"""A retailer that does not exist, with all its systems, and the truth behind what they say.

A seeded simulation of a Chinese grocery chain over two years (business time zone Asia/Shanghai, amounts in CNY). It
first makes a **world** in which everything has a cause: persons with needs, rates and an end; products with prices,
promotions and stocks; campaigns that move some persons and not others; weather and holidays. Then the retailer's
**systems** write down what they saw of it, each in its own format, fields and habits, with the dirt that such systems
have. What no system knows goes to `truth/`, which only the scoreboard reads.

The world is a DuckDB file of tables (`world.py` lists them) that is deleted at the end; a module makes some of the
tables from those before it. Drawing is numpy's; joining, sorting and writing is DuckDB's.

Names, phones, documents and addresses are drawn at random from word lists; phone numbers have prefixes, and document
numbers a region, that are given to nobody.
"""

from collections.abc import Callable
from pathlib import Path

from jobs.demo.files import Written
from jobs.demo.retailer import after, behaviour, campaigns, catalogue, journeys, people, places, systems, truth
from jobs.demo.retailer.world import Scale, world

Progress = Callable[[str, int, int], None]  # what is done now, steps done, steps in all
MAKERS = (places, catalogue, people, campaigns, behaviour, journeys, after)


def write(drop: Path, truth_folder: Path, scale: Scale, progress: Progress | None = None) -> Written:
    """Simulate the retailer and let its systems write into `drop`; same scale, same bytes."""
    steps = len(MAKERS) + len(systems.FEEDS) + 1
    heed = progress or (lambda _what, _done, _all: None)
    with world(scale, truth_folder) as made:
        for number, module in enumerate(MAKERS):
            heed(module.__name__.rpartition(".")[2], number, steps)
            module.make(made)
        files, changed = systems.write(made, drop, lambda what, n, _: heed(what, len(MAKERS) + n, steps))
        heed("truth", steps - 1, steps)
        truth.write(made, truth_folder)
    heed("done", steps, steps)
    return Written(files, changed)
