"""Readers at once on the SQL port, asking gold and scoring as the user `bi`: errors, and how long an answer takes.

    python -m tests.bench.readers --readers 20 --questions 10

Of this checkout's lake (`make demo` first), with PyHive out of Superset's environment (`make install BI=1`). A reader
has a connection of its own and asks the same mix, each in another order. One round goes before, of one reader: a cold
engine is not what is measured. Beside it the same questions to the extract, the DuckDB file of the dashboards.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable

QUESTIONS = (
    "SELECT channel, sum(net_amount) FROM gold.sales_daily GROUP BY channel",
    "SELECT date_trunc('month', order_date), store_id, sum(net_amount) FROM gold.sales_daily GROUP BY 1, 2",
    "SELECT category, sum(margin_amount) / sum(costed_net_amount) FROM gold.category_margin GROUP BY category",
    "SELECT segment, count(*), sum(net_amount_365d) FROM gold.customer_rfm GROUP BY segment",
    "SELECT * FROM gold.customer_360 ORDER BY net_amount DESC LIMIT 100",
    "SELECT v.value_class, avg(c.churn_probability) FROM gold.customer_value v"
    " JOIN scoring.churn_scores c USING (as_of_date, customer_id) GROUP BY v.value_class",
    "SELECT store_id, sum(sold_cost_amount) / sum(mean_stock_cost_amount) FROM gold.stock_turnover GROUP BY store_id",
    "SELECT item, count(*) FROM gold.basket_items GROUP BY item ORDER BY 2 DESC LIMIT 20",
)
Ask = Callable[[str], object]


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    said.add_argument("--readers", type=int, default=20)
    said.add_argument("--questions", type=int, default=10, help="asked by each reader")
    args = said.parse_args()
    if "SHOPLAKE_BENCH" in os.environ:
        measure(json.loads(os.environ["SHOPLAKE_BENCH"]), args.readers, args.questions)
        return
    from jobs.kit import engine, extract, services
    from jobs.kit.settings import CHECKOUT, settings

    python = services.superset_binaries() / "python"
    services.up(settings(), ["postgres", "engine"], say=lambda line: None)
    extract.refresh()
    info = engine.status(settings())
    assert info is not None
    told = {"port": info.sql_port, "password": info.bi_password, "extract": str(extract.path())}
    env = os.environ | {"SHOPLAKE_BENCH": json.dumps(told)}
    subprocess.run([python, "-m", "tests.bench.readers", *sys.argv[1:]], env=env, cwd=CHECKOUT, check=True)


def measure(told: dict, readers: int, questions: int) -> None:
    """In the environment that has the clients."""
    import duckdb
    from pyhive import hive

    def over_the_port() -> Ask:
        cursor = hive.connect(
            host="127.0.0.1", port=told["port"], username="bi", password=told["password"], auth="CUSTOM"
        ).cursor()
        return lambda sql: (cursor.execute(sql), cursor.fetchall())

    def of_the_extract() -> Ask:
        cursor = database.cursor()
        return lambda sql: cursor.execute(sql).fetchall()

    many(over_the_port, 1, len(QUESTIONS))
    report(f"SQL port, 1 reader, {questions} questions", *many(over_the_port, 1, questions))
    report(f"SQL port, {readers} readers, {questions} questions each", *many(over_the_port, readers, questions))
    with duckdb.connect(told["extract"], read_only=True) as database:
        report(f"extract, {readers} readers, {questions} questions each", *many(of_the_extract, readers, questions))


def many(connect: Callable[[], Ask], readers: int, questions: int) -> tuple[list[float], list[str], float]:
    """What each answer took, every error, and the seconds from the first question to the last answer."""
    seconds: list[float] = []
    errors: list[str] = []
    start = threading.Barrier(readers + 1)

    def read(number: int) -> None:
        order = random.Random(number)
        try:
            ask = connect()
        except BaseException:
            start.abort()  # nobody waits for who cannot come
            raise
        start.wait()
        for n in range(questions):
            if n % len(QUESTIONS) == 0:
                mix = order.sample(QUESTIONS, len(QUESTIONS))
            begun = time.monotonic()
            try:
                ask(mix[n % len(QUESTIONS)])
            except Exception as error:
                errors.append(str(error)[:200])
            seconds.append(time.monotonic() - begun)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(readers)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.monotonic()
    for thread in threads:
        thread.join()
    return seconds, errors, time.monotonic() - begun


def report(what: str, seconds: list[float], errors: list[str], took: float) -> None:
    """One line; the first error in another."""
    *_, p95 = statistics.quantiles(seconds, n=20)
    load = os.getloadavg()[0]
    print(
        f"{what}: {len(errors)} errors; median {statistics.median(seconds):.3f} s, p95 {p95:.3f} s, "
        f"longest {max(seconds):.3f} s; {len(seconds) / took:.1f} a second (load {load:.1f})",
        flush=True,
    )
    if errors:
        print(errors[0])


if __name__ == "__main__":
    main()
