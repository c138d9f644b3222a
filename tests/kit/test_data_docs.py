"""Data Docs are Great Expectations' own pages of what the gate said."""

import json
import re

from jobs.kit import data_docs, gate
from tests.kit.test_gate import contract


def test_a_page_per_table_names_the_failed_rule(monkeypatch, spark, tmp_path):
    check = gate.Check("expect_column_values_to_be_between", {"column": "a", "min_value": 0}, "critical", "No debts.")
    monkeypatch.setattr(gate, "checks", lambda _contract: [check])
    monkeypatch.setattr(gate, "folder", lambda: tmp_path)
    frame = spark.createDataFrame([(1, -5, 1, "x"), (2, 3, 1, "x")], "id int, a int, b int, s string")
    path = gate.save(gate.judge(frame, contract()), "6a2460497284")
    assert json.loads(path.read_text())["meta"]["failures"] == {"be_between(a)": 1}
    folder = data_docs.build()
    page = (folder / "silver.sample.html").read_text()
    assert "silver.sample" in page and "must be greater than or equal to" in page and "Failed" in page
    assert not re.search(r"<link|<script|url\(|<iframe|@import", page), "it asks nobody"
    assert "Nothing of it was published" in page
    index = (folder / "index.html").read_text()
    assert '<tr class="bad"><td><a href="silver.sample.html">' in index
