"""Data Docs: Great Expectations' pages of every table's last gate, made from the saved results."""

import json
from datetime import UTC, datetime
from pathlib import Path

from jobs.kit import gate
from jobs.kit.settings import settings


def build() -> Path:
    """Write one page per table and an index; returns the folder. Seconds, mostly Great Expectations' import."""
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult, RunIdentifier
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    folder = settings().home / "data_docs"
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for path in latest():
        said = json.loads(path.read_text(encoding="utf-8"))
        results = [
            ExpectationValidationResult(
                success=r["success"],
                expectation_config=ExpectationConfiguration(**r["expectation_config"]),
                result=r["result"],
                meta=r["meta"],
            )
            for r in said["results"]
        ]
        done = sum(r["success"] for r in said["results"])
        whole = ExpectationSuiteValidationResult(
            success=said["success"],
            results=results,
            suite_name=said["suite_name"],
            statistics={
                "evaluated_expectations": len(results),
                "successful_expectations": done,
                "unsuccessful_expectations": len(results) - done,
                "success_percent": 100.0 * done / max(len(results), 1),
            },
            meta={
                **said["meta"],
                "run_id": RunIdentifier(
                    # A word before it: Great Expectations tries to read the name as a time, and some ids overflow.
                    run_name=f"run {said['meta']['run_id']}",
                    run_time=datetime.fromtimestamp(path.stat().st_mtime, UTC),
                ),
            },
        )
        page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(whole))
        page = page.replace("</head>", f"<style>{_OFFLINE}</style></head>")
        (folder / f"{said['suite_name']}.html").write_text(page, encoding="utf-8")
        index.append((said, done, len(results)))
    (folder / "index.html").write_text(_index(index), encoding="utf-8")
    return folder


def latest() -> list[Path]:
    """The newest result of every table."""
    tables = sorted(p for p in gate.folder().glob("*") if p.is_dir())
    return [max(t.glob("*.json"), key=lambda p: p.stat().st_mtime_ns) for t in tables]


def _index(rows: list[tuple[dict, int, int]]) -> str:
    lines = [
        f'<tr class="{"ok" if said["success"] else "bad"}"><td><a href="{said["suite_name"]}.html">{said["suite_name"]}'
        f"</a></td><td>{'passed' if said['success'] else 'refused'}</td><td>{done} of {count}</td>"
        f"<td>{said['meta']['rows_in']:,}</td><td>{said['meta']['rows_refused']:,}</td></tr>"
        for said, done, count in rows
    ]
    return _PAGE.replace("{rows}", "".join(lines))


# Great Expectations' pages take their style from the web; without it they are to be readable too.
_OFFLINE = """
  body {font: 15px sans-serif; margin: 1.5em}
  table {border-collapse: collapse} td, th {border: 1px solid #ddd; padding: .3em .8em; text-align: left}
  footer, .newsletter, .alert-dismissible, img {display: none !important}
"""
_PAGE = """<!doctype html><meta charset=utf-8><title>Shoplake: Data Docs</title>
<style>
  body {font: 16px sans-serif; margin: 2em; max-width: 60em}
  td, th {padding: .3em 1em; text-align: left}
  tr.ok td:nth-child(2) {color: #080}
  tr.bad td:nth-child(2) {color: #b00; font-weight: bold}
</style>
<h1>Gates: the last judgement of every table</h1>
<table><tr><th>table<th>gate<th>expectations met<th>rows in<th>rows refused</tr>{rows}</table>
"""
