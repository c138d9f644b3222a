"""Contracts: what every table promises, in the Open Data Contract Standard (ODCS 3.1), read strictly.

A key that ODCS or Shoplake does not know is an error that names the file: a typing mistake in a contract must not
pass as a missing promise.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty

from jobs.kit.settings import CHECKOUT

Growth = Literal["append", "upsert", "partition", "history", "snapshot"]
JOBS = CHECKOUT / "jobs"
LAYERS = ("bronze", "silver", "gold", "scoring")
_TABLE_PROPERTIES = {
    "growth",
    "reach",
    "carried_as",
    "optional",
    "source",
    "drop",
    "pull",
    "max_refused_share",
    "opens",
    "subject",
}
_COLUMN_PROPERTIES = {"unit", "derived", "formerly"}
TECHNICAL = {  # what the door adds to every row of bronze
    "_file_id": "string",
    "_source_file": "string",
    "_file_date": "date",
    "_row_number": "bigint",
    "_arrived_at": "timestamp",
}
PULL = {"relation", "cursor", "keys"}  # what can be said of how a table is asked for
SUBJECT = {"erasure", "by", "tells", "leaves"}  # what can be said of whom a table's records are about
PSEUDONYM = "<pseudonym>"  # in what a forgotten record keeps: a name that stands for nobody
FORMATS = {"csv": {"delimiter", "encoding"}, "jsonl": {"encoding"}, "xlsx": {"sheet"}}  # and what can be said of each


class ContractError(Exception):
    """A contract that cannot be read: names the file and what is wrong."""


@dataclass(frozen=True)
class Column:
    """One column as promised.

    `derived` is the SQL expression that makes it at bronze's door; `received_as` the name that it has in the file
    (ODCS `physicalName`), where that is another one. `formerly`: names that it had before, in older files or, beyond
    bronze, in older rows.
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
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reach:
    """How a changed input without the scope column reaches rows: its `key`, found again in `through`.

    A key is a column, or several; in `through` it may have other names: `through_key`.
    """

    input: str
    key: tuple[str, ...]
    through: str
    through_key: tuple[str, ...]


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
class Pull:
    """How a source that can be asked is asked for the table's rows (jobs/landing/pulls.py).

    `relation`: what holds them there (a table or view, an end point, a topic). `cursor`: what tells when a row was last
    changed; without it the whole is asked for each time. `keys`, instead: of which tables of the source the deleted
    rows are to be seen, each with the column that tells its rows apart.
    """

    relation: str = ""
    cursor: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """Whose a bronze table's records are, and what becomes of them when that person is erased (jobs/erasure.py).

    `by`: what a record is found by, each the SQL expression of it: an account's system (erp, crm, app …) or something
    that another table `tells` of (order, delivery). `erasure`: `delete` (the record goes), `forget` (it is a fact of
    money or stock and stays; its identifiers become null, and of each column in `leaves` stays what that says, in which
    `<pseudonym>` is a random name, the same for one account within one erasure), or `keep` (it says nothing of the
    person by itself, and is here for what it tells).
    """

    erasure: str
    by: Mapping[str, str]
    tells: Mapping[str, str] = field(default_factory=dict)
    leaves: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """One table's promise. `name` is `<layer>.<table>`; `keys` in their order; `partition` None if none.

    `optional`: inputs that not every retailer has; until they come they count as empty.
    `promised_days`: how many days old its newest file may be (ODCS `slaProperties`: latency in d); None if nobody says.
    `opens`: inputs whose identifiers `build` needs as they were told; in others it finds tokens (jobs/kit/vault.py).
    `subject`: whose the records are; None where nobody could be found by them.
    `carried_as`: for inputs that do not carry the partition column itself, the SQL expression that makes it of theirs.
    """

    name: str
    version: str
    grain: str
    owner: str
    domain: str
    purpose: str
    limitations: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    partition: str | None
    growth: Growth
    reach: tuple[Reach, ...]
    carried_as: Mapping[str, str]
    optional: tuple[str, ...]
    source: str | None
    drop: Drop | None
    max_refused_share: float
    path: Path
    opens: tuple[str, ...] = ()
    pull: Pull | None = None
    promised_days: int | None = None
    subject: Subject | None = None

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

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns that name a person: published as tokens."""
        return tuple(c.name for c in self.columns if c.classification == "identifier")

    @property
    def types(self) -> dict[str, str]:
        """Every column that readers of the table find, with its type."""
        return {c.name: c.type for c in self.columns} | (TECHNICAL if self.layer == "bronze" else {})

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
    if custom.get("carried_as") and growth != "partition":
        problems.append("carried_as makes the partition column, and growth is not partition")
    if growth in ("upsert", "history") and not keys:
        problems.append(f"growth is {growth}, but no column is a primary key")
    if not schema.dataGranularityDescription:
        problems.append("no dataGranularityDescription (the grain)")
    if path.parent.name == "bronze" and not (custom.get("source") and custom.get("drop")):
        problems.append("a bronze table says its source and its drop (folder, name)")
    drop = _drop(custom.get("drop"), problems)
    pull = _pull(custom.get("pull"), problems)
    promised = _promised_days(contract, problems)
    subject = _subject(custom.get("subject"), columns, drop, problems)
    if problems:
        raise ContractError(f"{path}:\n  " + "\n  ".join(problems))
    purpose = contract.description.purpose if contract.description else ""
    return Contract(
        name=name,
        version=contract.version or "0",
        grain=schema.dataGranularityDescription or "",
        owner=(contract.team.name if contract.team and not isinstance(contract.team, list) else "") or "",
        domain=contract.domain or "",
        purpose=purpose or "",
        limitations=(contract.description.limitations if contract.description else "") or "",
        columns=columns,
        keys=tuple(str(p.name) for p in keys),
        partition=str(partitions[0]) if partitions else None,
        growth=growth,  # type: ignore[arg-type]
        reach=tuple(_reach(**r) for r in custom.get("reach", [])),
        carried_as=dict(custom.get("carried_as", {})),
        optional=tuple(custom.get("optional", [])),
        opens=tuple(custom.get("opens", [])),
        source=custom.get("source"),
        drop=drop,
        pull=pull,
        promised_days=promised,
        subject=subject,
        max_refused_share=float(custom.get("max_refused_share", 0.05)),
        path=path,
    )


def _reach(input: str, key: str | list[str], through: str, through_key: str | list[str] | None = None) -> Reach:
    def several(said: str | list[str]) -> tuple[str, ...]:
        return (said,) if isinstance(said, str) else tuple(said)

    return Reach(input, several(key), through, several(through_key or key))


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


def _promised_days(contract: OpenDataContractStandard, problems: list[str]) -> int | None:
    for promise in contract.slaProperties or []:
        if promise.property == "latency" and promise.unit == "d":
            return int(promise.value)  # type: ignore[arg-type]
        problems.append(f"slaProperties: only latency in d has a meaning here, not {promise.property}")
    return None


def _pull(said: dict[str, Any] | None, problems: list[str]) -> Pull | None:
    if not said:
        return None
    strange = [f"pull: {key} has no meaning" for key in said if key not in PULL]
    strange += [] if bool(said.get("relation")) != bool(said.get("keys")) else ["pull: either a relation or keys"]
    problems += strange
    return None if strange else Pull(**said)


def _subject(
    said: dict[str, Any] | None, columns: tuple[Column, ...], drop: Drop | None, problems: list[str]
) -> Subject | None:
    if not said:
        return None
    strange = [f"subject: {key} has no meaning" for key in said if key not in SUBJECT]
    if said.get("erasure") not in ("delete", "forget", "keep") or not said.get("by"):
        strange.append("subject: erasure (delete, forget or keep) and by are wanted")
    required = {c.name: c.required for c in columns if c.derived is None}
    for name, left in said.get("leaves", {}).items():
        if name not in required:
            strange.append(f"subject: leaves {name}, which is no received column")
        elif left is None and required[name]:
            strange.append(f"subject: leaves nothing of {name}, which is required")
    if said.get("erasure") == "forget":
        names = [c.name for c in columns if c.classification == "identifier" and c.required]
        strange += [f"subject: {n} is required and an identifier: say what it leaves" for n in names
                    if n not in said.get("leaves", {})]  # fmt: skip
    if drop and drop.format not in ("csv", "jsonl"):
        strange.append(f"subject: files of format {drop.format} cannot be rewritten yet")
    problems += strange
    return None if strange else Subject(**said)


def _column(prop: SchemaProperty, problems: list[str]) -> Column:
    custom = _custom(prop, _COLUMN_PROPERTIES, problems, f"column {prop.name}: ")
    if not (prop.name and prop.physicalType and prop.logicalType):
        problems.append(f"column {prop.name}: name, logicalType and physicalType are all wanted")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", prop.name or ""):
        problems.append(f"column {prop.name}: names are lower_snake_case")
    formerly = custom.get("formerly") or []
    if not isinstance(formerly, list):
        problems.append(f"column {prop.name}: formerly is a list of names")
        formerly = []
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
        formerly=tuple(map(str, formerly)),
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
