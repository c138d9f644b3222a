"""Lineage: read from the signatures, as text. No pyspark is imported, so DAGs and `explain` are instant.

A node is `<layer>.<name>`: a table with a contract in bronze, silver, gold or scoring, or a model in `models`.
`build(orders, products, *, as_of)` of gold/sales_daily.py says that gold.sales_daily is made of the nodes whose bare
names are `orders` and `products`. Arrows go one way: bronze → silver → gold → models → scoring.
"""

import ast
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

JOBS = Path(__file__).resolve().parents[1]
LAYERS = ("bronze", "silver", "gold", "models", "scoring")


class LineageError(Exception):
    """A signature that names no table, an arrow that goes backwards, or a circle."""


@lru_cache
def nodes() -> tuple[str, ...]:
    """Every table and model, `<layer>.<name>`, by layer and name: one for each contract file."""
    return tuple(f"{layer}.{p.stem}" for layer in LAYERS for p in sorted((JOBS / layer).glob("*.yaml")))


@lru_cache
def full_name(bare: str) -> str:
    """`silver.orders` of `orders`; a full name passes through. LineageError if there is none, or two."""
    if bare in nodes():
        return bare
    found = [n for n in nodes() if n.split(".")[1] == bare]
    if len(found) != 1:
        what = f"two tables are named {bare}: {', '.join(found)}" if found else f"no table is named {bare}"
        raise LineageError(f"{what}. `shoplake list` has all.")
    return found[0]


@lru_cache
def signature(node: str) -> tuple[tuple[str, ...], bool]:
    """The bare names of a node's inputs in their order, and whether its result depends on `as_of`."""
    layer, name = full_name(node).split(".")
    if layer == "bronze":
        return (), False
    function = "fit" if layer == "models" else "build"
    path = JOBS / layer / f"{name}.py"
    if not path.is_file():
        raise LineageError(f"{layer}.{name} has a contract but no module jobs/{layer}/{name}.py")
    for item in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(item, ast.FunctionDef) and item.name == function:
            return tuple(a.arg for a in item.args.args), "as_of" in {a.arg for a in item.args.kwonlyargs}
    raise LineageError(f"jobs/{layer}/{name}.py has no function {function}")


@lru_cache
def inputs(node: str) -> tuple[str, ...]:
    """The full names of what a node is made of, in the order of its signature."""
    node = full_name(node)
    found = tuple(full_name(bare) for bare in signature(node)[0])
    for other in found:
        if LAYERS.index(other.split(".")[0]) > LAYERS.index(node.split(".")[0]):
            raise LineageError(f"{node} reads {other}: arrows go bronze → silver → gold → models → scoring")
    return found


@lru_cache
def order() -> tuple[str, ...]:
    """Every node, each after all that it is made of; ties by layer and name, so the order is stable."""
    sorter = TopologicalSorter({n: inputs(n) for n in nodes()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise LineageError(f"tables that need each other: {' → '.join(error.args[1])}") from error
    out: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=nodes().index)
        out += ready
        sorter.done(*ready)
    return tuple(out)


def code(node: str) -> tuple[Path, ...]:
    """The module of a node and the modules of ours that it imports, directly or not; none for bronze."""
    layer, name = full_name(node).split(".")
    found: list[Path] = []
    todo = [JOBS / layer / f"{name}.py"]
    while todo:
        path = todo.pop()
        if path in found or not path.is_file():
            continue
        found.append(path)
        for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(item, ast.ImportFrom) and (item.module or "").split(".")[0] == "jobs":
                package = JOBS.parent.joinpath(*str(item.module).split("."))
                todo += [package.with_suffix(".py"), *(package / f"{a.name}.py" for a in item.names)]
    return tuple(sorted(found))


def readers(node: str) -> tuple[str, ...]:
    """The nodes that read this one directly."""
    return tuple(n for n in order() if full_name(node) in inputs(n))


def downstream(node: str) -> tuple[str, ...]:
    """All that hangs on a node, in the order in which it would run."""
    reached = {full_name(node)}
    for other in order():
        if reached & set(inputs(other)):
            reached.add(other)
    return tuple(n for n in order() if n in reached and n != full_name(node))


def upstream(node: str) -> tuple[str, ...]:
    """All that a node hangs on, in the order in which it would run."""
    wanted = set(inputs(node))
    for other in reversed(order()):
        if other in wanted:
            wanted |= set(inputs(other))
    return tuple(n for n in order() if n in wanted)


@lru_cache
def source(node: str) -> str | None:
    """The source system of a bronze table; None for the rest."""
    layer, name = full_name(node).split(".")
    if layer != "bronze":
        return None
    schema = yaml.safe_load((JOBS / layer / f"{name}.yaml").read_text(encoding="utf-8"))["schema"][0]
    return next(p["value"] for p in schema["customProperties"] if p["property"] == "source")


def columns(node: str) -> list[tuple[str, str, str]]:
    """Name, type and meaning of a table's columns, as its contract has them; none of a model."""
    if node.startswith("models."):
        return []
    text = (JOBS / Path(*full_name(node).split(".")).with_suffix(".yaml")).read_text(encoding="utf-8")
    schema = yaml.safe_load(text)["schema"][0]
    return [(p["name"], p["physicalType"], p.get("description", "")) for p in schema["properties"]]


def sources() -> dict[str, tuple[str, ...]]:
    """Each source system and the bronze tables that it feeds."""
    found: dict[str, list[str]] = {}
    for node in nodes():
        if (system := source(node)) is not None:
            found.setdefault(system, []).append(node)
    return {s: tuple(t) for s, t in sorted(found.items())}
