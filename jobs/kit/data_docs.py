"""Data Docs: Great Expectations' pages of every table's last gate, made from the saved results."""

import json
import re
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
        page = _FROM_ELSEWHERE.sub("", page).replace("</head>", f"<style>{_STYLE}</style></head>")
        page = page.replace(
            '<div class="container-fluid', f'{_TOP.format(what=_told(said))}<div class="container-fluid', 1
        )
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


def _told(said: dict) -> str:
    """What became of the rows, in a sentence."""
    meta = said["meta"]
    kept = meta["rows_in"] - meta["rows_refused"]
    what = f"{kept:,} of {meta['rows_in']:,} rows published" if said["success"] else "Nothing of it was published"
    rest = f"; {meta['rows_refused']:,} refused: shoplake quarantine show {said['suite_name']}"
    return what + (rest if meta["rows_refused"] else "") + "."


# Great Expectations' pages take style, scripts and a logo from the web. Ours ask nobody: a lake's pages are read
# without a network too, and whoever serves those files need not know that there is a lake.
_FROM_ELSEWHERE = re.compile(r"<(link|img)\b[^>]*>|<script\b.*?</script>|url\([^)]*\)", re.S)
_TOP = '<p class="shoplake"><a href="index.html">All tables</a> · {what}</p>'
_STYLE = """
  body {font: 15px system-ui, sans-serif; margin: 1.5em auto; max-width: 75em; padding: 0 1em; color: #1d2733}
  table {border-collapse: collapse; margin: .5em 0 1.5em; width: 100%}
  td, th {border-bottom: 1px solid #d8dee6; padding: .4em .8em; text-align: left; vertical-align: top}
  .shoplake {background: #f1f4f8; padding: .6em 1em; border-radius: .3em}
  .badge {background: #e6ebf2; border-radius: .3em; padding: 0 .3em}
  .fa-check-circle::before {content: "✓"; color: #080}
  .fa-times::before {content: "✗"; color: #b00} .fa-exclamation-triangle::before {content: "!"; color: #b60}
  ul {list-style: none; padding-left: 0} .collapse {display: block}
  nav, footer, .newsletter, .alert-dismissible, .navigation-pane, #action-card-container, img, button, .btn
  {display: none !important}
"""
_PAGE = """<!doctype html><meta charset=utf-8><title>Shoplake: Data Docs</title>
<style>
  body {font: 16px sans-serif; margin: 2em; max-width: 60em}
  td, th {padding: .3em 1em; text-align: left}
  tr.ok td:nth-child(2) {color: #080}
  tr.bad td:nth-child(2) {color: #b00; font-weight: bold}
</style>
<h1>Gates: the last judgement of every table</h1>
<table><tr><th>table<th>gate<th>expectations met<th>rows in<th>rows refused by it</tr>{rows}</table>
<p>What the door refuses of received files comes to no gate. All of it: <code>shoplake quarantine show</code>.</p>
"""
