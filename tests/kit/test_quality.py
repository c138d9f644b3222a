"""Quality scores: five dimensions of what a run judged, as history."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from jobs.kit import gate, quality
from jobs.kit import lake as storage
from jobs.kit.contracts import load
from jobs.kit.gate import Check, Verdict
from tests.conftest import lake_at

DAY = date(2025, 6, 1)


def scores(spark, monkeypatch, rows):
    """Of rows (id, a, b): a from 0 to 9, a at least b, ten rows on average at least 1 in all."""
    contract = replace(
        load("bronze.reviews"),
        columns=tuple(replace(load("bronze.reviews").columns[0], name=n, type="int", required=False) for n in "iab"),
    )
    suite = [
        Check("expect_column_values_to_be_unique", {"column": "i"}, "critical", ""),
        Check("expect_column_values_to_be_between", {"column": "a", "min_value": 0, "max_value": 9}, "warning", "", 1),
        Check(
            "expect_column_pair_values_a_to_be_greater_than_b",
            {"column_A": "a", "column_B": "b", "or_equal": True}, "warning", "", 1,
        ),
        Check("expect_column_mean_to_be_between", {"column": "a", "min_value": 1}, "critical", ""),
    ]  # fmt: skip
    monkeypatch.setattr(gate, "checks", lambda contract: suite)
    return gate.judge(spark.createDataFrame(rows, "i int, a int, b int"), contract).scores


def test_good_rows_have_full_marks(spark, monkeypatch):
    found = scores(spark, monkeypatch, [(1, 5, 1), (2, 6, 6)])
    assert found == dict.fromkeys(("completeness", "validity", "uniqueness", "consistency"), 1.0)


def test_each_fault_lowers_its_own_dimension(spark, monkeypatch):
    good = [(n, 5, 1) for n in range(8)]
    assert scores(spark, monkeypatch, [*good, (8, None, None), (9, 5, 1)])["completeness"] == pytest.approx(28 / 30)
    assert scores(spark, monkeypatch, [*good, (8, 10, 1), (9, -1, -2)])["validity"] == pytest.approx(0.8)
    assert scores(spark, monkeypatch, [*good, (8, 5, 1), (8, 5, 1)])["uniqueness"] == pytest.approx(0.8)
    assert scores(spark, monkeypatch, [*good, (8, 1, 5), (9, 5, 1)])["consistency"] == pytest.approx(0.9)
    assert scores(spark, monkeypatch, [(1, 0, 0)])["consistency"] == 0, "the mean is too low"


def test_of_nothing_there_is_no_score(spark, monkeypatch):
    assert scores(spark, monkeypatch, []) == {}


def verdict(rows_in=90):
    return Verdict("bronze.pos_lines", None, None, rows_in, 0, [], scores={"completeness": 1.0, "validity": 1.0})


def test_what_the_door_refused_was_not_valid(tmp_path):
    with lake_at(tmp_path):
        assert quality.record(verdict(), load("bronze.pos_lines"), DAY, "r", refused_before=10)["validity"] == 0.9
        assert quality.latest()["bronze.pos_lines"]["validity"]["rows"] == 100


@pytest.mark.parametrize(("days", "score"), [(0, 1.0), (1, 1.0), (2, 0.5), (4, 0.25)])
def test_late_data_lose_by_how_late_they_are(tmp_path, days, score):
    with lake_at(tmp_path):
        found = quality.record(verdict(), load("bronze.pos_lines"), DAY, "r", newest=DAY - timedelta(days=days))
    assert found["timeliness"] == score


def test_the_history_stays_and_the_last_word_counts(tmp_path):
    with lake_at(tmp_path):
        quality.record(verdict(), load("bronze.pos_lines"), DAY, "r1", refused_before=90)
        quality.record(verdict(), load("bronze.pos_lines"), DAY + timedelta(days=1), "r2")
        assert [r["score"] for r in quality.history() if r["dimension"] == "validity"] == [0.5, 1.0]
        assert quality.latest()["bronze.pos_lines"]["validity"]["score"] == 1.0
        assert quality.alarms(DAY, 0.95) == []


def test_a_table_is_as_complete_as_it_usually_is_or_alarms(tmp_path):
    """Columns that may be empty are: half of the values is nothing to be woken for, and a third of them may be."""
    with lake_at(tmp_path):
        for n, share in enumerate((0.5, 0.52, 0.49)):
            said = replace(verdict(), scores={"completeness": share})
            quality.record(said, load("bronze.pos_lines"), DAY + timedelta(days=n), f"r{n}")
            assert quality.alarms(DAY, 0.95) == []
        said = replace(verdict(), scores={"completeness": 0.33})
        quality.record(said, load("bronze.pos_lines"), DAY + timedelta(days=3), "r3")
        assert quality.alarms(DAY, 0.95) == [
            "bronze.pos_lines: completeness is 0.330 of what came as of 2025-06-04, usually 0.500"
        ]


def test_alarms_name_low_scores_and_late_sources(tmp_path):
    from jobs.kit.bronze import FILES

    with lake_at(tmp_path):
        quality.record(verdict(), load("bronze.pos_lines"), DAY, "r1", refused_before=90)
        for day in (1, 3):
            row = {"table": "pos_lines", "file_id": f"f{day}", "name": "x", "file_date": DAY - timedelta(days=day)}
            storage.append_ops("files", [row | {"verdict": "loaded" if day == 3 else "refused"}], FILES)
        low, late = quality.alarms(DAY, 0.95)
    assert low == "bronze.pos_lines: validity is 0.500 of what came as of 2025-06-01"
    assert late == "bronze.pos_lines: the newest file is 3 days old, pos promises 1"
