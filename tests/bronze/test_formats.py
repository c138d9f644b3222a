"""A contract's `drop` says the format of its files; the door travels to workers without this project."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobs.kit import arrivals, contracts
from jobs.kit.contracts import ContractError, Drop

HEAD = {"folder": "app/events", "name": r"events\.jsonl"}


def contract(tmp_path: Path, drop: dict) -> contracts.Contract:
    """The contract of campaign_list, with another drop."""
    said = yaml.safe_load(contracts.load("bronze.campaign_list").path.read_text())
    (custom,) = [p for p in said["schema"][0]["customProperties"] if p["property"] == "drop"]
    custom["value"] = drop
    path = tmp_path / "bronze/campaign_list.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(said))
    return contracts.parse(path)


def test_csv_is_what_a_contract_means_that_names_no_format(tmp_path: Path) -> None:
    assert contract(tmp_path, HEAD).drop == Drop(**HEAD, format="csv")


@pytest.mark.parametrize("said", [{"format": "jsonl", "encoding": "gb18030"}, {"format": "xlsx", "sheet": "Prices"}])
def test_the_door_is_told_what_the_contract_says(tmp_path: Path, said: dict) -> None:
    layout = arrivals.layout(contract(tmp_path, HEAD | said))
    assert {key: getattr(layout, key) for key in said} == said
    assert layout.required == ("campaign_id", "campaign_type", "start_date", "end_date")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"format": "parquet"}, "drop: format is 'parquet', one of csv, jsonl, xlsx is wanted"),
        ({"format": "xlsx"}, "drop: no sheet"),
        ({"format": "csv", "sheet": "Prices"}, "drop: sheet has no meaning for csv"),
        ({"format": "jsonl", "delimiter": ","}, "drop: delimiter has no meaning for jsonl"),
        ({"encodig": "utf-8"}, "drop: encodig has no meaning for csv"),
        ({"name": None}, "drop: no name"),
    ],
)
def test_what_a_drop_cannot_mean_is_an_error(tmp_path: Path, said: dict, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        contract(tmp_path, HEAD | said)


_WORKER = """
import pickle, sys
sys.modules["jobs"] = None  # so that importing it fails
parse, layout, path = pickle.loads(open(sys.argv[1], "rb").read())
print([row for batch in parse(path, layout) for row in batch.column(0).to_pylist()])
"""


@pytest.mark.parametrize(
    ("said", "content", "read"),
    [
        ({}, b"a,b\n1,2\n3\n", "['1', None]"),
        ({"format": "jsonl"}, b'{"a":"1","b":[2]}\n[3]\n' * 80, str(["1", None] * 80)),
        ({"format": "xlsx", "sheet": "S"}, None, "['1', None]"),
    ],
    ids=["csv", "jsonl", "xlsx"],
)
def test_the_door_travels_with_the_query(tmp_path: Path, said: dict, content: bytes | None, read: str) -> None:
    path = tmp_path / "file"
    if content is None:
        import openpyxl

        book = openpyxl.Workbook()
        book.active.title = "S"
        for row in (["a", "b"], [1, 2], [3, "#N/A"]):
            book.active.append(row)
        book.save(path)
    else:
        path.write_bytes(content)
    layout = arrivals.door.Layout(("a", "b"), **said)
    packed = tmp_path / "query"
    packed.write_bytes(arrivals.cloudpickle.dumps((arrivals.door.parse, layout, str(path))))
    worker = subprocess.run([sys.executable, "-c", _WORKER, packed], capture_output=True, text=True, cwd=tmp_path)
    assert worker.stdout.strip() == read, worker.stderr
