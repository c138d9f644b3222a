"""The repository's own laws: what a reviewer should not have to look for."""

import ast
from pathlib import Path

import pytest

from jobs.kit import gate, lineage
from jobs.kit.contracts import all_contracts, load

ROOT = Path(__file__).resolve().parents[2]
BUILT = [n for n in lineage.nodes() if n.split(".")[0] in ("silver", "gold", "scoring")]
PURE = [p for layer in ("silver", "gold", "scoring", "models") for p in (ROOT / "jobs" / layer).glob("*.py")]


@pytest.mark.parametrize("table", lineage.nodes())
def test_a_table_has_all_its_siblings(table):
    layer, name = table.split(".")
    wanted = [f"jobs/{layer}/{name}.yaml"]
    if layer != "models":
        wanted.append(f"expectations/{layer}/{name}.yaml")
    if layer != "bronze":
        wanted += [f"jobs/{layer}/{name}.py", f"tests/{layer}/test_{name}.py"]
    assert [w for w in wanted if not (ROOT / w).is_file()] == []


def test_nothing_stands_without_a_table():
    stray = [
        str(p.relative_to(ROOT))
        for p in (ROOT / "expectations").rglob("*.yaml")
        if f"{p.parent.name}.{p.stem}" not in lineage.nodes()
    ]
    assert stray == []


def test_bare_names_are_unique():
    bare = [n.split(".")[1] for n in lineage.nodes()]
    assert sorted(bare) == sorted(set(bare))


@pytest.mark.parametrize("contract", all_contracts(), ids=lambda c: c.name)
def test_every_column_is_described_and_every_gate_says_why(contract):
    assert [c.name for c in contract.columns if not c.description] == []
    assert [c.rule for c in gate.checks(contract) if not c.why] == []


def test_one_column_name_has_one_type_and_unit_beyond_bronze():
    seen: dict[str, set] = {}
    for contract in all_contracts():
        if contract.layer != "bronze":
            for column in contract.columns:
                seen.setdefault(column.name, set()).add((column.type, column.unit))
    assert {name: types for name, types in seen.items() if len(types) > 1} == {}


@pytest.mark.parametrize("table", BUILT)
def test_reach_names_inputs_and_columns(table):
    contract = load(table)
    for reach in contract.reach:
        inputs = {i.split(".")[1]: i for i in lineage.inputs(table)}
        assert {reach.input, reach.through} <= set(inputs)
        for end, key in ((reach.input, reach.key), (reach.through, reach.through_key)):
            assert set(key) <= {c.name for c in load(inputs[end]).columns}


@pytest.mark.parametrize("table", BUILT)
def test_inputs_that_a_contract_speaks_of_are_inputs(table):
    assert set(load(table).optional) | set(load(table).carried_as) <= set(lineage.signature(table)[0])


@pytest.mark.parametrize("path", PURE, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_tables_and_models_have_no_side_effects(path):
    banned = {
        "now",
        "today",
        "current_date",
        "current_timestamp",
        "getenv",
        "environ",
        "udf",
        "toLocalIterator",
        "save",
    }
    names = {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}
    assert names & banned == set()


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=lambda p: p.name)
def test_dags_are_thin(path):
    tree = ast.parse(path.read_text())
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not [m for m in imported if m.split(".")[0] in ("pyspark", "delta", "pandas", "mlflow")]
    text = path.read_text()
    assert [n for n in lineage.nodes() if f'"{n}"' in text] == [], "a DAG file names no table"


def test_the_lineage_is_as_reviewed():
    """A change of lineage is read in review: `python -m tests.shape.lineage` renews the text."""
    from tests.shape.lineage import text

    assert (ROOT / "tests/shape/lineage.txt").read_text() == text()


def test_no_registry_host_and_no_path_of_a_machine_is_named():
    import subprocess

    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    hosts = ["pypi" + ".org", "python" + "hosted", "maven" + ".org", "npm" + "js.org", "/" + "work/main"]
    found = [
        (f, h) for f in files if f != "uv.lock" and (ROOT / f).is_file() for h in hosts
        if h.encode() in (ROOT / f).read_bytes()
    ]  # fmt: skip
    assert found == []
