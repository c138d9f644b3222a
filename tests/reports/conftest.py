"""A lake of a few gold tables, written without Spark: reports ask for nothing else."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.kit.contracts import load
from jobs.kit.settings import settings
from tests.conftest import lake_at
from tests.frames import filler_of, typed

TYPES = {"string": pa.string(), "bigint": pa.int64(), "int": pa.int32(), "double": pa.float64(), "date": pa.date32()}
TYPES |= {"boolean": pa.bool_(), "decimal(18,2)": pa.decimal128(18, 2), "decimal(18,4)": pa.decimal128(18, 4)}
LAST = date(2025, 3, 31)


def put(table: str, *rows: dict) -> None:
    """Write a table; columns that a row leaves out are null, or neutral where the contract requires one."""
    contract = load(table)
    filler = {c.name: filler_of(c.type) if c.required else None for c in contract.columns}
    if "as_of_date" in filler:
        filler["as_of_date"] = LAST
    values = [{n: typed((filler | row)[n], contract.types[n]) for n in filler} for row in rows]
    for row in rows:
        assert set(row) <= set(filler), f"{table} has no column {set(row) - set(filler)}"
    schema = pa.schema([(c.name, TYPES[c.type]) for c in contract.columns])
    write_deltalake(settings().path(table), pa.Table.from_pylist(values, schema=schema), mode="overwrite")


def sale(
    day: date, store: str, category: str, net: str, *, back: str = "0", channel: str = "pos", units: int = 1
) -> dict:
    """A row of gold.sales_daily: `net` after `back` was given back, a tenth off the shelf's price."""
    shelf = Decimal(net) * 10 / 9
    return {
        "order_date": day, "channel": channel, "store_id": store, "department": category.split()[0].upper(),
        "category": category, "unit_count": units, "net_amount": net, "returned_amount": back,
        "list_amount": str(shelf.quantize(Decimal("0.01"))),
    }  # fmt: skip


def sales() -> list[dict]:
    """Ten weeks: S1 sells each day, tea ever more; S2 stopped five weeks ago."""
    rows = []
    for back in range(70):
        day = LAST - timedelta(days=back)
        rows += [sale(day, "S1", "Milk", "10.01"), sale(day, "S1", "Green tea", str(200 - 2 * back), channel="app")]
        if back >= 35:
            rows.append(sale(day, "S2", "Milk", "5.55"))
    return rows


@pytest.fixture
def gold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """An empty lake, and `put` to fill it; amounts are CNY."""
    monkeypatch.setenv("SHOPLAKE_CURRENCY", "CNY")
    with lake_at(tmp_path):
        yield put
