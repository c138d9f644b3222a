"""Files of a new table, ready to fill in: what a shape test asks for, and nothing else."""

from pathlib import Path

from jobs.kit import lineage
from jobs.kit.settings import CHECKOUT

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
        columns = columns.replace(", primaryKey: true, primaryKeyPosition: 1", "")
        custom = (
            "      - {property: growth, value: append}\n"
            f"      - {{property: source, value: {system}}}\n"
            f"      - {{property: drop, value: {{folder: {system}/{name}, "
            f"name: '{name}_(?P<file_date>\\d{{4}}-\\d{{2}}-\\d{{2}})\\.csv'}}}}\n"
        )
    files = {
        f"jobs/{layer}/{name}.yaml": _CONTRACT.format(layer=layer, name=name, columns=columns, custom=custom),
        f"expectations/{layer}/{name}.yaml": _EXPECTATIONS.format(layer=layer, name=name),
    }
    if layer == "bronze":
        files[f"jobs/landing/{system}.py"] = _landing(str(system))
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


def _landing(system: str) -> str:
    return f'"""{system}: files in the drop folder."""\n\nSCHEDULE = "0 3 * * *"\n'
