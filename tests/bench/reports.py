"""Seconds to write the reports of many stores, in both languages and as pages and workbooks.

    python -m tests.bench.reports --stores 500

Gold is made up: each store sells 20 categories in 4 departments on each day of 26 weeks, with margin and stock.
Timed is all from the first read to the last rename; making gold is not.
"""

import argparse
import os
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb
import psutil
from deltalake import write_deltalake

from jobs.kit.contracts import load
from tests.conftest import lake_at

LAST = date(2025, 12, 31)
MADE = {
    "gold.sales_daily": """SELECT DATE '{last}' - d.i::INT AS order_date, 'pos' AS channel, 'S' || s.i AS store_id,
        'Department ' || (c.i % 4) AS department, 'Category ' || c.i AS category, 3 AS order_count, 3 AS line_count,
        3 AS unit_count, 33.33 AS list_amount, (10 + (d.i * s.i + c.i) % 20) AS net_amount,
        (10 + (d.i * s.i + c.i) % 20) AS paid_amount, 0 AS retail_discount_amount, 0 AS coupon_discount_amount,
        0 AS coupon_match_amount, (d.i + c.i) % 50 = 0 AS returned_amount
        FROM range({stores}) s(i), range(20) c(i), range(182) d(i)""",
    "gold.category_margin": """SELECT DATE '{month}' - to_months(m.i::INT) AS month_start_date, 'pos' AS channel,
        'S' || s.i AS store_id, 'Department ' || (c.i % 4) AS department, 'Category ' || c.i AS category,
        90 AS sold_unit_count, 900 AS list_amount, 600 AS net_amount, 600 AS costed_net_amount,
        400 AS goods_cost_amount, 200 AS margin_amount, 1.0 / 3 AS margin_rate
        FROM range({stores}) s(i), range(20) c(i), range(12) m(i)""",
    "gold.stock_turnover": """SELECT DATE '{month}' AS month_start_date, 'S' || s.i AS store_id,
        'Department ' || (c.i % 4) AS department, 'Category ' || c.i AS category, 90 AS sold_unit_count,
        400 AS sold_cost_amount, 99 AS mean_stock_unit_count, 300 + c.i * 200 AS mean_stock_cost_amount,
        1.0 AS turnover_rate, 20 + c.i * 10 AS supply_days, 3 AS order_count, 9 AS store_order_count,
        0.3 AS purchase_rate FROM range({stores}) s(i), range(20) c(i)""",
}


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    said.add_argument("--stores", type=int, default=500)
    args = said.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as folder, lake_at(Path(folder)):
        from jobs.kit.settings import settings
        from jobs.reports import write

        for table, sql in MADE.items():
            types = ", ".join(f"{c.name}::{c.type} AS {c.name}" for c in load(table).columns)
            text = sql.format(stores=args.stores, last=LAST, month=LAST.replace(day=1))
            write_deltalake(settings().path(table), duckdb.sql(f"SELECT {types} FROM ({text})").to_arrow_table())
        clock, cpu = time.perf_counter(), time.process_time()
        made = write.write(Path(folder) / "reports", currency="CNY")
        seconds, used = time.perf_counter() - clock, time.process_time() - cpu
        size = sum(p.stat().st_size for p in made.folder.rglob("*")) / 1e6
        resident = psutil.Process(os.getpid()).memory_info().rss / 1e9
        what = f"{args.stores} stores: {len(made.entries):,} reports, {made.files:,} files, {size:.0f} MB"
        took = f"{seconds:.0f} s ({used:.0f} s of one core, load {os.getloadavg()[0]:.1f})"
        print(f"{what} in {took}, {resident:.1f} GB")


if __name__ == "__main__":
    main()
