"""The gate: one Great Expectations suite per table, judged on the candidate before any reader can see it.

The suite is what the contract implies (columns, types, required, keys) and what `expectations/<layer>/<table>.yaml`
adds, in Great Expectations' own vocabulary. Checks on rows and column aggregates become **one** Spark aggregate, keys a
second (Great Expectations' engine would start one or two jobs for each: docs/decisions/0103-one-aggregate.md); the rest
is handed to Great Expectations' own engine. Results are in its result format, so its Data Docs show them
(jobs/kit/data_docs.py), and a test holds every translated type against its own verdict.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.kit.contracts import Contract, ContractError
from jobs.kit.settings import CHECKOUT, settings

EXPECTATIONS = CHECKOUT / "expectations"
RULES = "_rules"


@dataclass(frozen=True)
class Check:
    """One expectation. `max_refused_share` is the share of rows that may fail: 1 - GX's `mostly`."""

    type: str
    kwargs: dict[str, Any]
    severity: str
    why: str
    max_refused_share: float = 0.0
    name: str = ""

    @property
    def rule(self) -> str:
        """The name under which rows are refused: `be_between(quantity)` unless the file names it."""
        columns = self.kwargs.get("column_list") or [
            self.kwargs[k] for k in ("column", "column_A", "column_B") if k in self.kwargs
        ]
        short = self.type.removeprefix("expect_").removeprefix("column_").removeprefix("values_to_")
        return self.name or f"{short}({', '.join(columns)})"

    def as_gx(self) -> dict[str, Any]:
        """The expectation as Great Expectations writes it."""
        kwargs = dict(self.kwargs)
        if self.max_refused_share:
            kwargs["mostly"] = 1 - self.max_refused_share
        return {
            "type": self.type,
            "kwargs": kwargs,
            "severity": self.severity,
            "meta": {"notes": {"format": "string", "content": [self.why]}, "rule": self.rule},
        }


@dataclass
class Verdict:
    """What the gate says of a candidate: `accepted` rows may be published unless `failures` names a critical rule."""

    table: str
    accepted: DataFrame
    refused: DataFrame | None
    rows_in: int
    rows_refused: int
    results: list[dict[str, Any]]
    failures: dict[str, int] = field(default_factory=dict)
    refused_by_rule: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)  # by dimension: jobs/kit/quality.py

    @property
    def rows_out(self) -> int:
        """Rows that passed."""
        return self.rows_in - self.rows_refused

    @property
    def passed(self) -> bool:
        """True if no critical rule failed."""
        return not self.failures


def checks(contract: Contract) -> list[Check]:
    """The suite of a table: the contract's own promises, then its expectations file. ContractError if malformed."""
    out = [
        Check("expect_column_values_to_not_be_null", {"column": c.name}, "critical", "The contract requires it.")
        for c in contract.columns
        if c.required and contract.layer != "bronze"
    ]
    if len(contract.keys) == 1:
        out.append(
            Check("expect_column_values_to_be_unique", {"column": contract.keys[0]}, "critical", "It is the key.")
        )
    elif contract.keys:
        out.append(
            Check(
                "expect_compound_columns_to_be_unique",
                {"column_list": list(contract.keys)},
                "critical",
                "They are the key: " + contract.grain,
            )
        )
    return out + _from_file(contract)


def _from_file(contract: Contract) -> list[Check]:
    path = EXPECTATIONS / contract.layer / f"{contract.table}.yaml"
    if not path.is_file():
        raise ContractError(f"{contract.name} has no gate: write {path.relative_to(CHECKOUT)}")
    said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    known, problems = {f for f in Check.__dataclass_fields__}, []
    if said.get("table") != contract.name:
        problems.append(f"table is {said.get('table')!r}, not {contract.name!r}")
    out = []
    for i, item in enumerate(said.get("expectations") or []):
        where = f"expectation {i + 1} ({item.get('type')})"
        if unknown := set(item) - known:
            problems.append(f"{where}: unknown keys {', '.join(sorted(unknown))}")
            continue
        if missing := {"type", "kwargs", "severity", "why"} - set(item):
            problems.append(f"{where}: {', '.join(sorted(missing))} wanted")
            continue
        check = Check(**item)
        if check.severity not in ("critical", "warning"):
            problems.append(f"{where}: severity is critical or warning, not {check.severity!r}")
        if check.severity == "warning" and check.type not in ROW_CHECKS:
            problems.append(f"{where}: a warning refuses rows, and this type judges no row")
        columns = [*check.kwargs.get("column_list", []), *(check.kwargs.get(k) for k in _COLUMN_KWARGS)]
        if unknown := {c for c in columns if c} - {c.name for c in contract.columns}:
            problems.append(f"{where}: the contract has no column {', '.join(sorted(unknown))}")
        problems += [f"{where}: {problem}" for problem in _numbers_of_text(check, contract)]
        out.append(check)
    if not out and not problems:
        problems.append("no expectation at all: a gate is mandatory")
    if problems:
        raise ContractError(f"{path}:\n  " + "\n  ".join(problems))
    return out


_COLUMN_KWARGS = ("column", "column_A", "column_B")
_COMPARED = {
    "expect_column_values_to_be_between", "expect_column_min_to_be_between", "expect_column_max_to_be_between",
    "expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set",
}  # fmt: skip


def _numbers_of_text(check: Check, contract: Contract) -> list[str]:
    """What Spark could not compare with a column of text, as all that bronze received is: it would end the run."""
    name = str(check.kwargs.get("column"))
    if check.type not in _COMPARED or {c.name: c.type for c in contract.columns}.get(name) != "string":
        return []
    said = [check.kwargs.get("min_value"), check.kwargs.get("max_value"), *check.kwargs.get("value_set", [])]
    wrong = [str(value) for value in said if value is not None and not isinstance(value, str)]
    if not wrong:
        return []
    told = f"{name} is text, and {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not"
    if check.type.endswith("_in_set"):
        return [f"{told}: put it in quotes"]
    return [
        f"{told}: judge its form here (expect_column_values_to_match_regex), its size where it has its type: silver"
    ]


def judge(
    candidate: DataFrame, contract: Contract, *, held: DataFrame | None = None, any_share: bool = False
) -> Verdict:
    """Judge a candidate (persist it first). `held`: the published rows that stay beside it, for keys across both.

    `any_share`: rows that a warning refuses hold nothing up, however many they are (of a stream: nobody cut it).

    Returns the accepted rows, the refused ones with their rules in a column `_rules`, and the results in Great
    Expectations' format. Nothing is written here.
    """
    suite = checks(contract)
    results, failures = _judge_schema(candidate.schema, contract)
    if failures:
        return Verdict(contract.name, candidate, None, 0, 0, results, failures)
    rows = [c for c in suite if c.type in ROW_CHECKS]
    unique = [c for c in suite if c.type in UNIQUE]
    aggregates = [c for c in suite if c.type in AGGREGATES]
    delegated = [c for c in suite if c not in rows and c not in unique and c not in aggregates]

    measures = [F.count(F.lit(1)).alias("n")]
    for i, check in enumerate(rows):
        measures += [
            F.count_if(_considered(check)).alias(f"seen{i}"),
            F.count_if(_fails(check)).alias(f"fail{i}"),
        ]
    for i, check in enumerate(aggregates):
        measures.append(AGGREGATES[check.type](check.kwargs).alias(f"value{i}"))
    warnings = [c for c in rows if c.severity == "warning"]
    if warnings:
        measures.append(F.count_if(reduce(lambda a, b: a | b, map(_fails, warnings))).alias("refused"))
    single = [c for c in rows if c.type not in _PAIRS and c.type != "expect_column_values_to_not_be_null"]
    pairs = [c for c in rows if c.type in _PAIRS]
    for name, some in (("invalid", single), ("inconsistent", pairs)):
        measures.append(F.count_if(reduce(lambda a, b: a | b, map(_fails, some), F.lit(False))).alias(name))
    measures.append((reduce(lambda a, b: a + b, [F.count(c.name) for c in contract.columns])).alias("filled"))
    got = candidate.agg(*measures).first()
    assert got is not None
    total = got["n"]

    by_rule: dict[str, int] = {}
    for i, check in enumerate(rows):
        seen, failed = got[f"seen{i}"], got[f"fail{i}"]
        ok = _within_share(check, failed, seen) or (any_share and check.severity == "warning")
        results.append(_result(check, ok, element_count=total, unexpected_count=failed, of=seen))
        if failed and check.severity == "warning":
            by_rule[check.rule] = failed
        if not ok:
            failures[check.rule] = failed
    for check in unique:
        failed = _duplicates(candidate, check) if _distinct_hashes(candidate, check) < total else 0
        if not failed and held is not None and check.kwargs in _key_kwargs(contract):
            failed = candidate.join(held, on=[*contract.keys], how="left_semi").count()
        results.append(_result(check, not failed, element_count=total, unexpected_count=failed, of=total))
        if failed:
            failures[check.rule] = failed
    doubled = max((r["result"]["unexpected_count"] for r in results[len(results) - len(unique) :]), default=0)
    whole: list[bool] = []  # checks of the table as a whole: whether each holds
    for i, check in enumerate(aggregates):
        value = got[f"value{i}"]
        ok = _within(value, check.kwargs) or (value is None and not total)
        whole.append(ok)
        results.append(_result(check, ok, observed_value=value if value is None else float(value)))
        if not ok:
            failures[check.rule] = 1
    for check, ok, result in _by_great_expectations(candidate, delegated):
        whole.append(ok)
        results.append(result)
        if not ok:
            failures[check.rule] = int(result["result"].get("unexpected_count") or 1)

    refused_count = got["refused"] if warnings else 0
    accepted, refused = candidate, None
    if refused_count or failures:
        failing = [c for c in rows if c.severity == "warning" or c.rule in failures]
        marked = candidate.withColumn(RULES, _rules(failing))
        refused = marked.where(F.size(RULES) > 0)
        accepted = marked.where(F.size(RULES) == 0).drop(RULES)
    scores = {}
    if total:
        scores = {
            "completeness": got["filled"] / (total * len(contract.columns)),
            "validity": 1 - got["invalid"] / total,
        }
        scores |= {"uniqueness": 1 - doubled / total} if unique else {}
        if pairs or whole:
            share = sum(whole) / len(whole) if whole else 1.0
            scores["consistency"] = share * (1 - got["inconsistent"] / total)
    return Verdict(contract.name, accepted, refused, total, refused_count, results, failures, by_rule, scores)


def over_share(candidate: DataFrame, contract: Contract, by: str) -> dict[Any, str]:
    """Values of the column `by` (say, files) of whose rows more are refused than a check allows, with the reason.

    A share judged over all that happens to be in one candidate would let a bad file pass among enough good ones.
    """
    found: dict[Any, str] = {}
    warnings = [c for c in checks(contract) if c.type in ROW_CHECKS and c.severity == "warning"]
    counts = [F.struct(F.count_if(_considered(c)), F.count_if(_fails(c))) for c in warnings]
    for value, said in candidate.groupBy(by).agg(F.array(*counts)).collect():
        for check, (seen, failed) in zip(warnings, said, strict=True):
            if not _within_share(check, failed, seen):
                share = f"{check.max_refused_share:.1%}" + " (it has no max_refused_share)" * (
                    not check.max_refused_share
                )
                found[value] = f"{check.rule}: {failed} of {seen} rows, the gate allows {share}"
    return found


def hints(contract: Contract, rules: Collection[str]) -> list[str]:
    """What to write where a warning held everything because it does not say how many rows may fail."""
    return [
        f"{check.rule} is a warning without max_refused_share, so not one row may fail. To refuse the failing rows and "
        f"let the rest pass, add it in expectations/{contract.layer}/{contract.table}.yaml, say max_refused_share: 0.01"
        for check in checks(contract)
        if check.rule in rules and check.severity == "warning" and not check.max_refused_share
    ]


def _within_share(check: Check, failed: int, seen: int) -> bool:
    return failed <= check.max_refused_share * max(seen, 1) + 1e-9


def _rules(failing: list[Check]) -> Column:
    if not failing:
        return F.array().cast("array<string>")
    return F.array_compact(F.array(*[F.when(_fails(c), F.lit(c.rule)) for c in failing]))


_PROMISED = "The contract says so."


def _judge_schema(schema: StructType, contract: Contract) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Names and types, every difference at once; judged from the plan, without a job."""
    found = {f.name: f.dataType.simpleString() for f in schema.fields}
    wanted = {c.name: c.type.replace(" ", "") for c in contract.columns}
    names = Check(
        "expect_table_columns_to_match_set",
        {"column_set": list(wanted), "exact_match": True},
        "critical",
        "The contract.",
    )
    same = {n for n in found if not n.startswith("_")} == set(wanted)
    results = [_result(names, same, observed_value=sorted(found))]
    failures = {}
    for name in wanted.keys() - found.keys():
        failures[f"column {name} is missing"] = 1
    for name in {n for n in found if not n.startswith("_")} - wanted.keys():
        failures[f"column {name} is not in the contract"] = 1
    for name, type_ in wanted.items():
        if name in found:
            ok = found[name] == type_
            check = Check(
                "expect_column_values_to_be_of_type", {"column": name, "type_": type_}, "critical", "The contract."
            )
            results.append(_result(check, ok, observed_value=found[name]))
            if not ok:
                failures[f"column {name} is {found[name]}, the contract says {type_}"] = 1
    return results, failures


def _result(check: Check, ok: bool, of: int | None = None, **result: Any) -> dict[str, Any]:
    """One result as Great Expectations' ExpectationValidationResult has it in JSON."""
    if of is not None:
        failed = result["unexpected_count"]
        result["unexpected_percent"] = 100.0 * failed / of if of else 0.0
        result["missing_count"] = result["element_count"] - of
    return {"success": bool(ok), "expectation_config": check.as_gx(), "result": result, "meta": {}}


# ---- row checks: (what a row must be, to be considered at all; what makes it fail) ----


def _columns(check: Check) -> list[Column]:
    names = check.kwargs.get("column_list") or [check.kwargs[k] for k in _COLUMN_KWARGS if k in check.kwargs]
    return [F.col(n) for n in names]


def _condition(check: Check) -> Column:
    said = check.kwargs.get("row_condition")
    return F.coalesce(F.expr(said), F.lit(False)) if said else F.lit(True)


def _considered(check: Check) -> Column:
    """Nulls are judged by not_be_null alone, as in Great Expectations."""
    if check.type == "expect_column_values_to_not_be_null":
        return _condition(check)
    return reduce(lambda a, b: a & b, [c.isNotNull() for c in _columns(check)]) & _condition(check)


def _fails(check: Check) -> Column:
    return _considered(check) & F.coalesce(ROW_CHECKS[check.type](check.kwargs), F.lit(False))


def _outside(column: Column, kw: dict[str, Any]) -> Column:
    low, high = kw.get("min_value"), kw.get("max_value")
    out = F.lit(False)
    if low is not None:
        out = out | ((column <= F.lit(low)) if kw.get("strict_min") else (column < F.lit(low)))
    if high is not None:
        out = out | ((column >= F.lit(high)) if kw.get("strict_max") else (column > F.lit(high)))
    return out


def _not_greater(kw: dict[str, Any]) -> Column:
    a, b = F.col(kw["column_A"]), F.col(kw["column_B"])
    return (a < b) if kw.get("or_equal") else (a <= b)


ROW_CHECKS: dict[str, Callable[[dict[str, Any]], Column]] = {
    "expect_column_values_to_not_be_null": lambda kw: F.col(kw["column"]).isNull(),
    "expect_column_values_to_be_null": lambda kw: F.col(kw["column"]).isNotNull(),
    "expect_column_values_to_be_between": lambda kw: _outside(F.col(kw["column"]), kw),
    "expect_column_values_to_be_in_set": lambda kw: ~F.col(kw["column"]).isin(*kw["value_set"]),
    "expect_column_values_to_not_be_in_set": lambda kw: F.col(kw["column"]).isin(*kw["value_set"]),
    "expect_column_values_to_match_regex": lambda kw: ~F.col(kw["column"]).rlike(kw["regex"]),
    "expect_column_values_to_not_match_regex": lambda kw: F.col(kw["column"]).rlike(kw["regex"]),
    "expect_column_value_lengths_to_be_between": lambda kw: _outside(F.length(kw["column"]), kw),
    "expect_column_pair_values_a_to_be_greater_than_b": _not_greater,
    "expect_column_pair_values_to_be_equal": lambda kw: F.col(kw["column_A"]) != F.col(kw["column_B"]),
}
_PAIRS = ("expect_column_pair_values_a_to_be_greater_than_b", "expect_column_pair_values_to_be_equal")
UNIQUE = {"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"}
AGGREGATES: dict[str, Callable[[dict[str, Any]], Column]] = {
    "expect_table_row_count_to_be_between": lambda kw: F.count(F.lit(1)),
    "expect_column_sum_to_be_between": lambda kw: F.sum(kw["column"]),
    "expect_column_mean_to_be_between": lambda kw: F.mean(kw["column"]),
    "expect_column_min_to_be_between": lambda kw: F.min(kw["column"]),
    "expect_column_max_to_be_between": lambda kw: F.max(kw["column"]),
    "expect_column_unique_value_count_to_be_between": lambda kw: F.count_distinct(kw["column"]),
}


def _within(value: Any, kw: dict[str, Any]) -> bool:
    if value is None:
        return False
    low, high = kw.get("min_value"), kw.get("max_value")
    above = low is None or (value > low if kw.get("strict_min") else value >= low)
    return above and (high is None or (value < high if kw.get("strict_max") else value <= high))


def _distinct_hashes(candidate: DataFrame, check: Check) -> int:
    """A lower bound of the distinct values: rows whose hashes all differ do all differ; only else must one look closer.

    Apart from the other measures, because Spark would carry them all through the shuffle, once for each distinct key.
    """
    return candidate.select(F.xxhash64(*_columns(check))).distinct().count()


def _duplicates(candidate: DataFrame, check: Check) -> int:
    """Rows that share their values with another row (nulls in a single column are not judged)."""
    columns = _columns(check)
    frame = candidate.where(_considered(check)) if len(columns) == 1 else candidate
    got = frame.groupBy(*columns).count().where("count > 1").agg(F.sum("count")).first()
    return int((got and got[0]) or 0)


def _key_kwargs(contract: Contract) -> list[dict[str, Any]]:
    return [{"column": contract.keys[0]}] if len(contract.keys) == 1 else [{"column_list": list(contract.keys)}]


def _by_great_expectations(candidate: DataFrame, delegated: list[Check]) -> list[tuple[Check, bool, dict[str, Any]]]:
    """Types without a translation go through Great Expectations' own Spark engine."""
    if not delegated:
        return []
    results = great_expectations(candidate, delegated)
    return [(c, bool(r["success"]), r) for c, r in zip(delegated, results, strict=True)]


def great_expectations(candidate: DataFrame, suite: list[Check]) -> list[dict[str, Any]]:
    """The suite judged by Great Expectations' own engine, one result a check, in order: slower; the yardstick."""
    import great_expectations as gx  # seconds of CPU: imported only where it is needed

    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_spark("candidate").add_dataframe_asset("candidate")
    batch = asset.add_batch_definition_whole_dataframe("candidate").get_batch({"dataframe": candidate})
    out = []
    for check in suite:
        expectation = gx.expectations.registry.get_expectation_impl(check.type)(**check.as_gx()["kwargs"])
        got: dict[str, Any] = batch.validate(expectation, result_format="BASIC").to_json_dict()
        # Values stay out of what is kept: the failing rows are in quarantine, where personal ones are tokens.
        result = {k: v for k, v in got["result"].items() if not k.startswith("partial_unexpected")}
        out.append({**got, "result": result, "expectation_config": check.as_gx()})
    return out


def folder() -> Path:
    """Where gate results are kept, one file a table and run; Data Docs are made from them."""
    return settings().home / "gates"


def save(verdict: Verdict, run_id: str) -> Path:
    """Keep a verdict's results in Great Expectations' JSON."""
    path = folder() / verdict.table / f"{run_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "success": verdict.passed,
        "suite_name": verdict.table,
        "results": verdict.results,
        "meta": {
            "run_id": run_id,
            "rows_in": verdict.rows_in,
            "rows_refused": verdict.rows_refused,
            "failures": verdict.failures,
            "refused_by_rule": verdict.refused_by_rule,
        },
    }
    path.write_text(json.dumps(content, default=str), encoding="utf-8")
    return path
