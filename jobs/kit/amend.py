"""Changes to a contract's text in place: comments, order and line breaks of the rest stay as they are.

PyYAML tells where in the text each part stands; what is new is put there. (A round trip through ruamel.yaml would break
the lines of every column anew.) The result is read strictly before it counts.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from jobs.kit.contracts import Contract, ContractError, parse

Edit = tuple[int, int, str]  # from, to, what stands there then


def add_columns(text: str, lines: list[str]) -> str:
    """The text with further columns behind those received so far. Each as YAML, its own lines indented by three."""
    columns = _columns(text)
    last = [c for c in columns if not _custom(c, "derived")][-1]
    rows = text.splitlines(keepends=True)
    at = last.end_mark.line + 1 if last.flow_style else last.end_mark.line
    while not last.flow_style and (not rows[at - 1].strip() or rows[at - 1].lstrip().startswith("#")):
        at -= 1  # a block ends where the next thing starts: comments before that are not its own
    indent = " " * (last.start_mark.column - 2)
    new = [f"{indent}- {line}".replace("\n", f"\n{indent}") + "\n" for line in lines]
    return "".join([*rows[:at], *new, *rows[at:]])


def rename_column(text: str, name: str, was: str, now: str) -> str:
    """The text with the column received under another name: `physicalName` is `now`, `was` is one of its `formerly`."""
    column = next(c for c in _columns(text) if _get(c, "name").value == name)
    edits = []
    said = json.dumps(now, ensure_ascii=False)
    if physical := _get(column, "physicalName"):
        edits.append((physical.start_mark.index, physical.end_mark.index, said))
    else:
        edits.append(_behind(column, _get(column, "name"), f"physicalName: {said}"))
    was = json.dumps(was, ensure_ascii=False)
    item = f"{{property: formerly, value: [{was}]}}"
    custom, formerly = _get(column, "customProperties"), _custom(column, "formerly")
    if formerly:
        edits.append(_first(formerly, was))
    elif custom:
        edits.append(_first(custom, item))
    else:
        last = column.value[-1][1]
        edits.append(_behind(column, last, f"customProperties: [{item}]"))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def raise_minor(text: str) -> str:
    """The text with the next minor version: columns were added, no reader breaks."""
    return re.sub(
        r"(?m)^(version: *['\"]?)(\d+)\.(\d+)\.\d+", lambda m: f"{m[1]}{m[2]}.{int(m[3]) + 1}.0", text, count=1
    )


def read(text: str, name: str) -> Contract:
    """A contract's text as the contract of `<layer>.<table>`. ContractError if it cannot be read."""
    layer, table = name.split(".")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / layer / f"{table}.yaml"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        return parse(path)


# ---- where things stand: PyYAML's nodes ----


def _columns(text: str) -> list[Any]:
    schema = _get(yaml.compose(text, Loader=yaml.SafeLoader), "schema").value[0]
    columns = _get(schema, "properties")
    if columns.flow_style:
        raise ContractError("its columns are written in brackets: write the change by hand")
    return list(columns.value)


def _get(node: Any, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


def _custom(column: Any, name: str) -> Any:
    custom = _get(column, "customProperties")
    return next((_get(p, "value") for p in custom.value if _get(p, "property").value == name), None) if custom else None


def _behind(column: Any, value: Any, new: str) -> Edit:
    """Put a key behind a value of the column."""
    at = value.end_mark.index
    if column.flow_style:
        return at, at, f", {new}"
    return at, at, f"\n{' ' * column.start_mark.column}{new}"


def _first(sequence: Any, new: str) -> Edit:
    """Put an item before the others of a sequence."""
    if sequence.flow_style:
        at = sequence.start_mark.index + 1
        return at, at, f"{new}, " if sequence.value else new
    at = sequence.start_mark.index
    return at, at, f"- {new}\n{' ' * sequence.start_mark.column}"
