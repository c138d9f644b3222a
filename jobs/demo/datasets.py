"""The data that `make demo` can show: what they are, how they come into the drop folder, and a bad day of each."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from jobs.demo import complete_journey, retailer
from jobs.demo.files import Written, put
from jobs.demo.retailer.world import CURRENCY, ZONE, Scale
from jobs.kit.settings import Settings, remember

Heed = Callable[..., None]  # is called now and then; may raise, to stop


@dataclass(frozen=True)
class DataSet:
    """One choice of DATA."""

    title: str
    intro: str
    first: date
    last: date  # the as_of of the demo
    retailer: str  # data of one retailer may share a lake
    timezone: str
    currency: str
    write: Callable[[Settings, Heed], Written]
    break_day: Callable[[Settings], Path]  # what `write` puts right again
    minutes: str = ""  # that a first run through Airflow takes on a laptop


def _complete_journey(name: complete_journey.Data) -> DataSet:
    return DataSet(
        title=f"Complete Journey ({name})",
        intro="Complete Journey by 84.51°, 2017: data that its authors call simulated from real transactions. "
        "What the numbers below say of shoppers, they say of that simulation.",
        first=complete_journey.FIRST,
        last=complete_journey.CUTS[name].last,
        retailer="complete journey",
        timezone=complete_journey.ZONE,
        currency="USD",
        write=lambda conf, heed: complete_journey.write(conf.drop, name, heed),
        break_day=lambda conf: complete_journey.break_day(conf.drop, name),
        minutes={"slice": "5 to 7", "full": "about 16"}.get(name, ""),
    )


def _simulated(scale: Scale) -> DataSet:
    return DataSet(
        title=f"Simulated retailer (SF {scale.sf:g})",
        intro="A simulated retailer: nobody and nothing in it exists. What the numbers below say of shoppers, they say "
        "of the simulation (docs/retailer.md), whose truth is known.",
        first=scale.first,
        last=scale.last,
        retailer="simulated",
        timezone=ZONE,
        currency=CURRENCY,
        write=lambda conf, heed: retailer.write(conf.drop, conf.home / "truth", scale, heed),
        break_day=partial(_break_pos_lines, scale=scale),
        minutes="8 to 15",
    )


def _break_pos_lines(conf: Settings, scale: Scale) -> Path:
    """Send the last but one business day again, from tills that turn the sign of three sold quantities in ten.

    Every value parses, so bronze's door lets the file in: it takes a rule about the business to hold it.
    """
    path = conf.drop / "pos" / "pos_lines" / f"pos_lines_{scale.last - timedelta(days=1)}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    quantity, kind = rows[0].index("quantity"), rows[0].index("line_type")
    for number, row in enumerate(rows[1:]):
        if number % 10 < 3 and row[kind] == "sale" and row[quantity].isdigit():
            row[quantity] = f"-{row[quantity]}"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(text.getvalue(), encoding="utf-8")
    put(fresh, path)
    return path


DATASETS: dict[str, DataSet] = {
    "retailer": _simulated(Scale(0.01)),
    "complete-journey": _complete_journey("slice"),
    "full": _complete_journey("full"),
    "tiny": _complete_journey("tiny"),
}


class OtherDataError(Exception):
    """The lake holds another retailer's data."""


def choose(name: str, conf: Settings, *, live: bool = False) -> DataSet:
    """The data set of that name, with its time zone and currency remembered for this lake; without a name the one that
    the lake holds, else the simulated retailer.

    OtherDataError if the lake holds another retailer's: two in one lake would be one retailer with wrong numbers. So
    would be one whose systems were asked (`live`) and whose files are then taken as well.
    """
    there = DATASETS.get(conf.data) if (Path(conf.lake) / "bronze").exists() else None
    name = name or (conf.data if there else "retailer")
    wanted = DATASETS[name]
    if there and there.retailer != wanted.retailer:
        raise OtherDataError(
            f"The lake {conf.lake} holds {there.title}. For {wanted.title} forget it (make clean), "
            "or set SHOPLAKE_HOME to another folder."
        )
    if there and live != bool(conf.sources):
        how = "asked its sources (LIVE=1)" if conf.sources else "took its sources' files"
        raise OtherDataError(
            f"The lake {conf.lake} {how}: go on in the same way, forget it (make clean), "
            "or set SHOPLAKE_HOME to another folder."
        )
    if live and wanted.retailer != "simulated":
        raise OtherDataError(f"LIVE=1 asks the systems of the simulated retailer; {wanted.title} has files alone.")
    if live and conf.sources:
        return wanted  # remembered already, with the addresses
    remember(conf, data=name, timezone=wanted.timezone, currency=wanted.currency)
    return wanted
