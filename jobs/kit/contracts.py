"""Contracts: what every table promises, in the Open Data Contract Standard (ODCS 3.1), read strictly.

A key that ODCS or Shoplake does not know is an error that names the file: a typing mistake in a contract must not
pass as a missing promise.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty

from jobs.kit.settings import CHECKOUT

Growth = Literal["append", "upsert", "partition", "history", "snapshot"]
JOBS = CHECKOUT / "jobs"
LAYERS = ("bronze", "silver", "gold", "scoring")
_TABLE_PROPERTIES = {"growth", "reach", "source", "drop", "max_refused_share"}
_COLUMN_PROPERTIES = {"unit", "derived"}
FORMATS = {"csv": {"delimiter", "encoding"}, "jsonl": {"encoding"}, "xlsx": {"sheet"}}  # and what can be said of each


class ContractError(Exception):
    """A contract that cannot be read: names the file and what is wrong."""


@dataclass(frozen=True)
class Column:
    """One column as promised.

    `derived` is the SQL expression that makes it at bronze's door; `received_as` the name that it has in the file
    (ODCS `physicalName`), where that is another one.
    """

    name: str
    type: str
    logical: str
    required: bool
    description: str
    unit: str | None = None
    derived: str | None = None
    received_as: str = ""
    classification: str | None = None


@dataclass(frozen=True)
class Reach:
    """How a changed input without the scope column reaches rows: its `key`, found again in `through`."""

    input: str
    key: str
    through: str


@dataclass(frozen=True)
class Drop:
    """Which files of the drop folder belong to a bronze table, and how they are written: a format of FORMATS."""

    folder: str
    name: str
    delimiter: str = ","
    encoding: str = "utf-8"
    format: str = "csv"
    sheet: str = ""


@dataclass(frozen=True)
class Contract:
    """One table's promise. `name` is `<layer>.<table>`; `keys` in their order; `partition` None if none."""

    name: str
    version: str
    grain: str
    owner: str
    purpose: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    partition: str | None
    growth: Growth
    reach: tuple[Reach, ...]
    source: str | None
    drop: Drop | None
    max_refused_share: float
    path: Path

    @property
    def layer(self) -> str:
        """`silver` of `silver.orders`."""
        return self.name.split(".")[0]

    @property
    def table(self) -> str:
        """`orders` of `silver.orders`."""
        return self.name.split(".")[1]

    @property
    def scope_keys(self) -> tuple[str, ...]:
        """The columns that name what one run replaces: dates, or keys; none for a whole snapshot."""
        if self.growth == "partition":
            return (self.partition,) if self.partition else ()
        if self.growth == "upsert":
            return self.keys
        if self.growth == "history":
            return tuple(k for k in self.keys if k != "valid_from")
        return ()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if it has none."""
        return {c.name: c for c in self.columns}[name]


@lru_cache
def load(name: str) -> Contract:
    """The contract of `<layer>.<table>`. ContractError if there is none or it says something unknown."""
    layer, _, table = name.partition(".")
    path = JOBS / layer / f"{table}.yaml"
    if not path.is_file():
        raise ContractError(
            f"No table {name}: {path.relative_to(JOBS.parent)} does not exist. `shoplake list` has all."
        )
    return parse(path)


def all_contracts() -> list[Contract]:
    """Every table's contract, by layer and name."""
    return [load(f"{layer}.{p.stem}") for layer in LAYERS for p in sorted((JOBS / layer).glob("*.yaml"))]


def parse(path: Path) -> Contract:
    """Read one contract file; every problem found is in the one ContractError."""
    text = path.read_text(encoding="utf-8")
    raw = yaml.safe_load(text)
    try:
        contract = OpenDataContractStandard.model_validate(raw)
    except ValueError as error:
        raise ContractError(f"{path}: {error}") from error
    problems = list(_unknown(raw, contract.model_dump(by_alias=True, exclude_none=True)))
    schema = (contract.schema_ or [SchemaObject(name="")])[0]
    custom = _custom(schema, _TABLE_PROPERTIES, problems)
    name = f"{path.parent.name}.{path.stem}"
    for said, value in (("id", contract.id), ("name", contract.name), ("schema name", schema.name)):
        want = name if said == "id" else path.stem
        if value != want:
            problems.append(f"{said} is {value!r}, the file's name says {want!r}")
    growth = custom.get("growth")
    if growth not in get_args(Growth):
        problems.append(f"growth is {growth!r}, one of {', '.join(get_args(Growth))} is wanted")
    properties = schema.properties or []
    columns = tuple(_column(p, problems) for p in properties)
    keys = sorted((p for p in properties if p.primaryKey), key=lambda p: p.primaryKeyPosition or 0)
    partitions = [p.name for p in properties if p.partitioned]
    if len(partitions) > 1:
        problems.append(f"more than one partition column: {', '.join(map(str, partitions))}")
    if growth == "partition" and not partitions:
        problems.append("growth is partition, but no column is partitioned")
    if growth in ("upsert", "history") and not keys:
        problems.append(f"growth is {growth}, but no column is a primary key")
    if not schema.dataGranularityDescription:
        problems.append("no dataGranularityDescription (the grain)")
    if path.parent.name == "bronze" and not (custom.get("source") and custom.get("drop")):
        problems.append("a bronze table says its source and its drop (folder, name)")
    drop = _drop(custom.get("drop"), problems)
    if problems:
        raise ContractError(f"{path}:\n  " + "\n  ".join(problems))
    purpose = contract.description.purpose if contract.description else ""
    return Contract(
        name=name,
        version=contract.version or "0",
        grain=schema.dataGranularityDescription or "",
        owner=(contract.team.name if contract.team and not isinstance(contract.team, list) else "") or "",
        purpose=purpose or "",
        columns=columns,
        keys=tuple(str(p.name) for p in keys),
        partition=str(partitions[0]) if partitions else None,
        growth=growth,  # type: ignore[arg-type]
        reach=tuple(Reach(**r) for r in custom.get("reach", [])),
        source=custom.get("source"),
        drop=drop,
        max_refused_share=float(custom.get("max_refused_share", 0.05)),
        path=path,
    )


def _drop(said: dict[str, Any] | None, problems: list[str]) -> Drop | None:
    if not said:
        return None
    found = said.get("format", "csv")
    if found not in FORMATS:
        problems.append(f"drop: format is {found!r}, one of {', '.join(FORMATS)} is wanted")
        return None
    wanted = {"folder", "name"} | ({"sheet"} if found == "xlsx" else set())
    problems += [f"drop: no {key}" for key in sorted(wanted) if not said.get(key)]
    strange = [key for key in said if key not in {"folder", "name", "format"} | FORMATS[found]]
    problems += [f"drop: {key} has no meaning for {found}" for key in strange]
    return None if problems else Drop(**said)


def _column(prop: SchemaProperty, problems: list[str]) -> Column:
    custom = _custom(prop, _COLUMN_PROPERTIES, problems, f"column {prop.name}: ")
    if not (prop.name and prop.physicalType and prop.logicalType):
        problems.append(f"column {prop.name}: name, logicalType and physicalType are all wanted")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", prop.name or ""):
        problems.append(f"column {prop.name}: names are lower_snake_case")
    return Column(
        name=str(prop.name),
        type=str(prop.physicalType),
        logical=str(prop.logicalType),
        required=bool(prop.required or prop.primaryKey),
        description=prop.description or "",
        unit=custom.get("unit"),
        derived=custom.get("derived"),
        received_as=prop.physicalName or str(prop.name),
        classification=prop.classification,
    )


def _custom(item: Any, known: set[str], problems: list[str], where: str = "") -> dict[str, Any]:
    found = {str(p.property): p.value for p in (item.customProperties or [])}
    problems += [f"{where}unknown custom property {k!r}" for k in found if k not in known]
    return found


def _unknown(raw: Any, kept: Any, where: str = "") -> list[str]:
    """Keys that the ODCS model dropped, so a typing mistake is told and not swallowed."""
    if isinstance(raw, dict) and isinstance(kept, dict):
        gone = [f"unknown key {where}{k}" for k in raw if k not in kept]
        return gone + [p for k in raw if k in kept for p in _unknown(raw[k], kept[k], f"{where}{k}.")]
    if isinstance(raw, list) and isinstance(kept, list):
        return [p for i, (r, k) in enumerate(zip(raw, kept, strict=False)) for p in _unknown(r, k, f"{where}{i}.")]
    return []
