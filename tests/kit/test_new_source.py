"""A twelfth kind of source, a loyalty partner's file, from nothing to a silver table: `shoplake new`, filling in what
it says to, and nothing else. No DAG and no file of the kit is touched; Airflow has the source's DAG by itself."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = ROOT / ".shoplake" / "env" / "airflow" / "bin" / "python"

ABOUT = {"domain: TODO": "domain: customer", "name: TODO": "name: partnerships"}
COLUMN = "      - {{name: {}, logicalType: {}, physicalType: {}, required: true{}, description: {}}}\n"
KEY = ", primaryKey: true, primaryKeyPosition: 1"
# What a person writes into the files that `shoplake new` makes: what each says, and what it says then.
FILLED = {
    "jobs/bronze/loyalty_points.yaml": ABOUT
    | {
        "TODO: what it is for": "Points that members collected at the fuel partner, as it reports them.",
        "TODO: one row per …": "one row per received purchase at the partner",
        COLUMN.format("loyalty_points_id", "string", "string", "", '"TODO"'): (
            COLUMN.format("receipt_id", "string", "string", "", "The purchase")
            + COLUMN.format("member_id", "string", "string", ", physicalName: Karte", "The card shown")
            + COLUMN.format("points", "integer", "string", "", "Points granted")
        ),
    },
    "expectations/bronze/loyalty_points.yaml": {
        "expect_table_row_count_to_be_between, kwargs: {min_value: 1}, severity: critical": (
            "expect_column_values_to_match_regex, kwargs: {column: points, regex: '^[0-9]+$'}, severity: critical"
        ),
        "TODO: say why it matters": "Points are whole and never taken back; anything else is another unit.",
    },
    "jobs/landing/partner.py": {"0 3 * * *": "30 6 * * 1"},
    "jobs/silver/partner_points.yaml": ABOUT
    | {
        "TODO: what it is for": "Points of each member at the fuel partner.",
        "TODO: one row per …": "one row per member with points",
        COLUMN.format("partner_points_id", "string", "string", KEY, '"TODO"'): (
            COLUMN.format("member_id", "string", "string", KEY, "Identifier of the loyalty member.")
            + COLUMN.format("point_count", "integer", "bigint", "", "Points.")
        ),
        "growth, value: snapshot": "growth, value: upsert",
    },
    "expectations/silver/partner_points.yaml": {
        "TODO: say why it matters": "A partner without members has sent nothing."
    },
    "jobs/silver/partner_points.py": {
        "TODO: one row per …": "One row per member with points.",
        "TODO: say the rules; what happens to nulls, duplicates, late rows.": "A receipt sent twice counts once.",
        "    return loyalty_points": (
            "    receipts = loyalty_points.transform(keep_newest, 'receipt_id', 'member_id')\n"
            "    return receipts.groupBy('member_id').agg(F.sum(as_typed('points', 'bigint')).alias('point_count'))"
        ),
        "from pyspark.sql import DataFrame\n": (
            "from pyspark.sql import DataFrame\nfrom pyspark.sql import functions as F\n\n"
            "from jobs.verbs import as_typed, keep_newest\n"
        ),
    },
    "tests/silver/test_partner_points.py": {
        'raise AssertionError("TODO: rows in, rows out; the null, the duplicate and the late row")': "..."
    },
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the parts that a source touches."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("jobs", "dags", "expectations", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def contents(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_twelfth_source_is_new_files_and_nothing_else(spark, checkout, tmp_path):
    env = os.environ | {"SHOPLAKE_LAKE": str(tmp_path / "lake"), "SHOPLAKE_DROP": str(tmp_path / "drop")}

    def shoplake(*words: str) -> str:
        command = [sys.executable, "-m", "jobs.cli", *words]
        done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    before = contents(checkout)
    shoplake("new", "source", "loyalty_points", "--system", "partner")
    shoplake("new", "silver", "partner_points", "--from", "loyalty_points")
    for file, words in FILLED.items():
        text = (checkout / file).read_text()
        for todo, filled in words.items():
            assert todo in text, f"{file} no longer asks for {todo}"
            text = text.replace(todo, filled)
        assert "TODO" not in text
        (checkout / file).write_text(text)
    shoplake("contract", "lint")
    after = contents(checkout)
    assert {name: after[name] for name in before} == before, "a file that was there has been touched"
    assert set(after) - set(before) == set(FILLED)

    sent = tmp_path / "drop" / "partner" / "loyalty_points" / "loyalty_points_2025-03-31.csv"
    sent.parent.mkdir(parents=True)
    receipts = [f"r{n},{900 + n % 2},{n}" for n in range(30)]
    sent.write_text("\n".join(["receipt_id,Karte,points", *receipts, receipts[3], 'r99,900,"1,5"', ""]))
    shoplake("run", "loyalty_points", "partner_points", "--as-of", "2025-03-31")
    found = DeltaTable(str(tmp_path / "lake" / "silver" / "partner_points")).to_pyarrow_table().to_pylist()
    wanted = {"900": sum(range(0, 30, 2)), "901": sum(range(1, 30, 2))}
    assert {row["member_id"]: row["point_count"] for row in found} == wanted
    assert "1,5" in shoplake("quarantine", "show", "loyalty_points")


@pytest.mark.skipif(not AIRFLOW.exists(), reason="Airflow is not installed here: make install")
def test_airflow_has_its_dag_and_wakes_what_is_made_of_it(checkout, tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "SHOPLAKE"))}
    env |= {
        "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPATH": str(checkout),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }  # fmt: skip
    command = [str(AIRFLOW), str(checkout / "tests" / "dags" / "probe.py")]
    done = subprocess.run(command, input='"structure"\n', env=env, capture_output=True, text=True, timeout=300)
    (answer,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    read = json.loads(answer.removeprefix("ANSWER "))
    assert read["errors"] == {}
    ingest, refine = read["dags"]["ingest_partner"], read["dags"]["refine"]
    assert (ingest["schedule"], list(ingest["tasks"])) == ("30 6 * * 1", ["bronze.loyalty_points"])
    assert "bronze.loyalty_points" in refine["woken_by"]
    assert "bronze.loyalty_points" in refine["tasks"]["silver.partner_points"]["inlets"]
