"""The data dictionary: one page of all tables, made from contracts, expectations and lineage, to be kept open.

A file without a server: tables by layer and subject, found by typing any word of a name, a column or a meaning.
"""

from html import escape
from pathlib import Path

from jobs.kit import gate, lineage
from jobs.kit.contracts import Contract, all_contracts
from jobs.kit.settings import settings

LAYERS = {
    "gold": "Answers and features: what reports and models read.",
    "scoring": "What the champion models say.",
    "silver": "Business nouns, typed, conformed and de-duplicated over all systems.",
    "bronze": "As received: what each system sent, row by row.",
}
GROWTH = {
    "append": "New files add rows; a corrected file replaces its own.",
    "upsert": "Rows are replaced by key when something about them changes.",
    "partition": "Days that something changed in are built anew, the others stay.",
    "history": "A row per period in which a key had the same values; the open one has no end.",
    "snapshot": "Built whole each time.",
}


def build() -> Path:
    """Write the page; returns its path."""
    path = settings().home / "dictionary.html"
    path.write_text(page(all_contracts()), encoding="utf-8")
    return path


def page(contracts: list[Contract]) -> str:
    """The page as HTML."""
    parts, menu = [], []
    for layer, about in LAYERS.items():
        tables = sorted((c for c in contracts if c.layer == layer), key=lambda c: (c.domain, c.table))
        menu.append(f"<h3>{layer}</h3>" + "".join(_link(c) for c in tables))
        parts.append(f"<h2 class=layer>{layer}</h2><p class=about>{escape(about)}</p>" + "".join(map(_table, tables)))
    return _PAGE.format(menu="".join(menu), tables="".join(parts), count=len(contracts))


def _link(contract: Contract) -> str:
    return f'<a href="#{contract.name}" data-table="{contract.name}">{escape(contract.table)}</a>'


def _table(contract: Contract) -> str:
    per_day = lineage.signature(contract.name)[1]
    grows = "Kept for every day that was asked for (as_of_date)." if per_day else GROWTH[contract.growth]
    facts = {
        "one row": contract.grain.removeprefix("one row "),
        "grows": grows,
        "owner": contract.owner,
        "made of": _names(lineage.inputs(contract.name)) or f"files of {escape(str(contract.source))}",
        "read by": _names(lineage.readers(contract.name)) or "nothing here",
        "mind": escape(contract.limitations),
    }
    rows = "".join(
        f"<dt>{k}</dt><dd>{v if k in ('made of', 'read by', 'mind') else escape(v)}</dd>" for k, v in facts.items() if v
    )
    columns = "".join(_column(contract, c.name) for c in contract.columns)
    rules = "".join(
        f"<li><b>{escape(c.rule)}</b> {'stops the table' if c.severity == 'critical' else 'sets rows aside'}. "
        f"{escape(c.why)}</li>"
        for c in gate.checks(contract)
        if c.type != "expect_column_values_to_not_be_null" or c.why != "The contract requires it."
    )
    return (
        f'<section id="{contract.name}"><h2>{escape(contract.name)} <small>{escape(contract.domain)}</small></h2>'
        f"<p>{escape(contract.purpose)}</p><dl>{rows}</dl>"
        f"<table><tr><th>column<th>type<th>meaning</tr>{columns}</table>"
        f"<details><summary>What its gate asks</summary><ul>{rules}</ul></details></section>"
    )


def _column(contract: Contract, name: str) -> str:
    column = contract.column(name)
    unit = settings().currency if column.unit == "business_currency" else column.unit
    said = ("key" if name in contract.keys else "", unit, column.classification)
    marks = "".join(f"<i>{escape(mark)}</i>" for mark in said if mark)
    type_ = escape(column.type) + ("" if column.required else " <span title='may be empty'>?</span>")
    return f"<tr><td><code>{name}</code>{marks}<td>{type_}<td>{escape(column.description)}</tr>"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f'<a href="#{n}">{n}</a>' if not n.startswith("models.") else n for n in names)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Data dictionary</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{{--ink:#1d2733;--soft:#5b6775;--line:#d8dee6;--mark:#e8f1fa;--link:#0b5cad}}
body{{font:15px/1.5 system-ui,sans-serif;margin:0;color:var(--ink);display:grid;grid-template-columns:17rem 1fr}}
nav{{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem;box-sizing:border-box;
border-right:1px solid var(--line)}}
nav a{{display:block;color:var(--link);text-decoration:none;padding:.08rem 0}}
nav h3{{margin:1rem 0 .2rem;font-size:.8rem;text-transform:uppercase;letter-spacing:.06em;color:var(--soft)}}
input{{width:100%;box-sizing:border-box;font:inherit;padding:.45rem .6rem;border-radius:.3rem;
border:1px solid var(--line)}}
main{{padding:1rem 2.5rem 40vh;max-width:64rem;min-width:0}}
section{{border-top:1px solid var(--line);padding:.6rem 0 1.4rem}}h2{{margin:.4rem 0}}
h2 small{{color:var(--soft);font-weight:400}}
h2.layer{{margin-top:2.2rem;text-transform:capitalize}}.about{{color:var(--soft);margin-top:0}}
dl{{display:grid;grid-template-columns:5.5rem 1fr;gap:.1rem .8rem}}dt{{color:var(--soft)}}dd{{margin:0}}
table{{border-collapse:collapse;width:100%;margin:.6rem 0}}
td,th{{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line)}}
td:nth-child(1){{width:17rem}}td:nth-child(2){{width:8.5rem;color:var(--soft)}}
td i{{font-style:normal;font-size:.75rem;background:var(--mark);border-radius:.6rem;
padding:.05rem .5rem;margin-left:.4rem}}
a{{color:var(--link)}}summary{{cursor:pointer;color:var(--link)}}code{{font-size:.92em}}.gone{{display:none}}
</style>
<nav><input id="find" type="search" placeholder="a table, a column, a word" autofocus>
<p id="count">{count} tables</p>{menu}</nav>
<main><h1>Data dictionary</h1><p>Every table of the lake, from its contract. <b>?</b> after a type: the column may be
empty. Times are UTC (<code>…_at</code>), dates are business dates (<code>…_date</code>), money is exact to the cent in
the business currency. A column name means the same in every table.</p>{tables}</main>
<script>
const find = document.getElementById("find"), tables = [...document.querySelectorAll("section")];
find.addEventListener("input", () => {{
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let left = 0;
  for (const table of tables) {{
    const here = words.every(word => table.textContent.toLowerCase().includes(word));
    table.classList.toggle("gone", !here);
    document.querySelector(`nav a[data-table="${{table.id}}"]`).classList.toggle("gone", !here);
    left += here;
  }}
  document.getElementById("count").textContent = `${{left}} of ${{tables.length}} tables`;
}});
</script></html>
"""
