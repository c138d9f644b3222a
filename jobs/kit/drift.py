"""What sources send against what their contracts say: how a run tells of it, and what the contract should say instead.

A run tells names, counts and, of values that do not cast, a few examples; never a personal value: those keep only their
shape (`999-9999`). `proposals` reads landed files, which hold every byte, through the door; no Spark, nothing written.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path

from jobs.kit import amend, arrivals, door
from jobs.kit.contracts import Column, Contract
from jobs.landing import files as landing

DRIFT = ("file:missing_column", "file:changed_type")  # rules of files that are not as agreed any more
TOLD = 3  # of files, values and the like: so many are told, and how many there are
SAMPLED_FILES, SAMPLED_ROWS = 20, 5000  # the oldest file and the newest ones, the first rows of each
ALIKE = 0.8  # of the values of a renamed column, the share whose shape was known of the old one
_PERSONAL = (  # a value of such a form is somebody's, whatever its column: phone, mail address, identity document
    r"(\+?86[- ]?)?1[3-9][0-9][- ]?[0-9*]{4}[- ]?[0-9]{4}",
    r"[^@\s]+@[^@\s]+\.[^@\s]+",
    r"[1-9][0-9]{16}[0-9Xx]",
)
_PERSONAL_NAMES = re.compile(r"phone|mobile|mail|address|birth|passport|id_card|openid|(^|_)(name|nick)($|_)", re.I)
_FORMS = {kind: re.compile(said[2:-1].replace(r"\z", "")) for kind, said in arrivals.FORMS.items()}
_WIDER = ("boolean", "integer", "number", "date", "timestamp")  # in this order the first that fits is meant


# ---- what a run says ----


def is_drift(rule: str | None) -> bool:
    """Whether a file was refused because its columns or their types are not those of the contract any more."""
    return str(rule).startswith(DRIFT)


def news(verdict: door.FileVerdict, names: Iterable[str] = ()) -> tuple[list[str], str]:
    """(rules, sentence) of what an accepted file has more or less than the contract; `names`: columns found in rows."""
    found = list(dict.fromkeys([*verdict.warnings, *(f"file:extra_column:{n}" for n in sorted(names))]))
    missing, extra = (
        [w.removeprefix(kind) for w in found if w.startswith(kind)]
        for kind in ("file:missing_column:", "file:extra_column:")
    )
    said = [f"no column {', '.join(missing)}: null"] * bool(missing)
    said += [f"new column {', '.join(extra)}: kept in _extra"] * bool(extra)
    if "renamed?" in verdict.detail:
        said.append(verdict.detail)
    return [w for w in found if not w.startswith("file:header_only")], "; ".join(said)


def summed(said: Iterable[tuple[str, str]]) -> str:
    """(file name, sentence) of many files in one line: each sentence once, with the first file it is true of."""
    files: dict[str, list[str]] = defaultdict(list)
    for name, sentence in said:
        files[sentence].append(name)
    told = [f"{n[0]}{f' and {len(n) - 1} more' if n[1:] else ''}: {sentence}" for sentence, n in files.items()]
    return "; ".join(told[:TOLD]) + (f"; … ({len(files)} in all)" if told[TOLD:] else "")


def shown(value: str, column: Column) -> str:
    """A value as it may be told: cut short; of what may be personal its shape alone."""
    personal = column.classification or any(re.fullmatch(form, value.strip()) for form in _PERSONAL)
    return repr((_shape(value) if personal else value)[:40])


def _shape(value: str) -> str:
    """`Ab-12` as `aa-99`: what is left tells form, not content."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value))


# ---- what the contract should say instead ----


@dataclass(frozen=True)
class Proposal:
    """One way in which received files differ from the contract, and what the contract would say of it.

    `kind` new or renamed: `column` as received, `was` the contract's column that it was renamed from; both can be
    written into the contract. `kind` changed type: a person has to decide, since readers break.
    """

    kind: str  # new | renamed | changed type
    column: str
    text: str
    was: str | None = None
    line: str = ""  # YAML, of a new column


@dataclass(frozen=True)
class _Sample:
    """Some rows of one landed file: the values of each column by its received name; `extra` and `missing` ones."""

    file: str
    extra: list[str]
    missing: list[str]
    values: dict[str, list[str | None]]


def proposals(contract: Contract, folder: Path) -> tuple[list[Proposal], int]:
    """What landed files have that the contract does not say, and how many files were looked at; newest files count."""
    samples = list(_samples(contract, folder))
    if not samples:
        return [], 0
    newest = samples[-1]
    names = list(dict.fromkeys(name for sample in samples for name in sample.extra))
    renamed = _renamed(contract, samples, [n for n in names if n in newest.extra])
    out = []
    for name in names:
        there = [s for s in samples if name in s.extra]
        if name in renamed:
            column = next(c for c in arrivals.received(contract) if c.received_as == renamed[name])
            text = f"{renamed[name]} is gone and {name} has values like its own, first in {there[0].file}: renamed?"
            out.append(Proposal("renamed", name, text, was=column.name))
            continue
        values = [v for s in there for v in s.values[name]]
        always = len(there) == len(samples) and all(values) and bool(values)
        text = f"in {len(there)} of {len(samples)} files looked at, first in {there[0].file}"
        out.append(Proposal("new", name, text, line=_line(contract, name, values, there[0].file, always)))
    return out + _changed_types(contract, samples), len(samples)


def _samples(contract: Contract, folder: Path) -> Iterable[_Sample]:
    """The oldest landed file and the newest ones, by their dates, as far as the door can read them at all."""
    files = landing.newest(landing.landed(contract, folder))
    files.sort(key=lambda f: (f.file_date or date.min, f.arrived_at))
    layout = replace(arrivals.layout(contract), required=())
    for file in [*files[:1], *files[1:][-(SAMPLED_FILES - 1) :]]:
        verdict = door.check_file(str(file.path), layout)
        if not verdict.accepted:
            continue
        batches = door.parse(str(file.path), layout)
        rows = [r for r in islice((r for b in batches for r in b.to_pylist()), SAMPLED_ROWS) if r["_rule"] is None]
        if not rows:
            continue
        extras = [json.loads(row["_extra"] or "{}") for row in rows]
        said = [w.split(":", 2) for w in verdict.warnings]
        extra = [w[2] for w in said if w[1] == "extra_column"]
        extra = list(dict.fromkeys([*extra, *(name for found in extras for name in found)]))
        values = {c: [row[c] for row in rows] for c in layout.columns}
        values |= {name: [_text(found.get(name)) for found in extras] for name in extra}
        yield _Sample(file.name, extra, [w[2] for w in said if w[1] == "missing_column"], values)


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _renamed(contract: Contract, samples: Sequence[_Sample], new: list[str]) -> dict[str, str]:
    """Of new columns those that seem to be missing ones under another name: the likest name first."""
    newest = samples[-1]
    close = {(n, m): SequenceMatcher(None, n, m).ratio() for n in new for m in newest.missing}
    found: dict[str, str] = {}
    for (name, column), ratio in sorted(close.items(), key=lambda pair: -pair[1]):
        before = [v for s in samples if column not in s.missing for v in s.values[column] if v]
        after = [v for v in newest.values[name] if v]
        like = _alike(before, after) if before and after else ratio >= ALIKE
        if like and name not in found and column not in found.values():
            found[name] = column
    return found


def _alike(before: list[str], after: list[str]) -> bool:
    """Whether most values after have a form that values had before: `P12` and `P7` have the same."""
    forms = {re.sub(r"(.)\1+", r"\1", _shape(v)) for v in before}
    return sum(re.sub(r"(.)\1+", r"\1", _shape(v)) in forms for v in after) >= ALIKE * len(after)


def _changed_types(contract: Contract, samples: Sequence[_Sample]) -> list[Proposal]:
    out = []
    newest = samples[-1]
    for column in arrivals.received(contract):
        values = [v for v in newest.values.get(column.received_as, []) if v is not None]
        bad = [v for v in values if column.logical in _FORMS and not _is(column.logical, v)]
        if len(bad) > contract.max_refused_share * len(values):
            told = ", ".join(list(dict.fromkeys(shown(v, column) for v in bad))[:TOLD])
            every = [v for s in samples for v in s.values[column.received_as] if v is not None]
            text = (
                f"{len(bad)} of {len(values)} values in {newest.file} are no {column.logical}, like {told}; "
                f"all values looked at are of the type {guess(column.name, every)}"
            )
            out.append(Proposal("changed type", column.received_as, text, was=column.name))
    return out


def guess(name: str, values: Iterable[str | None]) -> str:
    """The logicalType that all values have. Identifiers are text, and so are digits that start with zeros."""
    seen = {v for v in values if v}
    if not seen or re.search(r"(^|_|-)(id|no|code|sku|phone|mobile)$", snake(name)):
        return "string"
    if any(re.match(r"[+-]?0[0-9]", v) for v in seen if not _is("date", v)):
        return "string"
    return next((kind for kind in _WIDER if all(_is(kind, v) for v in seen)), "string")


def _is(kind: str, value: str) -> bool:
    if not _FORMS[kind].fullmatch(value):
        return False
    try:
        return kind not in ("date", "timestamp") or bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def snake(received: str) -> str:
    """A column's name made of a received one: `unitPrice` is unit_price, 门店 men_dian."""
    from pypinyin import lazy_pinyin  # half a second: only where a column is proposed

    said = "_".join(lazy_pinyin(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", received)))
    said = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")
    return said if said[:1].isalpha() else f"column_{said}".rstrip("_")


def _line(contract: Contract, received: str, values: list[str | None], file: str, always: bool) -> str:
    """The new column as the contract would say it, a TODO for what only a person knows."""
    name = snake(received)
    while name in contract.types:
        name += "_2"
    seen = [v for v in values if v]
    personal = _PERSONAL_NAMES.search(name) or any(re.fullmatch(f, v.strip()) for f in _PERSONAL for v in seen)
    said = [f"name: {name}"]
    said += [f"physicalName: {json.dumps(received, ensure_ascii=False)}"] if name != received else []
    said += [f"logicalType: {guess(received, values)}, physicalType: string"]
    said += ["required: true"] if always else []
    said += ["classification: personal"] if personal else []
    return f'{{{", ".join(said)},\n   description: "TODO: what it is; first seen in {file}"}}'


def amended(contract: Contract, proposed: Sequence[Proposal]) -> str | None:
    """The contract's text with new and renamed columns, in the next minor version; None if there are none.

    ContractError if what comes out cannot be read.
    """
    text = contract.path.read_text(encoding="utf-8")
    new = [p.line for p in proposed if p.kind == "new"]
    renamed = [p for p in proposed if p.kind == "renamed" and p.was]
    if not new and not renamed:
        return None
    for p in renamed:
        text = amend.rename_column(text, str(p.was), contract.column(str(p.was)).received_as, p.column)
    text = amend.raise_minor(amend.add_columns(text, new) if new else text)
    amend.read(text, contract.name)
    return text
