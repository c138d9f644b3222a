"""The `shoplake` command: everything that a DAG does, without Airflow. Heavy libraries are imported only when needed.

Exit codes: 0 done (or nothing to do) · 1 an error, try again after reading it · 2 wrong words on the command line ·
3 a gate refused the candidate: the last good version stays, a retry would not help · 4 an input was never delivered ·
130 stopped by Ctrl-C.
"""

import json
import re
import sys
import time
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from jobs.kit import lineage

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False, help=__doc__)
quarantine_app = typer.Typer(no_args_is_help=True, help="Look at refused rows; replay them after the repair.")
contract_app = typer.Typer(no_args_is_help=True, help="Contracts: read them all strictly; see what changed.")
vault_app = typer.Typer(no_args_is_help=True, help="The vault: what names a person, by token; its key.")
identity_app = typer.Typer(no_args_is_help=True, help="Customers: who was merged, split, founded anew.")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(identity_app, name="identity")
app.add_typer(vault_app, name="vault")
app.add_typer(contract_app, name="contract")
out = Console()
err = Console(stderr=True)

GATE_REFUSED, WAITING = 3, 4


def _print_json(said: Any) -> None:
    """One JSON document for scripts; days, amounts and paths as texts."""
    print(json.dumps(said, default=str, ensure_ascii=False))  # noqa: T201


RESULT = "SHOPLAKE_RESULT"  # the line that Airflow's tasks read


def _for_a_person() -> bool:
    """Whether a terminal shows what is said; Airflow's tasks and scripts read it out of a pipe."""
    return sys.stdout.isatty()


def _for_machines(said: Any) -> None:
    """What a run did, as the line of JSON that Airflow's tasks read; a person has read it in words."""
    if not _for_a_person():
        print(f"{RESULT} {json.dumps(said, default=str)}", flush=True)  # noqa: T201


def _date(text: str) -> date:
    return date.fromisoformat(text)


AsOf = Annotated[
    date | None,
    typer.Option(
        "--as-of",
        parser=_date,
        metavar="YYYY-MM-DD",
        help="The business day known to the run; default: the latest one run, not today.",
    ),
]
Days = Annotated[
    list[date] | None,
    typer.Option(
        "--as-of",
        parser=_date,
        metavar="YYYY-MM-DD",
        help="The business day known to the run; default: the latest one run, not today. "
        "Several, one after another: say it again.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for scripts.")]


def default_as_of() -> date:
    """The latest as_of that was run, else today: repeating a run without words asks for the same day."""
    from jobs.kit import lake

    runs = lake.read_ops("runs")
    if runs is None:
        from jobs.kit.settings import settings

        return datetime.now(settings().zone).date()
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
    if not as_of:
        as_of = [default_as_of()]
        out.print(
            f"[dim]as of {as_of[0]} (without --as-of: the latest day that was run, else today)[/]", soft_wrap=True
        )
    told = _for_a_person() and not all_
    for day in sorted(set(as_of)):
        stopped = set[str]()
        before = _versions(names) if told else {}
        for name in [n for n in lineage.order() if n in names]:
            if because := stopped & set(lineage.inputs(name)):
                stopped.add(name)
                out.print(f"[yellow]–[/] {name:<30} not run: {', '.join(sorted(because))} was refused")
            elif not _run_one(name, day, full):
                stopped.add(name)
        if told:
            _tell_who_reads({n for n, version in _versions(names).items() if version != before[n]}, names, day)
        if stopped:
            raise typer.Exit(GATE_REFUSED)
    for name in sorted(names) if not all_ else []:
        _tell_how_it_comes(name)
    if len(names) > 1:  # of one table, whoever ran it knows when the others are done
        from jobs.kit import extract as dashboards_file

        dashboards_file.refresh_if_used()


def _versions(names: set[str]) -> dict[str, int | None]:
    """Which version of each table is published."""
    from jobs.kit import lake

    return {n: lake.version(n) for n in names if not n.startswith("models.")}


def _tell_who_reads(published: set[str], ran: set[str], day: date) -> None:
    """Of tables that have new rows as of this day: who is made of them and was not run."""
    stale = [n for n in lineage.order() if n not in ran and published & set(lineage.inputs(n))]
    if stale:
        several = f" and {len(stale) - 5} more" if len(stale) > 5 else ""
        bare = " ".join(sorted(published))
        out.print(
            f"[dim]Not built anew, though made of it: {', '.join(stale[:5])}{several}. With all that hangs on it: "
            f"shoplake run --downstream {bare} --as-of {day}[/]",
            highlight=False,
            soft_wrap=True,
        )


def _tell_how_it_comes(name: str) -> None:
    """Of a table of bronze for which nothing ever came: where it is looked for."""
    from jobs.kit.contracts import load
    from jobs.kit.settings import settings
    from jobs.landing import files

    contract = load(name) if name.startswith("bronze.") else None
    if contract is None or contract.drop is None or contract.source in settings().sources:
        return
    if not files.landed(contract, settings().landing):
        out.print(
            f"{name}: nothing ever came. Drop files into {settings().drop / contract.drop.folder}, or say where to "
            f"ask: SHOPLAKE_SOURCES__{str(contract.source).upper()}=postgresql://… (docs/sources.md)",
            highlight=False,
            soft_wrap=True,
        )


def _run_one(name: str, day: date, full: bool) -> bool:
    """Run one node and print what happened; False if its gate refused it."""
    if name.startswith("models."):
        return _train_one(name, day)
    from jobs.kit.run import run as run_table

    return _tell(name, day, run_table(name, day, full=full))


def _tell(name: str, day: date, results: list[Any]) -> bool:
    """Print what a run did; False if its gate refused it."""
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
        elif result.note:
            out.print(f"    {escape(result.note)}", highlight=False, soft_wrap=True)
    _for_machines(_summary(results, day))
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
        "note": "; ".join(r.note for r in results if r.note),
    }


def _explain_refusal(name: str, result: Any) -> None:
    from jobs.kit import data_docs, gate
    from jobs.kit.contracts import load

    if name.startswith("bronze.") and any(rule.startswith("file:") for rule in result.rules):
        look = f"shoplake quarantine show {name}"
        out.print(f"  [red]Stopped.[/] {escape(result.note)}\n  Look: {look}", highlight=False, soft_wrap=True)
        return
    page = data_docs.build()
    out.print(
        f"  [red]The gate held.[/] {name} stays at version {result.version}; readers see the last good rows.\n"
        + "".join(f"  {escape(hint)}\n" for hint in gate.hints(load(name), result.rules))
        + f"  Look:   shoplake quarantine show {name}   (failing rows: {result.note})\n"
        f"  Page:   {page / (name + '.html')}\n"
        f"  Repair the source, then: shoplake quarantine replay {name}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def stream(
    source: Annotated[str, typer.Argument(help="A source whose address is kafka://…: app")],
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks")] = 30,
    as_of: AsOf = None,
) -> None:
    """Keep draining a source's topics into bronze until Ctrl-C; a look that finds nothing new does not touch Spark.

    Ended or killed at any moment, the next run of the same tables goes on.
    """
    from jobs.kit.run import run as run_table
    from jobs.kit.settings import settings
    from jobs.landing.pulls import PullError

    if source not in settings().sources:
        raise typer.BadParameter(f"{source} has no address: set SHOPLAKE_SOURCES__{source.upper()}=kafka://…")
    while True:
        begun = time.monotonic()
        day = as_of or datetime.now(settings().zone).date()
        for name in lineage.sources()[source]:
            try:
                results = run_table(name, day)
            except PullError as error:  # a broker that is away comes back
                err.print(f"[red]{error}[/]", highlight=False)
                break
            if any(result.verdict != "nothing new" for result in results):
                _tell(name, day, results)
        time.sleep(max(0.0, every - (time.monotonic() - begun)))


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
    _for_machines(result.summary())
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
def explain(
    table: Annotated[str, typer.Argument(help="silver.orders, or orders")],
    columns: Annotated[
        bool, typer.Option("--columns", help="Only: what each column is made of, and what is made of it (asks Spark).")
    ] = False,
    as_json: Json = False,
) -> None:
    """One table: grain, columns, where it comes from, what hangs on it, its gate, its last runs."""
    if columns:
        _explain_columns(lineage.full_name(table), as_json)
        return
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
    made_of = [n + " (optional)" * (n.split(".")[1] in contract.optional) for n in lineage.inputs(name)]
    out.print(f"made of     {', '.join(made_of) or 'source ' + str(contract.source)}")
    out.print(f"all above   {', '.join(lineage.upstream(name)) or '–'}")
    out.print(f"read by     {', '.join(lineage.readers(name)) or '–'}")
    scope = f" by {', '.join(contract.scope_keys)}" if contract.scope_keys else ""
    out.print(f"growth      {contract.growth}{scope}   owner {contract.owner}   version {lake.version(name)}\n")
    meanings = Table("column", "type", "", "meaning")
    for c in contract.columns:
        marks = ["key"] * (c.name in contract.keys) + ["required"] * c.required + [c.unit] * bool(c.unit)
        meanings.add_row(c.name, c.type, ", ".join(map(str, marks)), c.description)
    out.print(meanings)
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


def _explain_columns(name: str, as_json: bool) -> None:
    """Of each column the columns of other tables that it is made of, and those that are made of it."""
    from jobs.kit.column_lineage import columns_of
    from jobs.kit.session import session

    spark = session()
    made_of = columns_of(spark, name)
    into: dict[str, list[str]] = {column: [] for column, _, _ in lineage.columns(name)}
    for reader in lineage.readers(name):
        for column, origins in columns_of(spark, reader).items():
            for origin in origins:
                source, _, its = origin.rpartition(".")
                if source == name:
                    into.setdefault(its, []).append(f"{reader}.{column}")
    if as_json:
        told = {c: {"made_of": made_of.get(c, []), "goes_into": into[c]} for c in into}
        print(json.dumps(told))  # noqa: T201 (for machines)
        return
    for column, goes in into.items():
        out.print(f"[bold]{column}[/]", highlight=False)
        for sign, others in (("←", made_of.get(column, [])), ("→", goes)):
            for other in others:
                out.print(f"  {sign} {other}", highlight=False, soft_wrap=True)


@quarantine_app.command("show")
def quarantine_show(
    table: Annotated[str | None, typer.Argument(help="A table; default: how many rows each table refused.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show.")] = 20,
    reveal: Annotated[
        str, typer.Option(metavar="REASON", help="Show rows that hold personal data as received; it is written down.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Refused rows: their rules, source file, row number and content; of rows with personal data the token."""
    from jobs.kit import quarantine, tokens, vault

    if table is None:
        if as_json:
            _print_json([{"table": name, "rule": rule, "rows": count} for name, rule, count in quarantine.summary()])
            return
        summary = Table("table", "rule", "rows")
        for name, rule, count in quarantine.summary():
            summary.add_row(name, rule, f"{count:,}")
        out.print(summary if summary.row_count else "Nothing is in quarantine.")
        return
    name = lineage.full_name(table)
    total, rows = quarantine.show(name, limit)
    if reveal and (sealed := [r["row"] for r in rows if tokens.is_token(r["row"] or "")]):
        told = vault.reveal(sealed, reveal)
        rows = [r | {"row": told.get(r["row"]) or r["row"]} for r in rows]
    if as_json:
        _print_json({"table": name, "refused": total, "rows": rows})
        return
    for r in rows:
        where = ":".join(str(r[k]) for k in ("source_file", "row_number") if r[k] is not None)
        out.print(f"[bold]{escape(', '.join(r['rules']))}[/]  {escape(where)}", highlight=False, soft_wrap=True)
        out.print(f"    {escape(r['row'] or '')}", highlight=False, soft_wrap=True)
    if not total:
        out.print(_held_as_a_whole(name) or f"Nothing of {name} is in quarantine.", highlight=False, soft_wrap=True)
    if total > limit:
        out.print(f"… {total - limit:,} more: --limit {total}")


def _held_as_a_whole(name: str) -> str:
    """What held a table whose rows are each in order: rules over all of them, of its last run. Empty if none did."""
    from jobs.kit import lake

    if lake.version("ops.runs") is None:
        return ""
    sql = f"SELECT verdict, rules FROM t WHERE \"table\" = '{name}' ORDER BY finished_at DESC LIMIT 1"
    last = lake.read_small("ops.runs", sql).to_pylist()
    if not last or last[0]["verdict"] != "refused":
        return ""
    rules = ", ".join(json.loads(last[0]["rules"] or "{}"))
    return f"No row of {name} is refused, but its last candidate as a whole: {rules}. Its page: shoplake docs"


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


@vault_app.command("show")
def vault_show(
    token: Annotated[list[str], typer.Argument(help="tok_… of a table; several in one go.")],
    reason: Annotated[str, typer.Option(help="Why; it is written to ops.vault_reads with your account's name.")],
) -> None:
    """What tokens stand for. Whoever asks is written down before anything is shown."""
    from jobs.kit import vault

    for name, value in vault.reveal(token, reason).items():
        out.print(f"{name}  {escape(value) if value is not None else '[dim]not in the vault[/]'}", highlight=False)


@vault_app.command("rotate")
def vault_rotate() -> None:
    """Encrypt the vault under a new key. Tokens stay as they are, so no table changes; keep secrets/vault.json safe."""
    from jobs.kit import vault
    from jobs.kit.session import session

    out.print(f"The vault is under key {vault.rotate(session())} now.")


@vault_app.command("audit")
def vault_audit() -> None:
    """Look for values of the vault in the clear, in all that runs left; exit code 3 if there are any.

    Tables, Delta's logs, quarantine, Data Docs, models' artifacts, Airflow's logs and database, and what processes are
    called with. It is written to ops.vault_reads.
    """
    from jobs.kit import engine, kept, vault
    from jobs.kit.session import session
    from jobs.kit.settings import settings

    if engine.status(settings()):
        engine.clear_scratch(session(), settings())
    values = vault.every("audit: looking for values in the clear")
    with err.status("looking through all files"):
        found = kept.leaks(values)
    for place, count in found.items():
        err.print(f"[red]{count:,} in {place}[/]", highlight=False, soft_wrap=True)
    if found:
        raise typer.Exit(GATE_REFUSED)
    out.print(f"None of {len(values):,} values stands in the clear.")


@app.command()
def erase(
    member: Annotated[str, typer.Option(help="A loyalty card: the same as --account erp:ID.")] = "",
    account: Annotated[str, typer.Option(metavar="SYSTEM:ID", help="erp, crm, app, tmall, jd or social.")] = "",
    customer: Annotated[str, typer.Option(help="A customer_id of silver.customers.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it is written to ops.erasures.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what there is: tables, files, counts.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Finish the erasure that was cut short.")] = False,
    later: Annotated[bool, typer.Option("--later", help="Only note it: the DAG `erase` does it at night.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Erase all who were noted with --later.")] = False,
    as_of: AsOf = None,
) -> None:
    """Erase a person, all accounts of the customer: files, tables, scores, vault, history; and prove it.

    Sales stay and forget whose they were. Cut short, the same command goes on. No other run should be under way.
    Time travel of the tables touched ends here.
    """
    from jobs import erasure
    from jobs.kit.session import session
    from jobs.kit.settings import settings

    if [bool(member), bool(account), bool(customer), resume, waiting].count(True) != 1:
        raise typer.BadParameter("say whom: --member, --account or --customer (one of them), or --resume, or --waiting")
    system, colon, id_ = (f"erp:{member}" if member else account).partition(":")
    if account and not (system and colon and id_):
        raise typer.BadParameter(f"an account is SYSTEM:ID, like erp:M000001; there is {account}")
    if not (reason or dry_run or resume or waiting):
        raise typer.BadParameter("say why: --reason")
    if "://" in settings().lake:
        raise erasure.ErasureError("Erasure needs a lake on a local disk so far: its log is cut by file")
    whom = (system, id_) if colon else None
    if later:
        out.print(f"Noted as {erasure.ask(whom, customer, reason)}: `shoplake erase --waiting`, or the DAG erase.")
        return
    open_ = erasure.unfinished()
    mine = [j for j in open_ if resume or waiting or erasure.is_about(j, whom, customer)]
    if resume and not mine:
        raise erasure.ErasureError("No erasure was cut short: say whom")
    if open_ and not mine and not dry_run:
        raise erasure.ErasureError("Another erasure was cut short; finish it first: shoplake erase --resume")
    as_of = as_of or default_as_of()
    if not waiting:
        spark = session()
        journal = mine[0] if mine else erasure.plan(spark, erasure.accounts_of(account=whom, customer=customer))
        _print_erasure(journal, each_file=dry_run)
        if dry_run:
            out.print("Nothing was changed (--dry-run).")
            return
        if not mine:
            erasure.begin(journal, reason)
        if not _erase(journal, as_of):
            raise typer.Exit(1)
        return
    proved = [_erase(journal, as_of) for journal in open_]
    for note, who in erasure.asked():
        try:
            accounts = erasure.accounts_of(account=who["account"], customer=who["customer"])
            journal = erasure.plan(session(), accounts)
        except erasure.ErasureError:  # names whom; the note does, for who may read it
            err.print(f"Nothing of whom {note.stem} asks for is in this lake; the note stays: {note}")
            proved.append(False)
            continue
        erasure.begin(journal, who["reason"])
        note.unlink()
        proved.append(_erase(journal, as_of))
    if not proved:
        out.print("Nobody waits to be erased.")
    if not all(proved):
        raise typer.Exit(1)


def _erase(journal: dict[str, Any], as_of: date) -> bool:
    """All steps of an erasure, and what its proof says; whether it found nothing."""
    from jobs import erasure
    from jobs.kit.session import session

    proof = erasure.erase(session(), journal, as_of, lambda text: out.print(text, highlight=False))
    out.print(
        f"Looked for {proof.sought} texts in {proof.files:,} files ({proof.bytes / 1e6:,.1f} MB); {proof.shared} that "
        f"others told as well stay, {proof.too_short} ids are too short to be looked for.",
        highlight=False,
    )
    if proof.models:
        out.print(f"Models that saw the person, until they are trained anew: {', '.join(proof.models)}.")
    if proof.hits_in:
        out.print(f"[red]Still found in {len(proof.hits_in)}:[/] " + escape(", ".join(proof.hits_in[:20])))
        out.print("Another's record may tell of them. Repair it in the drop folder, then: shoplake erase --resume")
        return False
    out.print(f"[green]✓[/] Nothing was found. The proof is {journal['erasure_id']} of ops.erasures.")
    return True


def _print_erasure(journal: dict[str, Any], *, each_file: bool) -> None:
    from jobs.kit.contracts import load
    from jobs.kit.settings import settings

    accounts = ", ".join(f"{system} {id_}" for system, ids in journal["accounts"].items() for id_ in ids)
    out.print(f"One person, {accounts}", highlight=False)
    for table, files in journal["files"].items():
        total = ", ".join(f"{n:,} {what}" for what, n in journal["records"][table].items())
        out.print(f"  {table}: {total or 'in the drop folder only'}, in {len(files)} files", highlight=False)
        for file, counts in files.items() if each_file else ():
            said = ", ".join(f"{n} {what}" for what, n in counts.items())
            out.print(f"    {file}: {said}", highlight=False, soft_wrap=True)
    for table, count in journal["rows"].items():
        out.print(f"  {table}: {count:,} rows", highlight=False)
    asked = {str(load(t).source) for t in journal["records"]} & set(settings().sources)
    for source in sorted(asked):
        out.print(f"[yellow]{source} can be asked and would tell of the person again: have it forget them first.[/]")


@identity_app.command("log")
def identity_log(
    customer: Annotated[str, typer.Argument(help="Only what touches this customer_id")] = "",
    as_json: Json = False,
) -> None:
    """Which accounts went from one customer to another, in which run, by a merge or a split."""
    from jobs.identity_log import moves
    from jobs.kit import lake

    found = moves(lake.feed("silver.identities")).to_pylist()
    found = [m for m in found if not customer or customer in (m["old_customer_id"], m["new_customer_id"])]
    if as_json:
        print(json.dumps(found, default=str))  # noqa: T201 (for machines)
        return
    for m in found:
        account = f"{m['account_system']} {m['account_id']}"
        out.print(
            f"{m['changed_at']:%Y-%m-%d %H:%M} {m['run_id']} {m['change']:11} {account:40} "
            f"{m['old_customer_id']} → {m['new_customer_id']}",
            highlight=False,
            soft_wrap=True,
        )
    if not found:
        out.print("No account ever changed its customer.")


@contract_app.command("lint")
def contract_lint() -> None:
    """Read every contract, expectation and signature strictly, and find what still says TODO; every problem at once."""
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

            contract = parse(path)
            gate.checks(contract)
            problems += _nobodys(contract)
        except ContractError as error:
            problems.append(str(error))
        problems += _todos(path)
    for problem in problems:
        err.print(problem, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    out.print(f"{len(all_contracts())} contracts, all well")


def _nobodys(contract: Any) -> list[str]:
    """Columns that tell of persons in a table of bronze that does not say of whom: erasing would pass them by."""
    classed = [c.name for c in contract.columns if c.classification]
    if contract.layer != "bronze" or contract.subject or not classed:
        return []
    said = f"- {{property: subject, value: {{erasure: delete, by: {{erp: {classed[0]}}}}}}}"
    return [
        f"{contract.path}: {', '.join(classed)} tells of persons, and nothing says whose a record is, for shoplake "
        f"erase: {said} (docs/sources.md)"
    ]


def _todos(contract: Path) -> list[str]:
    """Where a table's contract, expectations, module and test still say TODO."""
    checkout, layer = lineage.JOBS.parent, contract.parent.name
    test = checkout / "tests" / layer / f"test_{contract.stem}.py"
    found = []
    for path in (contract, checkout / "expectations" / layer / contract.name, contract.with_suffix(".py"), test):
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if numbers := [str(n) for n, line in enumerate(lines, 1) if "TODO" in line]:
            found.append(f"{path.relative_to(checkout)}: TODO in line {', '.join(numbers)}")
    return found


@contract_app.command("diff")
def contract_diff(
    table: Annotated[str | None, typer.Argument(help="A table; default: all whose contract changed")] = None,
    against: Annotated[
        str, typer.Option(help="A git revision, a contract file, or `published`: the tables as they are")
    ] = "HEAD",
    write: Annotated[bool, typer.Option("--write", help="Write what is proposed into the bronze contract.")] = False,
    as_json: Json = False,
) -> None:
    """What changed in contracts, and who breaks; of a bronze table also what its files have that it does not say.

    Exit code 1 if readers break and the version does not say so by a new major number.
    """
    from jobs.kit import contract_diff as c
    from jobs.kit import drift
    from jobs.kit.contracts import load
    from jobs.kit.settings import settings

    name = lineage.full_name(table) if table in lineage.nodes() or (table and "." not in table) else table
    proposed: list[drift.Proposal] = []
    looked = 0
    if name and name.startswith("bronze.") and name in lineage.nodes():
        proposed, looked = drift.proposals(load(name), settings().landing)
        if write and (text := drift.amended(load(name), proposed)):
            load(name).path.write_text(text, encoding="utf-8")
            load.cache_clear()
    found = c.diffs(name, against)
    if as_json:
        said = {"against": against, "diffs": [d.as_dict() for d in found], "files": looked}
        print(json.dumps(said | {"proposals": [asdict(p) for p in proposed]}, ensure_ascii=False))  # noqa: T201
    else:
        for diff in found:
            _print_diff(diff)
        if not found:
            out.print(f"No contract differs from {against}." if not name else f"{name} is as in {against}.")
        _print_proposals(name, proposed, looked, write)
    if not all(d.ok for d in found):
        raise typer.Exit(1)


def _print_diff(diff: Any) -> None:
    out.print(f"[bold]{diff.table}[/]  {diff.was or '–'} → {diff.now or '–'}", highlight=False)
    for change in diff.changes:
        mark = "[red]✗ breaks[/]" if change.breaks else "[green]·[/]"
        out.print(f"  {mark} {change.column or ''} {escape(change.text)}", highlight=False, soft_wrap=True)
        for reader, columns in change.readers.items():
            made = f" ({', '.join(columns)})" if columns else ""
            out.print(f"      {reader}{made}", highlight=False, soft_wrap=True)
    if not diff.ok:
        out.print(f"  [red]Readers break: the version must be {diff.wanted} or more, it is {diff.now}.[/]")
    elif diff.wanted and diff.now == diff.was:
        out.print(f"  The next version would be {diff.wanted}.")


def _print_proposals(name: str | None, proposed: list[Any], looked: int, written: bool) -> None:
    for p in proposed:
        out.print(f"[yellow]{p.kind}[/] {escape(p.column)}: {escape(p.text)}", highlight=False, soft_wrap=True)
        if p.line:
            out.print(escape("      - " + p.line.replace("\n", "\n      ")), highlight=False, soft_wrap=True)
        if p.kind == "renamed":
            out.print(f"      {p.was}: physicalName {escape(p.column)}, the old name formerly", highlight=False)
        if p.kind == "changed type":
            out.print("      Have it sent as agreed, or give it another logicalType by hand: readers may break.")
    if name and name.startswith("bronze.") and not proposed:
        out.print(f"The {looked} landed files looked at have what it says." if looked else "Nothing is landed yet.")
    writable = [p for p in proposed if p.kind != "changed type"]
    if writable and written:
        out.print("Written; the next run reads all files anew. Fill in what says TODO.")
    elif writable:
        out.print(f"To write it into the contract: shoplake contract diff {name} --write")


@app.command()
def docs() -> None:
    """Make the Data Docs pages (Great Expectations) from the last gate of every table; print where they are."""
    from jobs.kit import data_docs

    out.print(str(data_docs.build() / "index.html"))


@app.command()
def dictionary() -> None:
    """Make the data dictionary, a page of every table and column, from the contracts; print where it is."""
    from jobs.kit import dictionary as page

    out.print(str(page.build()))


class ReportKind(StrEnum):
    """What a report may be about: `kind` in jobs/reports/figures.py."""

    store = "store"
    category = "category"
    campaign = "campaign"
    shop = "shop"


class ReportFormat(StrEnum):
    """How a report may be written."""

    html = "html"
    xlsx = "xlsx"


@app.command()
def report(
    kinds: Annotated[
        list[ReportKind] | None,
        typer.Argument(help="What about; default: all. `shop`: one plain page, what to do next."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="Only this store, category or campaign; several.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", metavar="en|zh", help="Only this language; default: all.")
    ] = None,
    formats: Annotated[list[ReportFormat] | None, typer.Option("--format", help="Only this; default: both.")] = None,
    templates: Annotated[
        Path | None, typer.Option(help="A folder of your own templates and words; default: SHOPLAKE_REPORT_TEMPLATES.")
    ] = None,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of", parser=_date, metavar="YYYY-MM-DD", help="The last day; default: the last with a sale."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write reports for those who open no dashboard: pages without a network, and workbooks, in English and Chinese.

    `shoplake report` writes one for each store, category (department), campaign and shop into
    `<home>/reports/<day>/` with an `index.html`; `shoplake report shop --only S0001 --language zh` one page, which
    joins what is there. The last 7 and 28 days stand against as many before. Words, rules and layout are files that you
    may change: docs/reports.md.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from jobs.kit.settings import settings
    from jobs.reports.write import FORMATS, KINDS
    from jobs.reports.write import write as write_reports

    conf = settings()
    columns = TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    start = time.monotonic()
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("reading gold", total=None)
        made = write_reports(
            conf.home / "reports",
            currency=conf.currency,
            kinds=[k.value for k in kinds or []] or KINDS,
            only=only or [],
            chosen=language or [],
            formats=[f.value for f in formats or []] or FORMATS,
            as_of=as_of,
            own=templates or conf.own_templates,
            tell=lambda what, done, all_: bar.update(task, description=what, completed=done, total=all_),
        )
    if as_json:
        print(json.dumps(made.summary(), ensure_ascii=False))  # noqa: T201 (for machines)
        return
    counts = Counter(e.kind for e in made.entries)
    shown = Table("reports about", "in languages", "written")
    for kind, count in counts.items():
        shown.add_row(kind, ", ".join(sorted({e.language for e in made.entries})), f"{count:,}")
    out.print(shown)
    took = time.monotonic() - start
    out.print(
        f"{made.files:,} files as of {made.as_of}, {took:.1f} s: {made.index.as_uri()}", highlight=False, soft_wrap=True
    )


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="SQL over layer.table names: SELECT … FROM gold.sales_daily")],
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 1000,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output: --csv > sales.csv")] = False,
    as_json: Json = False,
) -> None:
    """Ask the lake on the engine; tables by their names.

    Rows that are wider than the window stand one below the other, a line for each column.
    """
    import logging

    from pyspark.errors import PySparkException

    from jobs.kit import query as q

    if as_csv and as_json:
        raise typer.BadParameter("say --csv or --json (one of the two)")
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # else all is said twice, once as JSON
    try:
        with err.status("asking the engine"):
            frame = q.ask(query, limit)
    except PySparkException as error:
        said = re.split(r";\n|\n\nJVM stacktrace", str(error))[0].strip()  # without plan and stack
        err.print(f"[red]{escape(said)}[/]\nTables are named layer.table, ledgers ops.runs and so on: shoplake list")
        raise typer.Exit(2) from None
    if as_json:
        _print_json(frame.to_dict(orient="records"))
    elif as_csv:
        frame.to_csv(sys.stdout, index=False)
    else:
        _print_rows([*frame.columns], [[*map(str, row)] for row in frame.itertuples(index=False)])
    if len(frame) == limit:
        err.print(f"At most {limit:,} rows are told; for more: --limit", highlight=False)


def _print_rows(columns: list[str], rows: list[list[str]]) -> None:
    """A table, as wide as it must be where there is no window; else, if it does not fit, a line for each value."""
    table = Table(*map(escape, columns))
    for row in rows:
        table.add_row(*map(escape, row))
    needed = Measurement.get(out, out.options.update(max_width=sys.maxsize), table).maximum
    if needed <= out.width or not out.is_terminal:
        Console(width=max(out.width, needed)).print(table)
        return
    if not rows:
        out.print(f"No rows of {', '.join(map(escape, columns))}", highlight=False)
    for number, row in enumerate(rows, 1):
        lines = Table.grid("", "", padding=(0, 2, 0, 0))
        for column, value in zip(columns, row, strict=True):
            lines.add_row(f"[dim]{escape(column)}[/]", escape(value))
        out.print(f"[bold]row {number:,}[/]", lines, sep="\n", highlight=False)


class Kind(StrEnum):
    """What `shoplake new` can scaffold."""

    source = "source"
    silver = "silver"
    gold = "gold"
    scoring = "scoring"


@app.command()
def new(
    kind: Annotated[Kind, typer.Argument(help="source: a bronze table of a source system; or the layer of a table.")],
    name: Annotated[str, typer.Argument(help="The table's bare name, unique over all layers: loyalty_points")] = "",
    inputs: Annotated[
        list[str] | None, typer.Option("--from", help="Upstream tables, for silver, gold, scoring.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="The source system, for a source: erp")] = None,
    relation: Annotated[
        list[str] | None,
        typer.Option(help="For a source that is a database: schema.table, or 'schema.*'; columns are filled in."),
    ] = None,
    deletions: Annotated[
        bool, typer.Option("--deletions", help="With --relation: also a table of the rows that are gone there, by key.")
    ] = False,
) -> None:
    """Write the files of a new table, ready to fill in: module, contract, expectations, test.

    Of a database that can be asked (SHOPLAKE_SOURCES__ERP=postgresql://…) the columns are filled in, one table for each
    relation: shoplake new source --system erp --relation 'erp.*' --deletions. What exists is left as it is. Step by
    step: docs/sources.md.
    """
    from jobs.kit import scaffold

    if relation or deletions:
        _new_of_relations(kind, name, system or "", relation or [], deletions)
        return
    if not name:
        raise typer.BadParameter("say the table's name")
    for path in scaffold.new(kind.value, name, inputs or [], system):
        out.print(f"wrote {path}", soft_wrap=True)
    out.print(f"Fill in what says TODO, then: shoplake contract lint && shoplake run {name}", soft_wrap=True)


def _new_of_relations(kind: Kind, name: str, system: str, relation: list[str], deletions: bool) -> None:
    from jobs.kit import scaffold
    from jobs.kit.contracts import load
    from jobs.kit.settings import settings
    from jobs.landing import relational

    if kind != Kind.source or not relation or system not in settings().sources:
        raise typer.BadParameter(
            "a relation is of a source whose address is known: SHOPLAKE_SOURCES__ERP=postgresql://… "
            "shoplake new source --system erp --relation erp.products"
        )
    found = relational.describe(system, settings().sources[system].get_secret_value(), relation)
    if name and len(found) > 1:
        raise typer.BadParameter(f"one name for {len(found)} relations: leave it out, then each keeps its own")
    known = {n.split(".")[1]: n for n in lineage.nodes()}
    names, keys = list[str](), dict[str, str]()
    for one in found:
        table = name or one.name.split(".")[1].lower()
        if there := known.get(table):
            pull = load(there).pull if there.startswith("bronze.") else None
            if pull is None or pull.relation != one.name:
                other = f"shoplake new source {system}_{table} --system {system} --relation {one.name}"
                out.print(f"[red]not written:[/] {one.name}, for there is {there}. Name it: {other}", soft_wrap=True)
                continue
            out.print(f"left {there} as it is", highlight=False)
        else:
            names.append(table)
            for path in scaffold.of_relation(one, table, system):
                out.print(f"wrote {path}", highlight=False, soft_wrap=True)
        keys |= {table: one.keys[0]} if len(one.keys) == 1 else {}
        if deletions and len(one.keys) != 1:
            out.print(f"{one.name} has no key of one column: its deleted rows are not looked for", soft_wrap=True)
    if deletions and keys:
        table = f"{system}_deletions"
        if table in known:
            said = f"keys: {', '.join(f'{t}: {k}' for t, k in keys.items())}"
            out.print(f"left bronze.{table} as it is; see that its pull says {said}", highlight=False, soft_wrap=True)
        else:
            names.append(table)
            for path in scaffold.deletions(system, keys):
                out.print(f"wrote {path}", highlight=False, soft_wrap=True)
    if names:
        out.print(
            f"Read what they say, TODO above all, then: shoplake contract lint && shoplake run {' '.join(names)}",
            soft_wrap=True,
        )


@app.command()
def doctor(as_json: Json = False) -> None:
    """Find what is wrong with this machine or lake, and say the fix; exit code 1 if anything is."""
    from jobs.kit import doctor as d

    if as_json:
        found = list(d.examine())
        _print_json([asdict(check) for check in found])
        raise typer.Exit(0 if all(check.ok for check in found) else 1)
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
        str,
        typer.Option(
            help="retailer: simulated, with known truth · Complete Journey: complete-journey, full, tiny. "
            "Default: what the lake holds, else retailer."
        ),
    ] = "",
    break_: Annotated[bool, typer.Option("--break", help="Then let a bad day in and see the gate hold.")] = False,
    airflow: Annotated[
        bool, typer.Option(help="Let Airflow's scheduler run the DAGs; --no-airflow runs the jobs here.")
    ] = True,
    live: Annotated[
        bool, typer.Option("--live", help="Start the retailer's systems too (database, APIs, Kafka, S3) and ask them.")
    ] = False,
    bi: Annotated[bool, typer.Option("--bi", help="End with dashboards (Superset; make install BI=1).")] = False,
) -> None:
    """The whole of it on a simulated retailer: services, DAGs, tables, models, scores. `make demo` installs first.

    Or on Complete Journey, which its authors call simulated from real transactions.
    """
    from jobs.demo.datasets import DATASETS
    from jobs.demo.run import demo as run_demo

    if data and data not in DATASETS:
        raise typer.BadParameter(f"{data!r} is none of {', '.join(DATASETS)}", param_hint="--data")
    if live and break_:
        raise typer.BadParameter("a bad day comes as a file: say it without --live", param_hint="--break")
    raise typer.Exit(run_demo(data, break_day=break_, airflow=airflow, live=live, bi=bi))


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
    components: Annotated[
        list[str] | None, typer.Argument(help="postgres engine mlflow airflow (default: these); kafka superset")
    ] = None,
) -> None:
    """Start the services that are not running."""
    from jobs.kit import services
    from jobs.kit.settings import settings

    services.up(settings(), components or services.COMPONENTS, say=out.print)
    status()


@app.command()
def down() -> None:
    """Stop what was started here, and only that."""
    from jobs.demo import live
    from jobs.kit import services
    from jobs.kit.settings import settings

    live.stop(settings().home)
    stopped = services.down(settings(), say=out.print)
    out.print(f"stopped {', '.join(stopped)}" if stopped else "Nothing of ours was running.")


@app.command()
def extract(
    if_used: Annotated[
        bool, typer.Option("--if-used", help="Only where there is one: somebody has dashboards here.")
    ] = False,
) -> None:
    """Renew the DuckDB file that dashboards read: gold, scoring, ledgers and models' metrics, as published now.

    `shoplake up superset` does it, and every run of all tables that ends whole. With nothing new nothing is written.
    """
    from jobs.kit import extract as file

    if if_used and not file.path().exists():
        return
    said = "renewed" if file.refresh() else "up to date"
    out.print(f"{file.path()} is {said}.", highlight=False, soft_wrap=True)


@app.command()
def quality(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; default: all that have scores.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only what is too low or late; exit code 3 if any is.")
    ] = False,
    below: Annotated[float, typer.Option(help="The score under which --check speaks up.", min=0, max=1)] = 0.95,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Quality scores of what the last run of each table judged; their history is `ops.quality`.

    Completeness, validity, uniqueness, consistency, timeliness: jobs/kit/quality.py says how each is counted.
    """
    from jobs.kit import quality as q

    if check:
        found = q.alarms(as_of or default_as_of(), below)
        for text in found:
            err.print(f"[red]{text}[/]", highlight=False, soft_wrap=True)
        if found:
            raise typer.Exit(GATE_REFUSED)
        out.print(f"No score is below {below:g}, and no source is later than it promises.")
        return
    latest = q.latest([lineage.full_name(t) for t in tables] if tables else None)
    if as_json:
        print(json.dumps(latest, default=str))  # noqa: T201 (for machines)
        return
    shown = Table("table", "source", "as of", "rows", *q.DIMENSIONS)
    for name, rows in sorted(latest.items()):
        any_ = next(iter(rows.values()))
        scores = [f"{rows[d]['score']:.3f}" if d in rows else "" for d in q.DIMENSIONS]
        shown.add_row(name, any_["source"] or "", str(any_["as_of"]), f"{any_['rows']:,}", *scores)
    out.print(shown if shown.row_count else "Nothing has a score yet: shoplake run --all, or make demo.")


@app.command()
def status(as_json: Json = False) -> None:
    """What runs: address and log-in of each service."""
    from jobs.kit import services
    from jobs.kit.settings import settings

    if as_json:
        _print_json([asdict(s) for s in services.status(settings())])
        return
    table = Table("service", "address", "log-in", box=None, pad_edge=False)
    for s in services.status(settings()):
        table.add_row(s.name, s.address, s.login)
    if not table.row_count:
        out.print("Nothing of ours is running: shoplake up")
        return
    # Never cut: addresses and passwords are there to be copied.
    Console(width=max(out.width, 160)).print(table)
    out.print(f"Logs: {settings().home / 'logs'}; with pids: --json", highlight=False, soft_wrap=True)


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
        known = {
            "NotStarted": 1,
            "NotThereError": WAITING,
            "NotEnoughError": WAITING,
            "VaultError": 1,
            "ErasureError": 1,
            "PullError": 1,
            "ModelContractError": 2,
            "ReportError": 1,
        }
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
