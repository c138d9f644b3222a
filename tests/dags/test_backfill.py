"""A backfill from Airflow's command line ends in what as many daily runs leave."""

import os
import shutil
import subprocess
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.demo import complete_journey
from jobs.demo.airflow import Airflow
from jobs.kit import lake as storage
from jobs.kit import lineage, services
from jobs.kit.settings import Settings
from tests.kit.test_increments import TABLES
from tests.processes import assert_same, command, environment

DAYS = int(os.environ.get("DAYS", "30"))
FIRST = date(2017, 1, 1)
LAST = FIRST + timedelta(days=DAYS - 1)
OTHERS = [t for t in TABLES if t.startswith("bronze.") and t != "bronze.pos_lines"]
DAILY = [t for t in TABLES if t not in OTHERS]
ALL_THERE = complete_journey.CUTS["tiny"].last.isoformat()  # no coupon was redeemed in January
PATIENCE = 3600  # seconds


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE)
def test_a_backfill_equals_as_many_daily_runs(own_folder, lakes):
    home, daily = own_folder / "home", own_folder / "daily"
    complete_journey.write(home / "drop", "tiny")
    shutil.copytree(home / "drop", daily / "drop")
    env, daily_env = environment(home, home), environment(daily, home)
    try:
        shoplake(env, "up")
        shoplake(env, "run", *OTHERS, "--as-of", ALL_THERE)
        airflow = log_in(home)
        airflow.wait_for(["ingest_pos", "refine"])
        airflow.unpause("refine")
        airflow.unpause("ingest_pos")
        begun = time.monotonic()
        span = ["--from-date", FIRST.isoformat(), "--to-date", f"{LAST}T23:59"]
        shoplake(env, "airflow", "backfill", "create", "--dag-id", "ingest_pos", *span)
        until_quiet(airflow)
        print(f"{DAYS} days by backfill: {time.monotonic() - begun:.0f} s")
        states = [t.state for t in airflow.tasks("ingest_pos")]
        assert states == ["success"] * DAYS * len(lineage.sources()["pos"]), states
        assert airflow.last_run_succeeded("refine")
        with lakes(home):
            built = set(storage.read_small("gold.customer_features")["as_of_date"].to_pylist())
        assert built == {FIRST + timedelta(days=i) for i in range(DAYS)}

        begun = time.monotonic()
        shoplake(daily_env, "run", *OTHERS, "--as-of", ALL_THERE)
        for i in range(DAYS):
            shoplake(daily_env, "run", *DAILY, "--as-of", (FIRST + timedelta(days=i)).isoformat())
        print(f"{DAYS} daily runs: {time.monotonic() - begun:.0f} s")
    finally:
        shoplake(env, "down")
    assert_same(lakes, home, daily)


def shoplake(env: dict[str, str], *words: str) -> None:
    done = subprocess.run([command(), *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"shoplake {' '.join(words)}\n{done.stdout[-3000:]}"


def log_in(home: Path) -> Airflow:
    (page,) = (s for s in services.status(Settings(home=home)) if s.name == "airflow")
    return Airflow(page.address, *page.login.split(" / "))


def until_quiet(airflow: Airflow) -> None:
    quiet, until = 0, time.monotonic() + PATIENCE
    while quiet < 3:
        assert time.monotonic() < until, "Airflow did not come to an end"
        time.sleep(5)
        quiet = 0 if airflow.is_busy(["refine"]) else quiet + 1
