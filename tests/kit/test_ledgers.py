"""The ledgers say who did what, and only grow."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from jobs.kit import lake as storage
from jobs.kit.run import RUNS, Result, record
from jobs.kit.settings import settings
from tests.conftest import lake_at

RESULT = Result("silver.orders", date(2025, 6, 1), "r1", "published")


def test_a_run_says_who_ran_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOPLAKE_RUN_BY", "airflow refine asset_triggered__2025-06-01")
    with lake_at(tmp_path):
        record([RESULT])
        (row,) = storage.read_ops("runs").to_pylist()
    assert row["run_by"] == "airflow refine asset_triggered__2025-06-01"


def test_without_a_word_it_is_the_account(tmp_path):
    with lake_at(tmp_path):
        assert settings().run_by


def test_no_row_can_be_deleted_or_changed(tmp_path):
    with lake_at(tmp_path):
        record([RESULT])
        table = DeltaTable(settings().path("ops.runs"))
        with pytest.raises(CommitFailedError, match="append-only"):
            table.delete()
        with pytest.raises(CommitFailedError, match="append-only"):
            table.update(updates={"verdict": "'refused'"})


def test_a_ledger_of_an_earlier_version_goes_on(tmp_path):
    older = pa.schema([f for f in RUNS if f.name != "run_by"])
    row = {"table": "silver.orders", "as_of": date(2025, 5, 31), "run_id": "r0", "verdict": "published",
           "finished_at": datetime(2025, 6, 1, tzinfo=UTC)}  # fmt: skip
    with lake_at(tmp_path):
        write_deltalake(settings().path("ops.runs"), pa.Table.from_pylist([row], schema=older))
        record([RESULT])
        assert {r["run_id"]: r["run_by"] is None for r in storage.read_ops("runs").to_pylist()} == {
            "r0": True,
            "r1": False,
        }
