"""The gate says what Great Expectations says, type by type, and refuses the right rows."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.kit import gate
from jobs.kit.contracts import Column, Contract, ContractError
from jobs.kit.gate import Check


def contract(**kw) -> Contract:
    types = {"id": "int", "a": "int", "b": "int", "s": "string"}
    columns = tuple(Column(n, t, "string", n == "id", "") for n, t in types.items())
    said = dict(
        name="silver.sample", version="1", grain="one row per id", owner="", domain="sales", purpose="",
        limitations="", columns=columns, keys=("id",),
        partition=None, growth="snapshot", reach=(), carried_as={}, optional=(),
        source=None, drop=None, max_refused_share=0.05, path=Path("x"),
    )  # fmt: skip
    return Contract(**(said | kw))


ROWS = [
    (1, 5, 5, "ok"),
    (2, 0, 7, "ok"),
    (3, None, 3, None),
    (4, -1, None, "no"),
    (5, 9, 2, "OK!"),
    (6, None, None, "ok"),
]
SUITE = [
    Check("expect_column_values_to_not_be_null", {"column": "a"}, "warning", ""),
    Check("expect_column_values_to_be_null", {"column": "a"}, "warning", ""),
    Check("expect_column_values_to_be_between", {"column": "a", "min_value": 0, "max_value": 5}, "warning", ""),
    Check(
        "expect_column_values_to_be_between",
        {"column": "a", "min_value": 0, "max_value": 9, "strict_min": True, "strict_max": True},
        "warning",
        "",
    ),
    Check("expect_column_values_to_be_in_set", {"column": "s", "value_set": ["ok", "no"]}, "warning", ""),
    Check("expect_column_values_to_not_be_in_set", {"column": "s", "value_set": ["no"]}, "warning", ""),
    Check("expect_column_values_to_match_regex", {"column": "s", "regex": "^[a-z]+$"}, "warning", ""),
    Check("expect_column_values_to_not_match_regex", {"column": "s", "regex": "!"}, "warning", ""),
    Check("expect_column_value_lengths_to_be_between", {"column": "s", "min_value": 1, "max_value": 2}, "warning", ""),
    Check(
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "a", "column_B": "b", "or_equal": True, "ignore_row_if": "either_value_is_missing"},
        "warning",
        "",
    ),
    Check(
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"},
        "warning",
        "",
    ),
    Check(
        "expect_column_pair_values_to_be_equal",
        {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"},
        "warning",
        "",
    ),
    Check("expect_column_values_to_be_between", {"column": "a", "min_value": 0}, "warning", "", 0.5),
    Check("expect_table_row_count_to_be_between", {"min_value": 6, "max_value": 6}, "critical", ""),
    Check("expect_table_row_count_to_be_between", {"min_value": 7}, "critical", ""),
    Check("expect_column_sum_to_be_between", {"column": "a", "min_value": 13, "max_value": 13}, "critical", ""),
    Check("expect_column_mean_to_be_between", {"column": "a", "max_value": 3}, "critical", ""),
    Check("expect_column_min_to_be_between", {"column": "a", "min_value": 0}, "critical", ""),
    Check("expect_column_max_to_be_between", {"column": "a", "max_value": 9}, "critical", ""),
    Check("expect_column_unique_value_count_to_be_between", {"column": "s", "max_value": 3}, "critical", ""),
    Check("expect_column_values_to_be_unique", {"column": "s"}, "critical", ""),
    Check("expect_compound_columns_to_be_unique", {"column_list": ["id", "s"]}, "critical", ""),
]


@pytest.fixture(scope="module")
def frame(spark: SparkSession):
    return spark.createDataFrame(ROWS, "id int, a int, b int, s string")


def judged(monkeypatch, frame, suite):
    monkeypatch.setattr(gate, "checks", lambda _contract: suite)
    return gate.judge(frame, contract())


def test_every_translated_type_agrees_with_great_expectations(monkeypatch, frame):
    ours = [
        r for r in judged(monkeypatch, frame, SUITE).results if r["expectation_config"] in [c.as_gx() for c in SUITE]
    ]
    theirs = gate.great_expectations(frame, SUITE)
    assert len(ours) == len(theirs) == len(SUITE)
    by_config = {str(r["expectation_config"]): r for r in ours}
    for their in theirs:
        our = by_config[str(their["expectation_config"])]
        assert our["success"] == their["success"], their["expectation_config"]
        for measure in ("unexpected_count", "observed_value"):
            if measure in their["result"] and measure in our["result"]:
                assert our["result"][measure] == their["result"][measure], their["expectation_config"]
    assert {c.type for c in SUITE} >= set(gate.ROW_CHECKS) | gate.UNIQUE | set(gate.AGGREGATES)


def test_a_warning_refuses_rows_and_the_rest_goes_on(monkeypatch, frame):
    suite = [
        Check("expect_column_values_to_be_between", {"column": "a", "min_value": 0}, "warning", "", 0.5),
        Check("expect_column_values_to_be_in_set", {"column": "s", "value_set": ["ok"]}, "warning", "", 0.5),
    ]
    verdict = judged(monkeypatch, frame, suite)
    assert verdict.passed
    assert (verdict.rows_in, verdict.rows_out, verdict.rows_refused) == (6, 4, 2)
    refused = {r["id"]: r["_rules"] for r in verdict.refused.collect()}
    assert refused == {4: ["be_between(a)", "be_in_set(s)"], 5: ["be_in_set(s)"]}
    assert [r["id"] for r in verdict.accepted.orderBy("id").collect()] == [1, 2, 3, 6]


@pytest.mark.parametrize(
    ("type_", "said", "told"),
    [
        ("values_to_be_between", "min_value: 1", "s is text, and 1 is not: judge its form here"),
        ("max_to_be_between", "max_value: 2025-01-01", "s is text, and 2025-01-01 is not: judge its form here"),
        ("values_to_be_in_set", "value_set: [true, a]", "s is text, and True is not: put it in quotes"),
    ],
)
def test_a_number_that_text_would_be_compared_with_is_found_before_a_run(monkeypatch, tmp_path, type_, said, told):
    monkeypatch.setattr(gate, "EXPECTATIONS", tmp_path)
    (tmp_path / "silver").mkdir()
    line = "{{type: expect_column_{}, kwargs: {{column: {}, {}}}, severity: critical, why: w}}"
    file = tmp_path / "silver" / "sample.yaml"
    file.write_text(f"table: silver.sample\nexpectations:\n  - {line.format(type_, 's', said)}\n")
    with pytest.raises(ContractError, match=told):
        gate.checks(contract())
    file.write_text(file.read_text().replace("column: s", "column: a"))
    assert gate.checks(contract()), "of a number one may ask so"


def test_too_many_refused_rows_and_critical_rules_publish_nothing(monkeypatch, frame):
    few = Check("expect_column_values_to_be_between", {"column": "a", "min_value": 0}, "warning", "", 0.1)
    assert judged(monkeypatch, frame, [few]).failures == {"be_between(a)": 1}
    critical = Check("expect_column_values_to_not_be_null", {"column": "a"}, "critical", "")
    verdict = judged(monkeypatch, frame, [critical])
    assert not verdict.passed and verdict.failures == {"not_be_null(a)": 2}
    assert {r["id"] for r in verdict.refused.collect()} == {3, 6}


def test_a_warning_that_lets_no_row_fail_says_what_to_write(monkeypatch):
    kwargs = {"column": "quantity", "min_value": 1}
    strict, why = "expect_column_values_to_be_between", "w"
    suite = [
        gate.Check(strict, kwargs, "warning", why, name="none"),
        gate.Check(strict, kwargs, "critical", why, name="c"),
    ]
    suite += [gate.Check(strict, kwargs, "warning", why, 0.1, name="some")]
    monkeypatch.setattr(gate, "checks", lambda _: suite)
    (hint,) = gate.hints(contract(), {"none": 3, "c": 1, "some": 9})
    assert hint.startswith("none is a warning without max_refused_share") and "max_refused_share: 0.01" in hint
    assert gate.hints(contract(), {"some": 9}) == []


def test_keys_with_equal_hashes_are_looked_at_closely(monkeypatch, spark, frame):
    check = Check("expect_compound_columns_to_be_unique", {"column_list": ["a", "b"]}, "critical", "")
    crossed = spark.createDataFrame([(1, None, 5, "x"), (2, 5, None, "x"), (3, 5, 5, "x")], frame.schema)
    assert gate._distinct_hashes(crossed, check) == 2, "Spark's hash passes over nulls: the case is what it says"
    assert judged(monkeypatch, crossed, [check]).passed
    doubled = crossed.unionByName(crossed.where("id = 3"))
    assert judged(monkeypatch, doubled, [check]).failures == {"compound_columns_to_be_unique(a, b)": 2}


def test_a_row_condition_limits_what_is_judged(monkeypatch, frame):
    check = Check(
        "expect_column_values_to_be_between",
        {"column": "a", "min_value": 6, "row_condition": "s = 'OK!'", "condition_parser": "spark"},
        "critical",
        "",
    )
    assert judged(monkeypatch, frame, [check]).passed


def test_an_empty_candidate_passes_row_rules_but_not_a_row_count(monkeypatch, frame):
    empty = frame.limit(0)
    assert judged(monkeypatch, empty, [SUITE[2]]).passed
    assert not judged(monkeypatch, empty, [SUITE[13]]).passed


def test_every_schema_difference_is_told_at_once(monkeypatch, frame):
    other = frame.withColumnRenamed("a", "c").withColumn("b", frame.b.cast("bigint"))
    failures = judged(monkeypatch, other, []).failures
    assert set(failures) == {
        "column a is missing",
        "column c is not in the contract",
        "column b is bigint, the contract says int",
    }


def test_a_type_without_translation_goes_to_great_expectations(monkeypatch, frame):
    check = Check("expect_column_median_to_be_between", {"column": "b", "min_value": 100}, "critical", "")
    verdict = judged(monkeypatch, frame, [check])
    assert list(verdict.failures) == ["median_to_be_between(b)"]
