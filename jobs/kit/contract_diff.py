"""What changed between two versions of a contract, and whether readers break.

As semantic versioning has it, from the reader's side: what takes something away that a reader could count on (a
column, its type, that it is never null, its unit, the key) breaks, and wants a new major version; what adds does not. A
stricter promise breaks no reader. Readers are named from the lineage: the tables and models downstream whose source
text speaks of the column, with the columns that they make of it where the text says so.
"""

import ast
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from jobs.kit import amend, lake, lineage
from jobs.kit.contracts import JOBS, LAYERS, Column, Contract, ContractError, load
from jobs.kit.settings import CHECKOUT

PUBLISHED = "published"
_WIDER = {  # logical types by what else a value may be: a reader that casts to the first finds others in the second
    "boolean": {"string"},
    "integer": {"number", "string"},
    "number": {"string"},
    "date": {"timestamp", "string"},
    "timestamp": {"string"},
}


@dataclass(frozen=True)
class Change:
    """One difference. `breaks`: a reader may fail or read something else; `readers`: who speaks of the column."""

    column: str | None
    text: str
    breaks: bool = False
    readers: dict[str, list[str]] = field(default_factory=dict)  # table or model: its columns that are made of it


@dataclass(frozen=True)
class Diff:
    """The differences of one table; `was` and `now` are versions, None where there is no such contract."""

    table: str
    was: str | None
    now: str | None
    changes: list[Change]

    @property
    def breaks(self) -> bool:
        """True if a reader may break."""
        return any(c.breaks for c in self.changes)

    @property
    def wanted(self) -> str | None:
        """The least version that says what changed; None if nothing did, or a whole table came or went."""
        if not self.changes or self.was is None or self.now is None:
            return None
        major, minor, patch = _semver(self.was)
        if self.breaks:
            return f"{major + 1}.0.0" if major else f"0.{minor + 1}.0"
        return f"{major}.{minor + 1}.0" if any(c.column for c in self.changes) else f"{major}.{minor}.{patch + 1}"

    @property
    def ok(self) -> bool:
        """False if readers break and the version does not say so."""
        return not self.breaks or self.now is None or _semver(self.now) >= _semver(str(self.wanted))

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        more = {"breaks": self.breaks, "wanted": self.wanted, "ok": self.ok}
        return asdict(self) | more


def diffs(table: str | None, against: str) -> list[Diff]:
    """How the working tree's contracts differ from `against`: a git revision, a file, or what is `published`.

    Of one table, or of all that changed (for a file: the one it is of). ContractError if `against` is none of them.
    """
    if against == PUBLISHED:
        names = [table] if table else [n for n in _names() if lake.version(n) is not None]
        found = [_against_published(n) for n in names]
    elif Path(against).is_file():
        text = Path(against).read_text(encoding="utf-8")
        name = table or str(yaml.safe_load(text).get("id"))
        found = [_diff(name, amend.read(text, name), _present(name))]
    else:
        found = [_diff(n, _at(against, n), _present(n)) for n in ([table] if table else _changed_since(against))]
    return [d for d in found if d.changes]


def _diff(name: str, was: Contract | None, now: Contract | None) -> Diff:
    changes = compare(was, now) if was and now else []
    if was and not now:
        gone: dict[str, list[str]] = {r: [] for r in lineage.nodes() if was.table in _signature(r)}
        changes = [Change(None, "the table is gone", True, gone)]
    if now and not was:
        changes = [Change(None, "a new table")]
    return Diff(name, was.version if was else None, now.version if now else None, changes)


def _signature(node: str) -> tuple[str, ...]:
    return lineage.signature(node)[0]


def compare(was: Contract, now: Contract) -> list[Change]:
    """Every difference between two versions of one table's contract that a reader or the sender could care for."""
    old, new = ({c.name: c for c in contract.columns} for contract in (was, now))
    out = []
    for name in old:
        if name not in new:
            became = next((c.name for c in now.columns if name in c.formerly), None)
            out.append(_breaking(now, name, f"is gone{f', now {became}' if became else ''}"))
        else:
            out += _column(now, old[name], new[name])
            for what, of in (("part of the key", _keys), ("the partition", _partition)):
                if (name in of(was)) != (name in of(now)):
                    out.append(_breaking(now, name, f"is {'now' if name in of(now) else 'no longer'} {what}"))
    for name in new.keys() - old.keys():
        said = f"is new: {new[name].logical}{', required' if new[name].required else ''}"
        out.append(_breaking(now, name, f"{said}, part of the key") if name in now.keys else Change(name, said))
    about = ("grain", "growth", "reach", "carried_as", "optional", "source", "drop", "pull", "max_refused_share")
    out += [Change(None, f"another {a}") for a in about if getattr(was, a) != getattr(now, a)]
    docs = ("owner", "domain", "purpose", "limitations")
    if not out and (
        any(getattr(was, a) != getattr(now, a) for a in docs)
        or any(old[n].description != new[n].description for n in old)
    ):
        out.append(Change(None, "other words"))
    return out


def _keys(contract: Contract) -> tuple[str, ...]:
    return contract.keys


def _partition(contract: Contract) -> tuple[str | None, ...]:
    return (contract.partition,)


def _column(now: Contract, a: Column, b: Column) -> list[Change]:
    out = []
    if a.type != b.type:
        out.append(_breaking(now, a.name, f"is {b.type}, was {a.type}"))
    elif a.logical != b.logical:
        said = f"means {b.logical}, meant {a.logical}"
        wider = b.logical in _WIDER.get(a.logical, set()) or a.logical not in _WIDER
        out.append(_breaking(now, a.name, said) if wider else Change(a.name, f"{said}: stricter"))
    if a.required and not b.required:
        out.append(_breaking(now, a.name, "may be null, was required"))
    if b.required and not a.required:
        out.append(Change(a.name, "is required, might be null: stricter"))
    if a.unit != b.unit:
        out.append(_breaking(now, a.name, f"is in {b.unit}, was in {a.unit}"))
    if a.classification != b.classification:
        out.append(Change(a.name, f"is classified {b.classification}, was {a.classification}"))
    if a.derived != b.derived:
        out.append(_breaking(now, a.name, "is derived otherwise"))
    if a.received_as != b.received_as:
        out.append(Change(a.name, f"is received as {b.received_as}, was as {a.received_as}: readers find it as before"))
    elif a.formerly != b.formerly:
        out.append(Change(a.name, f"has the former names {', '.join(b.formerly) or 'none'}"))
    return out


def _breaking(now: Contract, column: str, text: str) -> Change:
    return Change(column, text, True, readers_of(now.name, column))


def _semver(version: str) -> tuple[int, int, int]:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)  # type: ignore[return-value]


# ---- the other version ----


def _names() -> list[str]:
    return [n for n in lineage.nodes() if n.split(".")[0] in LAYERS]


def _present(name: str) -> Contract | None:
    return load(name) if (CHECKOUT / _file(name)).is_file() else None


def _file(name: str) -> str:
    return f"{JOBS.relative_to(CHECKOUT)}/{name.replace('.', '/')}.yaml"


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(CHECKOUT), *words], capture_output=True, text=True)
    if done.returncode:
        raise ContractError(
            f"git {words[0]}: {done.stderr.strip().splitlines()[-1]} (--against REVISION, FILE or published)"
        )
    return done.stdout


def _at(revision: str, name: str) -> Contract | None:
    """The contract as it was; None if there was none."""
    if not _git("ls-tree", "--name-only", revision, "--", _file(name)).strip():
        return None
    return amend.read(_git("show", f"{revision}:./{_file(name)}"), name)


def _changed_since(revision: str) -> list[str]:
    words = ("--name-only", "--relative", revision, "--", *(f"jobs/{layer}" for layer in LAYERS))
    paths = _git("diff", *words).split() + _git("ls-files", "--others", "--exclude-standard", "--", *words[3:]).split()
    return sorted(".".join(Path(p).with_suffix("").parts[-2:]) for p in paths if p.endswith(".yaml"))


def _against_published(name: str) -> Diff:
    """Names and types of the table as its readers find it now, against what the contract says they will find."""
    now = load(name)
    there = {n: t for n, t in lake.schema(name).items() if not n.startswith("_")}
    wanted = {c.name: c.type.replace(" ", "") for c in now.columns}
    changes = [_breaking(now, n, "is gone") for n in there if n not in wanted]
    changes += [Change(n, f"is new: {t}") for n, t in wanted.items() if n not in there]
    changes += [
        _breaking(now, n, f"is {wanted[n]}, was {t}") for n, t in there.items() if n in wanted and wanted[n] != t
    ]
    return Diff(name, lake.stamp(name).get("contract", "0.0.0"), now.version, changes)


# ---- readers ----


def readers_of(table: str, column: str) -> dict[str, list[str]]:
    """Tables and models downstream that speak of the column, and which of their own columns are made of it.

    From the text alone: a reader of two tables that share a column's name is named for either.
    """
    found: dict[str, list[str]] = {}
    todo, seen = [(table, column)], {(table, column)}
    while todo:
        node, name = todo.pop(0)
        for reader in lineage.readers(node) if node in lineage.nodes() else ():
            words, made = _speaks(reader)
            own = _own_columns(reader)
            if name not in words and name not in own:
                continue
            columns = sorted(own & ({name} | {m for m, of in made if name in of}))
            found[reader] = sorted({*found.get(reader, []), *columns})
            news = [(reader, c) for c in columns if (reader, c) not in seen]
            seen |= {*news}
            todo += news
    return {n: found[n] for n in lineage.order() if n in found}


def _own_columns(node: str) -> set[str]:
    return set() if node.startswith("models.") else {c.name for c in load(node).columns}


@lru_cache
def _speaks(node: str) -> tuple[frozenset[str], tuple[tuple[str, frozenset[str]], ...]]:
    """The names that a node's text and contract speak of; and (column, names in the expression that makes it)."""
    words: set[str] = set()
    made: list[tuple[str, frozenset[str]]] = []
    for path in lineage.code(node):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words |= _words(tree, {})
        names = _assigned(tree)
        made += [(name, frozenset(_words(by, names))) for item in ast.walk(tree) for name, by in _makes(item)]
    layer, name = node.split(".")
    schema = yaml.safe_load((JOBS / layer / f"{name}.yaml").read_text(encoding="utf-8"))
    said = schema if layer == "models" else schema["schema"][0].get("customProperties")
    words |= set(re.findall(r"\w+", json.dumps(said, default=str)))
    return frozenset(words), tuple(made)


def _assigned(tree: ast.AST) -> dict[str, set[str]]:
    """What variables speak of: `price = F.col("price_text")`; of one that is made of others, what these do."""
    found: dict[str, set[str]] = {}
    for item in ast.walk(tree):
        if isinstance(item, ast.Assign):
            for name in (n for target in item.targets for n in ast.walk(target) if isinstance(n, ast.Name)):
                found[name.id] = found.get(name.id, set()) | _words(item.value, found)
    return found


def _words(tree: ast.AST, names: Mapping[str, set[str]]) -> set[str]:
    """Words of strings that are no docstrings, and names of attributes: how a column is spoken of.

    `names`: what the variables in it speak of.
    """
    docs = {id(i.value) for i in ast.walk(tree) if isinstance(i, ast.Expr) and isinstance(i.value, ast.Constant)}
    found: set[str] = set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Constant) and isinstance(item.value, str) and id(item) not in docs:
            found |= set(re.findall(r"\w+", item.value))
        elif isinstance(item, ast.Attribute):
            found.add(item.attr)
        elif isinstance(item, ast.Name):
            found |= names.get(item.id, set())
    return found


def _makes(item: ast.AST) -> list[tuple[str, ast.AST]]:
    """(column, expression) pairs: `x.alias("c")`, `withColumn("c", x)`, `{"c": x}`, `withColumnRenamed("x", "c")`."""
    if isinstance(item, ast.Dict):
        return [(k.value, v) for k, v in zip(item.keys, item.values, strict=True) if _is_text(k)]  # type: ignore
    if not (isinstance(item, ast.Call) and isinstance(item.func, ast.Attribute) and item.args):
        return []
    first, method = item.args[0], item.func.attr
    if method == "alias" and _is_text(first):
        return [(first.value, item.func.value)]  # type: ignore
    if method == "withColumn" and len(item.args) == 2 and _is_text(first):
        return [(first.value, item.args[1])]  # type: ignore
    if method == "withColumnRenamed" and len(item.args) == 2 and _is_text(item.args[1]):
        return [(item.args[1].value, first)]  # type: ignore
    return []


def _is_text(item: ast.AST | None) -> bool:
    return isinstance(item, ast.Constant) and isinstance(item.value, str)
