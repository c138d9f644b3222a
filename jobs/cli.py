"""The `shoplake` command: everything that a DAG does, without Airflow. Heavy libraries are imported only when needed.

Exit codes: 0 done (or nothing to do) · 1 an error, try again after reading it · 2 wrong words on the command line ·
3 a gate refused the candidate: the last good version stays, a retry would not help · 4 an input was never delivered ·
130 stopped by Ctrl-C.
"""

import json
import sys
import time
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.kit import lineage

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False, help=__doc__)
quarantine_app = typer.Typer(no_args_is_help=True, help="Look at refused rows; replay them after the repair.")
contract_app = typer.Typer(no_args_is_help=True, help="Contracts: read them all strictly; show one.")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(contract_app, name="contract")
out = Console()
err = Console(stderr=True)

GATE_REFUSED, WAITING = 3, 4
RESULT = "SHOPLAKE_RESULT"  # the line that Airflow's tasks read


def _date(text: str) -> date:
    return date.fromisoformat(text)


AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=_date,
        metavar="YYYY-MM-DD",
        help="The business day known to the run; default: the last one run.",
    ),
]
Days = Annotated[
    list[date] | None,
    typer.Option(
        "--as-of",
        parser=_date,
        metavar="YYYY-MM-DD",
        help="The business day known to the run; default: the last one run. Several, one after another: say it again.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for scripts.")]


def default_as_of() -> date:
    """The latest as_of that was run, else today: repeating a run without words asks for the same day."""
    from jobs.kit import lake

    runs = lake.read_ops("runs")
    if runs is None:
        return datetime.now().astimezone().date()
    import pyarrow.compute as pc

    return pc.max(runs["as_of"]).as_py()


@app.command()
def run(
    tables: Annotated[list[str] | None, typer.Argument(help="silver.orders, or orders; several in any order.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every table and model, in order.")] = False,
    downstream: Annotated[bool, typer.Option(help="Also everything that hangs on the named tables.")] = False,
    full: Annotated[bool, typer.Option(help="Build everything again, not just what is new.")] = False,
    as_of: Days = None,
) -> None:
    """Bring tables up to date: read → build → gate → publish.

    Only what changed is built again; with nothing new, nothing is touched. `shoplake run silver.orders --as-of
    2017-06-01`, `shoplake run --all`.
    """
    if all_ == bool(tables):
        raise typer.BadParameter("name tables, or say --all (one of the two)")
    names = set(lineage.nodes()) if all_ else {lineage.full_name(t) for t in tables or []}
    if downstream:
        names |= {d for n in names for d in lineage.downstream(n)}
    for day in sorted(set(as_of or [default_as_of()])):
        stopped = set[str]()
        for name in [n for n in lineage.order() if n in names]:
            if because := stopped & set(lineage.inputs(name)):
                stopped.add(name)
                out.print(f"[yellow]–[/] {name:<30} not run: {', '.join(sorted(because))} was refused")
            elif not _run_one(name, day, full):
                stopped.add(name)
        if stopped:
            raise typer.Exit(GATE_REFUSED)


def _run_one(name: str, day: date, full: bool) -> bool:
    """Run one node and print what happened; False if its gate refused it."""
    if name.startswith("models."):
        return _train_one(name, day)
    from jobs.kit.run import run as run_table

    results = run_table(name, day, full=full)
    for result in results:
        mark = {"published": "[green]✓[/]", "nothing new": "[dim]·[/]", "refused": "[red]✗[/]"}[result.verdict]
        out.print(
            f"{mark} {name:<26} {result.verdict:<11} in {result.rows_in:>9,}  out {result.rows_out:>9,}  "
            f"refused {result.rows_refused:>7,}  {result.seconds:6.1f} s  {result.scope}",
            highlight=False,
            soft_wrap=True,
        )
        for rule, count in result.rules.items():
            out.print(f"    {rule}: {count:,}", highlight=False)
        if not result.ok:
            _explain_refusal(name, result)
    print(f"{RESULT} {json.dumps(_summary(results, day), default=str)}", flush=True)  # noqa: T201 (a line for machines)
    return all(r.ok for r in results)


def _summary(results: list[Any], day: date) -> dict[str, Any]:
    return {
        "table": results[0].table,
        "as_of": day,
        "verdict": "refused" if any(not r.ok for r in results) else results[-1].verdict,
        "rows_in": sum(r.rows_in for r in results),
        "rows_out": sum(r.rows_out for r in results),
        "rows_refused": sum(r.rows_refused for r in results),
        "seconds": results[-1].seconds,
        "version": results[-1].version,
    }


def _explain_refusal(name: str, result: Any) -> None:
    from jobs.kit import data_docs

    page = data_docs.build()
    out.print(
        f"  [red]The gate held.[/] {name} stays at version {result.version}; readers see the last good rows.\n"
        f"  Look:   shoplake quarantine show {name}   (failing rows: {result.note})\n"
        f"  Page:   {page / (name + '.html')}\n"
        f"  Repair the source, then: shoplake quarantine replay {name}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def train(
    models: Annotated[list[str] | None, typer.Argument(help="churn, segments, product_rules; default: all.")] = None,
    as_of: AsOf = None,
) -> None:
    """Train, compare with baseline and present champion on a later window, register in MLflow, promote if better."""
    names = [lineage.full_name(m) for m in models or []] or [n for n in lineage.order() if n.startswith("models.")]
    day = as_of or default_as_of()
    for name in names:
        _train_one(name, day)


def _train_one(name: str, day: date) -> bool:
    from jobs.kit import training

    result = training.run(name, day)
    out.print(f"[green]✓[/] {name:<30} {result.text}", highlight=False, soft_wrap=True)
    print(f"{RESULT} {json.dumps(result.summary(), default=str)}", flush=True)  # noqa: T201
    return True


@app.command("list")
def list_(as_json: Json = False) -> None:
    """All tables and models: grain, growth, published version, rows of the last run."""
    from jobs.kit import lake
    from jobs.kit.contracts import load

    rows: list[dict[str, Any]] = []
    for name in lineage.order():
        if name.startswith("models."):
            rows.append({"table": name, "growth": "", "version": None, "grain": "a model (shoplake train)"})
            continue
        contract = load(name)
        rows.append({"table": name, "growth": contract.growth, "version": lake.version(name), "grain": contract.grain})
    if as_json:
        print(json.dumps(rows))  # noqa: T201
        return
    table = Table("table", "growth", "version", "grain")
    for row in rows:
        table.add_row(row["table"], row["growth"], "–" if row["version"] is None else str(row["version"]), row["grain"])
    out.print(table)


@app.command()
def explain(table: Annotated[str, typer.Argument(help="silver.orders, or orders")]) -> None:
    """One table: grain, columns, where it comes from, what hangs on it, its gate, its last runs."""
    from jobs.kit import gate, lake
    from jobs.kit.contracts import load

    name = lineage.full_name(table)
    if name.startswith("models."):
        out.print(
            f"[bold]{name}[/]  reads {', '.join(lineage.inputs(name))}; read by {', '.join(lineage.readers(name))}"
        )
        return
    contract = load(name)
    out.print(f"[bold]{name}[/]  {contract.grain}\n{contract.purpose}\n")
    out.print(f"made of     {', '.join(lineage.inputs(name)) or 'source ' + str(contract.source)}")
    out.print(f"all above   {', '.join(lineage.upstream(name)) or '–'}")
    out.print(f"read by     {', '.join(lineage.readers(name)) or '–'}")
    scope = f" by {', '.join(contract.scope_keys)}" if contract.scope_keys else ""
    out.print(f"growth      {contract.growth}{scope}   owner {contract.owner}   version {lake.version(name)}\n")
    columns = Table("column", "type", "", "meaning")
    for c in contract.columns:
        marks = ["key"] * (c.name in contract.keys) + ["required"] * c.required + [c.unit] * bool(c.unit)
        columns.add_row(c.name, c.type, ", ".join(map(str, marks)), c.description)
    out.print(columns)
    rules = Table("rule", "severity", "may refuse", "why")
    for check in gate.checks(contract):
        rules.add_row(check.rule, check.severity, f"{check.max_refused_share:.1%}", check.why)
    out.print(rules)
    runs = lake.read_ops("runs")
    if runs is not None:
        last = Table("finished", "as of", "verdict", "in", "out", "refused", "s", "scope")
        mine = [r for r in runs.to_pylist() if r["table"] == name]
        for r in sorted(mine, key=lambda r: r["finished_at"])[-5:]:
            cells = [r[k] for k in ("as_of", "verdict", "rows_in", "rows_out", "rows_refused", "seconds", "scope")]
            last.add_row(f"{r['finished_at']:%Y-%m-%d %H:%M:%S}", *map(str, cells))
        out.print(last)


@quarantine_app.command("show")
def quarantine_show(
    table: Annotated[str | None, typer.Argument(help="A table; default: how many rows each table refused.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show.")] = 20,
) -> None:
    """Refused rows: their rules, source file, row number and content."""
    from jobs.kit import quarantine

    if table is None:
        summary = Table("table", "rule", "rows")
        for name, rule, count in quarantine.summary():
            summary.add_row(name, rule, f"{count:,}")
        out.print(summary if summary.row_count else "Nothing is in quarantine.")
        return
    name = lineage.full_name(table)
    total, rows = quarantine.show(name, limit)
    for r in rows:
        where = ":".join(str(r[k]) for k in ("source_file", "row_number") if r[k] is not None)
        out.print(f"[bold]{escape(', '.join(r['rules']))}[/]  {escape(where)}", highlight=False, soft_wrap=True)
        out.print(f"    {escape(r['row'] or '')}", highlight=False, soft_wrap=True)
    if not total:
        out.print(f"Nothing of {name} is in quarantine.")
    if total > limit:
        out.print(f"… {total - limit:,} more: --limit {total}")


@quarantine_app.command("replay")
def quarantine_replay(
    table: Annotated[str, typer.Argument(help="The table whose gate refused rows.")],
    as_of: AsOf = None,
) -> None:
    """After the repair: judge again what was refused, and run what hangs on it.

    Repair is a corrected file under the same name in the drop folder (it replaces the first), or a mended contract,
    expectation or rule. Rows that pass now leave the quarantine and go where they belong; the rest stays.
    """
    name = lineage.full_name(table)
    day = as_of or default_as_of()
    bronze = [n for n in (*lineage.upstream(name), name) if n.startswith("bronze.")]
    rest = [n for n in lineage.order() if not n.startswith(("bronze.", "models.", "scoring."))]
    wanted = {d for b in bronze for d in lineage.downstream(b)}
    ok = all([_run_one(b, day, full=False) for b in bronze])
    for other in [n for n in rest if n in wanted]:
        if not (ok := ok and _run_one(other, day, full=False)):
            raise typer.Exit(GATE_REFUSED)


@contract_app.command("lint")
def contract_lint() -> None:
    """Read every contract, expectation and signature strictly; every problem at once."""
    from jobs.kit import gate
    from jobs.kit.contracts import ContractError, all_contracts

    problems = []
    try:
        lineage.order()
    except lineage.LineageError as error:
        problems.append(str(error))
    for path in sorted(
        p for layer in lineage.LAYERS if layer != "models" for p in (lineage.JOBS / layer).glob("*.yaml")
    ):
        try:
            from jobs.kit.contracts import parse

            gate.checks(parse(path))
        except ContractError as error:
            problems.append(str(error))
    for problem in problems:
        err.print(problem, highlight=False)
    if problems:
        raise typer.Exit(1)
    out.print(f"{len(all_contracts())} contracts, all well")


@app.command()
def docs() -> None:
    """Make the Data Docs pages (Great Expectations) from the last gate of every table; print where they are."""
    from jobs.kit import data_docs

    out.print(str(data_docs.build() / "index.html"))


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="SQL over layer.table names: SELECT … FROM gold.sales_daily")],
) -> None:
    """Ask the lake on the engine; tables by their names."""
    from jobs.kit import query as q

    frame = q.ask(query)
    table = Table(*frame.columns)
    for row in frame.itertuples(index=False):
        table.add_row(*[str(v) for v in row])
    out.print(table)


class Kind(StrEnum):
    """What `shoplake new` can scaffold."""

    source = "source"
    silver = "silver"
    gold = "gold"
    scoring = "scoring"


@app.command()
def new(
    kind: Annotated[Kind, typer.Argument(help="source: a bronze table of a source system; or the layer of a table.")],
    name: Annotated[str, typer.Argument(help="The table's bare name, unique over all layers: loyalty_points")],
    inputs: Annotated[
        list[str] | None, typer.Option("--from", help="Upstream tables, for silver, gold, scoring.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="The source system, for a source: erp")] = None,
) -> None:
    """Write the files of a new table, ready to fill in: module, contract, expectations, test."""
    from jobs.kit import scaffold

    for path in scaffold.new(kind.value, name, inputs or [], system):
        out.print(f"wrote {path}")
    out.print("Fill in what says TODO, then: shoplake contract lint && shoplake run " + name)


@app.command()
def doctor() -> None:
    """Find what is wrong with this machine or lake, and say the fix."""
    from jobs.kit import doctor as d

    bad = 0
    for check in d.examine():
        bad += not check.ok
        out.print(f"{'[green]✓[/]' if check.ok else '[red]✗[/]'} {check.what}: {check.found}", highlight=False)
        if not check.ok:
            out.print(f"    {check.fix}", highlight=False)
    raise typer.Exit(1 if bad else 0)


@app.command()
def demo(
    data: Annotated[
        str, typer.Option(help="Complete Journey: slice (default), full (20.9 million rows), tiny · or retailer")
    ] = "slice",
    break_: Annotated[bool, typer.Option("--break", help="Then let a bad day in and see the gate hold.")] = False,
    airflow: Annotated[
        bool, typer.Option(help="Let Airflow's scheduler run the DAGs; --no-airflow runs the jobs here.")
    ] = True,
) -> None:
    """The whole of it on real data: services, DAGs, tables, models, scores. `make demo` installs first."""
    from jobs.demo.datasets import DATASETS
    from jobs.demo.run import demo as run_demo

    if data not in DATASETS:
        raise typer.BadParameter(f"{data!r} is none of {', '.join(DATASETS)}", param_hint="--data")
    raise typer.Exit(run_demo(data, break_day=break_, airflow=airflow))


@app.command()
def scoreboard(
    as_json: Json = False,
    write: Annotated[Path | None, typer.Option(help="Also as Markdown into this file, say BENCHMARKS.md")] = None,
) -> None:
    """How good the models are, beside their baselines and, where the truth is known, the best that it allows."""
    from jobs.demo import scoreboard as board
    from jobs.demo import show
    from jobs.demo.datasets import DATASETS
    from jobs.kit.settings import settings

    conf = settings()
    found = board.scores(conf)
    if as_json:
        print(board.as_json(found))  # noqa: T201 (for machines)
        return
    if not found:
        out.print("Nothing is scored yet: shoplake run --all, or make demo.")
        raise typer.Exit(1)
    title = DATASETS[conf.data].title if conf.data in DATASETS else f"The lake {conf.lake}"
    show.scoreboard(out, title, board.HEADINGS, map(board.cells, found))
    out.print(f"As a page: {board.write_page(conf, found, title).as_uri()}", highlight=False, soft_wrap=True)
    if write:
        write.write_text(board.as_markdown(found, title, f"shoplake scoreboard --write {write.name}"), encoding="utf-8")


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="Where to write: drop/ and truth/ in it")],
    sf: Annotated[float, typer.Option(help="Scale factor; 1 is 500 stores, 100,000 members, 5 GB", min=0.001)] = 0.01,
    seed: Annotated[int, typer.Option(help="Another seed is another retailer; the same gives the same bytes")] = 1,
) -> None:
    """Write what the systems of a simulated retailer would send over two years, and apart from it the truth.

    All data are simulated: see docs/retailer.md.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from jobs.demo import retailer
    from jobs.demo.retailer.world import Scale

    start = time.monotonic()
    columns = TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        made = retailer.write(
            folder / "drop",
            folder / "truth",
            Scale(sf, seed),
            lambda what, done, steps: bar.update(task, description=what, completed=done, total=steps),
        )
    took = time.monotonic() - start
    out.print(
        f"{made.files:,} files in {folder / 'drop'}, {made.changed:,} new or changed, {took:.0f} s. The truth: ", end=""
    )
    out.print(str(folder / "truth"), highlight=False)


@app.command()
def up(
    components: Annotated[list[str] | None, typer.Argument(help="postgres engine mlflow airflow; default: all")] = None,
) -> None:
    """Start the services that are not running."""
    from jobs.kit import services
    from jobs.kit.settings import settings

    services.up(settings(), components or services.COMPONENTS, say=out.print)
    status()


@app.command()
def down() -> None:
    """Stop what was started here, and only that."""
    from jobs.kit import services
    from jobs.kit.settings import settings

    stopped = services.down(settings(), say=out.print)
    out.print(f"stopped {', '.join(stopped)}" if stopped else "Nothing of ours was running.")


@app.command()
def status() -> None:
    """What runs: address and log-in of each service."""
    from jobs.kit import services
    from jobs.kit.settings import settings

    table = Table("service", "address", "log-in", "pid", "log")
    for s in services.status(settings()):
        table.add_row(s.name, s.address, s.login, str(s.pid), str(s.log))
    out.print(table if table.row_count else "Nothing of ours is running: shoplake up")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def airflow(context: typer.Context) -> None:
    """Any `airflow` command on this lake's Airflow: shoplake airflow backfill create --dag-id ingest_pos …"""
    import os

    from jobs.kit import services
    from jobs.kit.settings import settings

    binary = services.airflow_binary()
    os.execve(binary, [str(binary), *context.args], services.airflow_environment(settings()))


@app.command()
def overhead(
    table: Annotated[str, typer.Argument(help="A small table, published before")] = "silver.calendar",
    times: Annotated[int, typer.Option(help="Runs of each kind")] = 5,
) -> None:
    """Measure a task's fixed cost: what a run costs beyond its work, as whole processes."""
    from jobs.kit import overhead as o

    shown = Table("what", "median s", "min", "max")
    for what, seconds in o.measure(lineage.full_name(table), times):
        ordered = sorted(seconds)
        shown.add_row(what, f"{ordered[len(ordered) // 2]:.2f}", f"{ordered[0]:.2f}", f"{ordered[-1]:.2f}")
    out.print(shown)


def main() -> None:
    """Entry point: known errors are one sentence, not a traceback."""
    from jobs.kit.contracts import ContractError

    start = time.monotonic()
    try:
        app()
    except (ContractError, lineage.LineageError) as error:
        err.print(f"[red]{error}[/]", highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print(f"Stopped after {time.monotonic() - start:.0f} s. The same command goes on from here.")
        sys.exit(130)
    except Exception as error:
        known = {"NotStarted": 1, "NotThereError": WAITING, "NotEnoughError": WAITING, "ModelContractError": 2}
        code = next((known[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in known), None)
        said = str(error)
        if code is None and "No space left on device" in said:  # of Python, DuckDB, delta-rs or Spark
            from jobs.kit.settings import settings

            code = 1
            said = f"The disk is full. Free some under {settings().home}; the same command goes on from here."
        if code is None:
            raise
        err.print(f"[red]{said}[/]", highlight=False)
        sys.exit(code)


if __name__ == "__main__":
    main()
