"""Which columns a column is made of, as the engine sees it: read from the analyzed plan of a build over empty inputs.

What is told is where values come from, not what filtered, joined or sorted them. Where a build leaves the engine (a
linkage in DuckDB, a model) the trace ends, and a column that came back so is made of nothing known. Where a plan's text
cannot be cut (a bracket in a literal), the columns of that one step are each made of all that it names: too many
rather than too few.
"""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from jobs.kit import lake, lineage
from jobs.kit.contracts import load

_ID = re.compile(r"#(\d+)L?\b")
_LINE = re.compile(r"^((?:[:+ ][ -] ?)*)(\w.*)$")
_OPEN, _CLOSE = "([", ")]"


@dataclass
class _Step:
    """One line of a plan, with the steps that it reads."""

    text: str
    children: list["_Step"] = field(default_factory=list)


def columns_of(spark: SparkSession, name: str) -> dict[str, list[str]]:
    """For each column of a table beyond bronze: `silver.orders.net_amount` and whatever else it is made of."""
    inputs = lineage.inputs(name)
    if not inputs or any(n.startswith("models.") for n in inputs):
        return {}
    frames = [lake.empty(spark, load(n)).alias(n) for n in inputs]
    as_of = {"as_of": date(2000, 1, 1)} if lineage.signature(name)[1] else {}
    built = importlib.import_module(f"jobs.{name}").build(*frames, **as_of)
    limit = "spark.sql.debug.maxToStringFields"
    before = str(spark.conf.get(limit))
    spark.conf.set(limit, 10_000)
    try:
        plan = built._explain_string(extended=True)
    finally:
        spark.conf.set(limit, before)
    return _read(plan, list(built.columns))


def _read(plan: str, columns: list[str]) -> dict[str, list[str]]:
    """The analyzed plan in this text, as columns by column of its result."""
    text = plan.partition("== Analyzed Logical Plan ==\n")[2].partition("\n== Optimized")[0]
    root = _tree(text.splitlines()[1:])
    made_of: dict[str, set[str]] = {}
    leaves: dict[str, str] = {}
    out = _outputs(root, made_of, leaves)
    return {name: sorted(_leaves_of(id_, made_of, leaves)) for name, id_ in zip(columns, out, strict=True)}


def _tree(lines: list[str]) -> _Step:
    """Steps by their indentation: three characters a level."""
    open_: list[_Step] = []
    for line in lines:
        found = _LINE.match(line)
        if not found:  # a literal with a line break
            open_[-1].text += line
            continue
        step, depth = _Step(found[2]), len(found[1]) // 3
        if depth:
            open_[depth - 1].children.append(step)
        open_[depth:] = [step]
    return open_[0]


def _outputs(step: _Step, made_of: dict[str, set[str]], leaves: dict[str, str], table: str = "") -> list[str]:
    """The ids of a step's columns, in order; fills what each id is made of and which are an input's."""
    kind, _, rest = step.text.partition(" ")
    if kind == "SubqueryAlias":
        table = rest.strip().strip("`") if "." in rest else table
    below = [_outputs(child, made_of, leaves, table) for child in step.children]
    flat = [id_ for ids in below for id_ in ids]
    if kind == "LocalRelation":
        names = re.findall(r"([^\s,\[]+?)#(\d+)L?", rest)
        if table:
            leaves.update({id_: f"{table}.{name.strip('`')}" for name, id_ in names})
        return [id_ for _, id_ in names]
    if kind == "Union":
        for same in zip(*below, strict=True):
            made_of.setdefault(same[0], set()).update(same[1:])
        return below[0]
    if kind == "Join" and re.match(r"Left(Semi|Anti)", rest):
        return below[0]
    lists = list(_lists(rest))
    if kind in ("Project", "Aggregate"):
        cut = [_defined(item, made_of) for item in lists[-1]] if lists else []
        out = [id_ for id_ in cut if id_]
        if not out or len(out) < len(cut):  # not to be cut: each of all
            out = re.findall(r" AS [^\s,]+?#(\d+)", rest) or flat
            for one in out:
                made_of.setdefault(one, set()).update(set(_ID.findall(rest)) - {one})
        return out
    if kind == "Window" and lists:
        return flat + [id_ for item in lists[0] if (id_ := _defined(item, made_of))]
    if kind in ("Filter", "Join", "Sort", "SubqueryAlias", "Distinct", "Deduplicate", "Repartition") or not lists:
        return flat
    out = [id_ for item in lists[-1] for id_ in _ID.findall(item)]  # Generate, a function of Python, …
    known = set(flat)
    told = set(_ID.findall(rest)) & known or known
    for id_ in (i for i in out if i not in known):
        made_of.setdefault(id_, set()).update(told)
    return flat + out if kind == "Generate" else out


def _lists(text: str) -> Iterator[list[str]]:
    """The items of each list in brackets that stands at the top of a step's text."""
    depth, item, items = 0, "", list[str]()
    for c in text:
        if c in _CLOSE:
            depth -= 1
            if depth == 0 and c == "]":
                yield [*items, item.strip()] if item.strip() else items
        if depth and (c != "," or depth > 1):
            item += c
        elif depth:
            items, item = [*items, item.strip()], ""
        if c in _OPEN:
            if depth == 0:
                items, item = [], ""
            depth += 1


def _defined(item: str, made_of: dict[str, set[str]]) -> str | None:
    """The id of `expression AS name#id`, or of `name#id`; None if this is neither."""
    expression, _, name = item.rpartition(" AS ")
    ids = _ID.findall(name)
    if len(ids) != 1:
        return None
    if expression:
        made_of.setdefault(ids[0], set()).update(set(_ID.findall(expression)) - {ids[0]})
    return str(ids[0])


def _leaves_of(id_: str, made_of: dict[str, set[str]], leaves: dict[str, str]) -> set[str]:
    todo, seen, found = [id_], set[str](), set[str]()
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in leaves:
            found.add(leaves[one])
        todo += made_of.get(one, ())
    return found
