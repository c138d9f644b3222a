"""`kill -9` at random moments, then the same command again: the lake holds what an undisturbed one holds.

Killed are, by hand, a run or the engine; under Airflow a task, the engine, the scheduler or the demo itself.

`make kill SEED=7 KILLS=20` repeats it. New files come before each kill, so that there is always work to interrupt.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from jobs.demo import complete_journey
from jobs.kit.settings import Settings
from tests.kit.test_increments import RETAILER, TABLES
from tests.processes import assert_same, command, environment

SEED = int(os.environ.get("SEED", "1"))
KILLS = int(os.environ.get("KILLS", "20"))
AS_OF = RETAILER.as_ofs[1].isoformat()
LONGEST = 25.0  # seconds: past the time that a run of this data takes


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_a_lake_killed_at_random_moments_ends_as_an_undisturbed_one(tmp_path, lakes):
    source = tmp_path / "source"
    RETAILER.write(source)
    files = sorted(p.relative_to(source) for p in source.rglob("*.*"))
    dice = random.Random(SEED)
    killed = tmp_path / "killed"
    mixed = dice.sample(files, k=len(files))
    for i in range(KILLS):
        deliver(source, killed, mixed[i::KILLS])
        run = start(killed, tmp_path / "home")
        moment, victim = dice.uniform(0.3, LONGEST), dice.choice(["run", "engine"])
        try:
            run.wait(moment)
        except subprocess.TimeoutExpired:
            kill(run, tmp_path / "home", victim)
        print(f"seed {SEED}, kill {i + 1} of {KILLS}: {victim} after {moment:.1f} s")
    assert start(killed, tmp_path / "home").wait(1200) == 0
    whole = tmp_path / "whole"
    deliver(source, whole, files)
    assert start(whole, tmp_path / "home").wait(1200) == 0
    subprocess.run([command(), "down"], env=environment(whole, tmp_path / "home"), check=True)
    assert_same(lakes, killed, whole)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_airflow_killed_at_random_moments_ends_as_an_undisturbed_run(own_folder, lakes):
    home, whole = own_folder / "home", own_folder / "whole"
    env = environment(home, home)  # where the demo has its lake and drop
    dice, kills = random.Random(SEED), max(KILLS // 4, 1)
    try:
        for i in range(kills):
            demo = start_demo(env)
            moment, victim = dice.uniform(50, 120), dice.choice(["task", "engine", "airflow-scheduler", "demo"])
            try:
                demo.wait(moment)
            except subprocess.TimeoutExpired:
                for pid in pids(victim, demo, home):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(5)  # what is left meets the loss before the demo is ended too
            print(f"Airflow, seed {SEED}, kill {i + 1} of {kills}: {victim} after {moment:.1f} s")
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
        last = start_demo(env)
        assert last.wait(1800) == 0, log(home).read_text()[-5000:]
        shutil.copytree(home / "drop", whole / "drop")
        run = [command(), "run", *TABLES, "--as-of", str(complete_journey.CUTS["tiny"].last)]
        subprocess.run(run, env=environment(whole, home), check=True, stdout=subprocess.DEVNULL)
    finally:
        subprocess.run([command(), "down"], env=env, check=True)
    assert_same(lakes, home, whole)


def start_demo(env: dict[str, str]) -> subprocess.Popen:
    home = Path(env["SHOPLAKE_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    words = [command(), "demo", "--data", "tiny"]
    with log(home).open("a") as said:
        return subprocess.Popen(words, env=env, start_new_session=True, stdout=said, stderr=said)


def log(home: Path) -> Path:
    return home / "demo.log"


def pids(victim: str, demo: subprocess.Popen, home: Path) -> list[int]:
    """Who is meant; nobody if there is no such process at this moment."""
    from jobs.kit import services

    if victim == "demo":
        return [demo.pid]
    if victim == "task":
        return [p.pid for p in psutil.process_iter(["cmdline"]) if is_task(p.info["cmdline"] or [], p, home)][:1]
    return [s.pid for s in services.status(Settings(home=home)) if s.name == victim]


def is_task(words: list[str], process: psutil.Process, home: Path) -> bool:
    try:
        return command() in words and "run" in words and process.environ().get("SHOPLAKE_HOME") == str(home)
    except psutil.Error:
        return False


def deliver(source: Path, folder: Path, files: list[Path]) -> None:
    for path in files:
        target = folder / "drop" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target)


def start(folder: Path, home: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [command(), "run", *TABLES, "--as-of", AS_OF],
        env=environment(folder, home),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )


def kill(run: subprocess.Popen, home: Path, victim: str) -> None:
    from jobs.kit import engine

    if victim == "engine":
        found = engine.status(Settings(home=home))
        if found:
            os.kill(found.pid, signal.SIGKILL)
        time.sleep(1)  # the run meets the loss before it is ended too
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()
