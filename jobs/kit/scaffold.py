"""Files of a new table, ready to fill in: what a shape test asks for, and nothing else."""

import json
import re
from pathlib import Path

from jobs.kit import lineage
from jobs.kit.settings import CHECKOUT
from jobs.landing.relational import Relation

_CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: {layer}.{name}
name: {name}
version: 0.1.0
status: draft
domain: TODO
description: {{purpose: "TODO: what it is for"}}
team: {{name: TODO}}
schema:
  - name: {name}
    dataGranularityDescription: "TODO: one row per …"
    properties:
{columns}    customProperties:
{custom}"""

_KEYED = """      - {{name: {key}, logicalType: string, physicalType: string, required: true, primaryKey: true, \
primaryKeyPosition: 1, description: "TODO"}}
"""

_KEY = ", primaryKey: true, primaryKeyPosition: 1"

_EXPECTATIONS = """table: {layer}.{name}
expectations:
  - {{type: expect_table_row_count_to_be_between, kwargs: {{min_value: 1}}, severity: critical, \
why: "TODO: say why it matters"}}
"""

_MODULE = '''"""TODO: one row per …"""

{imports}from pyspark.sql import DataFrame


def build({arguments}) -> DataFrame:
    """TODO: say the rules; what happens to nulls, duplicates, late rows."""
    return {first}
'''

_TEST = """from jobs.{layer} import {name}


def test_todo(spark):
    raise AssertionError("TODO: rows in, rows out; the null, the duplicate and the late row")
"""


def new(kind: str, name: str, inputs: list[str], system: str | None) -> list[Path]:
    """Write the files; nothing that exists is touched. LineageError if the name is taken or an input unknown."""
    if name in {n.split(".")[1] for n in lineage.nodes()}:
        raise lineage.LineageError(f"{lineage.full_name(name)} exists: bare names are unique over all layers")
    bare = [lineage.full_name(i).split(".")[1] for i in inputs]
    layer = "bronze" if kind == "source" else kind
    if layer != "bronze" and not bare:
        raise lineage.LineageError("say what it is made of: --from orders --from products")
    columns = _KEYED.format(key=f"{name}_id")
    custom = "      - {property: growth, value: snapshot}\n"
    if layer == "bronze":
        system = system or name
        columns = columns.replace(_KEY, "")
        custom = (
            "      - {property: growth, value: append}\n"
            f"      - {{property: source, value: {system}}}\n"
            f"      - {{property: drop, value: {{folder: {system}/{name}, "
            f"name: '{name}_(?P<file_date>\\d{{4}}-\\d{{2}}-\\d{{2}})\\.csv(\\.gz|\\.zip)?'}}}}\n"
        )
    files = {
        f"jobs/{layer}/{name}.yaml": _CONTRACT.format(layer=layer, name=name, columns=columns, custom=custom),
        f"expectations/{layer}/{name}.yaml": _EXPECTATIONS.format(layer=layer, name=name),
    }
    if layer == "bronze":
        files[f"jobs/landing/{system}.py"] = f'"""{system}."""\n\nSCHEDULE = "0 3 * * *"  # business time zone\n'
    else:
        files[f"jobs/{layer}/{name}.py"] = _MODULE.format(
            arguments=", ".join(f"{b}: DataFrame" for b in bare), first=bare[0], imports=""
        )
        files[f"tests/{layer}/test_{name}.py"] = _TEST.format(layer=layer, name=name)
    written = []
    for path, text in files.items():
        target = CHECKOUT / path
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target.relative_to(CHECKOUT))
    return written


# By the beginning of PostgreSQL's name of a type; what a contract has no other word for is text.
_LOGICAL = {
    "smallint": "integer", "integer": "integer", "bigint": "integer", "numeric": "number", "real": "number",
    "double": "number", "boolean": "boolean", "date": "date", "timestamp with time zone": "timestamp",
}  # fmt: skip
_PERSONAL = re.compile(
    r"name$|phone|mobile|tel$|e?mail|address|birth|passport|id_?card|document|openid|wechat|member|customer|card|account"
)
_CLASS = "TODO classification: identifier, personal, pseudonymous or none?"
_CHANGED = re.compile(r"(updated|modified|changed|last_update)")


def of_relation(relation: Relation, name: str, system: str) -> list[Path]:
    """Write the files of a bronze table that is pulled from a database's relation; nothing that exists is touched.

    Names, types, what may be null and comments are the database's. The cursor is the first date or time that is
    called like a change and never null; without one the whole is pulled each time. What looks personal is marked.
    The gate of a table with a cursor holds on nights without news too.
    """
    written = new("source", name, [], system)
    contract = CHECKOUT / f"jobs/bronze/{name}.yaml"
    columns = ""
    for column, type_, never_null, comment in relation.columns:
        logical = next((word for sign, word in _LOGICAL.items() if type_.startswith(sign)), "string")
        said = [comment or f"{column} of {relation.name}"]
        said += ["key there"] * (column in relation.keys)
        said += [f"{type_}: a view can say its zone"] * (type_ == "timestamp without time zone")
        said += [_CLASS] * bool(_PERSONAL.search(column.lower()))
        described = json.dumps("; ".join(said), ensure_ascii=False)
        required = ", required: true" * never_null
        ours = re.sub(r"\W", "_", column.lower())
        required += f", physicalName: {json.dumps(column)}" * (ours != column)
        columns += f"      - {{name: {ours}, logicalType: {logical}, physicalType: string{required}, "
        columns += f"description: {described}}}\n"
    dated = (n for n, t, never, _ in relation.columns if never and t.startswith(("timestamp", "date")))
    cursor = next(filter(_CHANGED.search, dated), "")
    pull = f"{{relation: {relation.name}" + f", cursor: {cursor}" * bool(cursor) + "}"
    text = contract.read_text(encoding="utf-8")
    text = text.replace(_KEYED.format(key=f"{name}_id").replace(_KEY, ""), columns)
    text = text.replace("TODO: one row per …", f"one row per received state of a row of {relation.name}")
    text = text.replace('"TODO: what it is for"', json.dumps(relation.comment or f"Rows of {relation.name}."))
    contract.write_text(text + f"      - {{property: pull, value: {pull}}}\n", encoding="utf-8")
    expectations = CHECKOUT / f"expectations/bronze/{name}.yaml"
    filled = expectations.read_text(encoding="utf-8").replace("TODO: say why it matters", _WHOLE)
    if cursor:
        filled = _DATED.format(name=name, cursor=re.sub(r"\W", "_", cursor.lower()))
    expectations.write_text(filled, encoding="utf-8")
    return written


_WHOLE = "A relation without rows was asked for in the wrong place."
_DATED = """table: bronze.{name}
expectations:
  - {{type: expect_column_values_to_match_regex, kwargs: {{column: {cursor}, regex: "^20[0-9][0-9]-"}}, \
severity: warning, max_refused_share: 0.01,
     why: "A change of another century was dated by a wrong clock, and rows are asked for by this date."}}
"""


def deletions(system: str, keys: dict[str, str]) -> list[Path]:
    """Write the files of `<system>_deletions`: which rows of these tables of bronze are gone, by their key columns."""
    name = f"{system}_deletions"
    written = new("source", name, [], system)
    contract = CHECKOUT / f"jobs/bronze/{name}.yaml"
    text = contract.read_text(encoding="utf-8")
    described = "The row's key: " + ", ".join(f"{column} of {table}" for table, column in keys.items())
    described += f"; {_CLASS}" * any(_PERSONAL.search(column) for column in keys.values())
    columns = _DELETIONS.format(key=json.dumps(described, ensure_ascii=False))
    text = text.replace(_KEYED.format(key=f"{name}_id").replace(_KEY, ""), columns)
    text = text.replace("TODO: one row per …", "one row per table, key and day on which it was found gone or back")
    text = text.replace(
        "TODO: what it is for", f"Rows gone from {system} since they were landed, and those that came back."
    )
    said = ", ".join(f"{table}: {column}" for table, column in keys.items())
    text += f"      - {{property: pull, value: {{keys: {{{said}}}}}}}\n"
    contract.write_text(text, encoding="utf-8")
    (CHECKOUT / f"expectations/bronze/{name}.yaml").write_text(_GONE_OR_BACK.format(name=name), encoding="utf-8")
    return written


# As silver's verbs want it (keep_deleted of jobs/verbs.py).
_DELETIONS = """      - {{name: table_name, logicalType: string, physicalType: string, required: true, \
description: The table of bronze whose row it was}}
      - {{name: row_key, logicalType: string, physicalType: string, required: true, description: {key}}}
      - {{name: is_deleted, logicalType: string, physicalType: string, required: true, \
description: "Y: the database no longer has it; N: it has it again"}}
      - {{name: seen_on, logicalType: date, physicalType: string, required: true, \
description: Day on which it was found so}}
      - {{name: seen_date, logicalType: date, physicalType: date, required: true, partitioned: true, \
partitionKeyPosition: 1, description: Day on which it was found so,
         customProperties: [{{property: derived, value: "try_cast(seen_on AS date)"}}]}}
"""
_GONE_OR_BACK = """table: bronze.{name}
expectations:
  - {{type: expect_column_values_to_be_in_set, kwargs: {{column: is_deleted, value_set: ["Y", "N"]}}, \
severity: critical, why: "A third word would be taken for neither, and the row stay as it was."}}
"""
