"""What `shoplake demo` shows: a board of all tables while they are made, and the summary at the end.

On a terminal the board is drawn over and over; elsewhere (a pipe, CI) each table is one plain line when it is done.
"""

import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from jobs.kit import lineage

STAGES = {
    "bronze": "as received",
    "silver": "typed, conformed, de-duplicated",
    "gold": "answers and features",
    "models": "fitted, compared, registered",
    "scoring": "what the champions predict",
}
STYLES = {
    "published": "green",
    "champion": "green",
    "challenger": "green",
    "no data yet": "yellow",
    "nothing new": "dim",
    "refused": "bold red",
    "failed": "bold red",
    "not run": "yellow",
    "running": "cyan",
    "waiting": "dim",
}
AS_USUAL = ("published", "nothing new")
OK = {"published": "✓", "champion": "✓", "challenger": "✓", "nothing new": "·", "no data yet": "–"}
NAME_WIDTH = max(len(node.split(".")[1]) for node in lineage.nodes())
MARKS = OK | {"refused": "✗", "failed": "✗", "not run": "–"}


@dataclass(frozen=True)
class Line:
    """Where one table or model stands."""

    node: str
    verdict: str = "waiting"
    rows_in: int | None = None
    rows_out: int | None = None
    rows_refused: int | None = None
    seconds: float | None = None
    since: datetime | None = None  # running, that is
    note: str = ""

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.verdict in MARKS


class Board:
    """All tables and models by stage, kept up to date by `set`."""

    def __init__(self, console: Console, nodes: Sequence[str] = ()) -> None:
        self.console = console
        self.lines = {node: Line(node) for node in nodes or lineage.order()}
        self._begun = time.monotonic()
        self._title = ""
        self._live: Live | None = None
        self._told: dict[str, Line] = {}

    @contextmanager
    def shown(self, title: str) -> Iterator[None]:
        """Keep the board on the screen meanwhile."""
        self._title = title
        if not self.console.is_terminal:
            self.console.print(f"-- {title}", highlight=False)
            yield
            return
        with Live(get_renderable=self._draw, console=self.console, refresh_per_second=4, transient=True) as self._live:
            try:
                yield
            finally:
                self._live = None
        self.console.print(self._draw(final=True))

    def set(self, node: str, verdict: str, **known: Any) -> None:
        """Say where a table stands; off a terminal, say it in a line when it is done."""
        if node not in self.lines:
            return
        before = self.lines[node]
        now = self.lines[node] = replace(before, verdict=verdict, **{"note": "", "since": None, **known})
        if now.is_done and now != self._told.get(node) and not self.console.is_terminal:
            self._told[node] = now
            self.console.print(self._plain(now), highlight=False, soft_wrap=True, markup=False)

    def say(self, text: str) -> None:
        """A short message above the board."""
        self.console.print(f"{self._clock()} {text}", highlight=False, markup=False)

    def restart(self) -> None:
        """Forget how the tables stand; the clock runs on."""
        self.lines = {node: Line(node) for node in self.lines}

    def seconds(self) -> float:
        """How long the demo has been going."""
        return time.monotonic() - self._begun

    def _clock(self) -> str:
        minutes, seconds = divmod(int(self.seconds()), 60)
        return f"{minutes}:{seconds:02d}"

    def _plain(self, line: Line) -> str:
        rows = "" if line.rows_in is None else (
            f"  in {line.rows_in:>9,}  out {line.rows_out or 0:>9,}  refused {line.rows_refused or 0:>7,}"
        )  # fmt: skip
        took = "" if line.seconds is None else f"  {line.seconds:6.1f} s"
        text = f"{self._clock():>5}  {MARKS[line.verdict]} {line.node:<30} {line.verdict:<11}{rows}{took}  {line.note}"
        return text.rstrip()

    def _draw(self, *, final: bool = False) -> Panel:
        stages = {s: [x for x in self.lines.values() if x.node.startswith(s + ".")] for s in STAGES}
        room = self.console.height - 4 - sum(2 if lines else 0 for lines in stages.values())
        wanted = sum(map(len, stages.values()))
        parts: list[Any] = []
        for stage, lines in stages.items():
            if not lines:
                continue
            done = sum(x.is_done for x in lines)
            # A small window shows what moves; what is finished, or has not begun, is one line.
            fold = not final and wanted > room and (done == len(lines) or all(x.verdict == "waiting" for x in lines))
            parts.append(self._heading(stage, lines, done))
            if final:  # what went as it should is in its stage's line
                parts.append(self._table([x for x in lines if x.rows_refused or x.note or x.verdict not in AS_USUAL]))
            elif not fold:
                parts.append(self._table(lines if wanted <= room else [x for x in lines if x.verdict == "running"]))
        title = f"[bold]{self._title}[/]  {self._clock()}"
        return Panel(Group(*parts), title=title, title_align="left", border_style="blue", padding=(0, 1))

    def _heading(self, stage: str, lines: Sequence[Line], done: int) -> Text:
        text = Text(f"{stage} ", style="bold")
        text.append(f"{done}/{len(lines)}  ", style="green" if done == len(lines) else "cyan")
        text.append(STAGES[stage], style="dim")
        if done == len(lines) and (rows := sum(x.rows_out or 0 for x in lines)):
            text.append(f"  {rows:,} rows", style="dim")
        return text

    def _table(self, lines: Sequence[Line]) -> Table:
        """As wide as a window of 80 columns; a wider one has room for notes."""
        table = Table.grid(padding=(0, 1))
        for width in (1, NAME_WIDTH, 11):
            table.add_column(min_width=width, no_wrap=True)
        for width in (12, 12, 5):
            table.add_column(min_width=width, justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        room = max(1, self.console.width - 63 - NAME_WIDTH)  # that the others, their gaps and the frame leave
        for line in lines:
            note = Text(line.note, style="dim")
            note.truncate(room, overflow="ellipsis")
            style = STYLES[line.verdict]
            mark = Text(MARKS.get(line.verdict, " "), style=style)
            table.add_row(
                Spinner("dots", style=style) if line.verdict == "running" else mark,
                Text(line.node.split(".")[1], style="" if line.verdict != "waiting" else "dim"),
                Text(line.verdict, style=style),
                Text("" if line.rows_out is None else f"{line.rows_out:,} rows", style="dim"),
                Text(f"{line.rows_refused:,} refused" if line.rows_refused else "", style="red"),
                Text(_took(line), style="dim"),
                note,
            )
        return table


def _took(line: Line) -> str:
    if line.verdict == "running" and line.since:
        return f"{(datetime.now(UTC) - line.since).total_seconds():.0f} s"
    return "" if line.seconds is None else f"{line.seconds:.0f} s"


# --- the summary ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A layer as it stands: what is readable now."""

    name: str
    tables: int
    rows: int
    refused: int
    passed: int
    held: int
    crashed: int
    empty: int


@dataclass(frozen=True)
class Model:
    """A model and its champion, beside the baseline that it must beat."""

    name: str
    version: str
    metric: str
    value: float | None
    baselines: Mapping[str, float]
    verdict: str


@dataclass(frozen=True)
class Page:
    """A page that is open now, and how to log in to it."""

    title: str
    address: str
    login: str = ""


def summary(
    console: Console,
    layers: Iterable[Layer],
    refused: Iterable[tuple[str, str, int]],
    models: Iterable[Model],
) -> None:
    """What a demo made: what there is now, and how good it is."""
    rows = _titled("The lake", "layer", "tables", "rows", "refused", "gates passed", "held", "no data yet", number=1)
    for layer in layers:
        held = f"[bold red]{layer.held}[/]" if layer.held else "0"
        if layer.crashed:
            held += f", [bold red]{layer.crashed} crashed[/]"
        numbers = (layer.tables, layer.rows, layer.refused, layer.passed)
        rows.add_row(layer.name, *(f"{n:,}" for n in numbers), held, f"{layer.empty:,}")
    console.print(rows)
    if refused := list(refused):
        why = _titled("In quarantine", "table", "rule", "rows", number=2)
        for table, rule, count in refused[:8]:
            why.add_row(table, rule, f"{count:,}")
        if len(refused) > 8:
            why.add_row("…", f"{len(refused) - 8} more: shoplake quarantine show", "")
        console.print(why)
    fitted = _titled("The models", "model", "v", "metric", "champion", "baselines", "", number=3)
    for m in models:
        beside = "\n".join(f"{name} {value:.3f}" for name, value in m.baselines.items())
        value = "–" if m.value is None else f"[bold]{m.value:.3f}[/]"
        fitted.add_row(m.name, m.version, m.metric, value, beside, m.verdict)
    if fitted.row_count:
        console.print(fitted)


def pages(console: Console, found: Iterable[Page]) -> None:
    """Where to look: addresses and log-ins in one piece each, to be clicked or copied, however narrow the window."""
    console.print("\n[bold]Open now[/]")
    for page in found:
        console.print(Text(f"  {page.title:<22}").append(page.address, style="cyan"), soft_wrap=True)
        for login in page.login.splitlines():
            console.print(Text(f"  {'':<22}log-in {login}", style="dim"), soft_wrap=True)


def scoreboard(console: Console, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Figures beside the naive way's and the best that is possible; remarks below, where a narrow window has room."""
    board = _titled(title, *headings[:-1], number=2)
    metrics, remarks = defaultdict(list), defaultdict(list)
    for subject, metric, *figures, remark in rows:
        board.add_row(subject, metric, *figures)
        metrics[subject].append(metric)
        remarks[subject, remark].append(metric)
    console.print(board)
    for (subject, remark), told in remarks.items():
        if remark:
            whose = subject if told == metrics[subject] else f"{subject}, {', '.join(told)}"
            console.print(Text(f"{whose}: {remark}", style="dim"))


BIN = Path(sys.executable).parent


def _near(path: Path) -> str:
    """A path as one writes it from here: short where it is below the folder one is in."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _is_on_path() -> bool:
    found = shutil.which("shoplake")
    return found is not None and Path(found).parent == BIN


def command(words: str) -> str:
    """A `shoplake` command as a terminal finds it whose PATH may lack it."""
    return words if _is_on_path() else f"{_near(BIN)}/{words}"


def path_first() -> list[tuple[str, str]]:
    """The line that lets a terminal find `shoplake`, as a step before others; none where it does."""
    near = _near(BIN)
    line = f'export PATH="{near if near.startswith("/") else f"$PWD/{near}"}:$PATH"'
    return [] if _is_on_path() else [(line, "first, in each new terminal: where `shoplake` is")]


def next_steps(console: Console, steps: Iterable[tuple[str, str]]) -> None:
    """What to try next: commands and what they are for, each whole, to be copied."""
    console.print("\n[bold]Next[/]")
    for command, meaning in steps:
        console.print(Text(f"  {meaning}", style="dim"))
        console.print(Text(f"    {command}", style="bold cyan"), soft_wrap=True)


def _titled(title: str, *columns: str, number: int) -> Table:
    """A table under its title; from column `number` on, figures to the right."""
    table = Table(title=f"[bold]{title}[/]", title_justify="left", title_style="", box=None, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        right = place >= number and column not in ("baselines", "")
        whole = column in ("model", "baselines")
        table.add_column(
            column, justify="right" if right else "left", header_style="dim", overflow="fold", no_wrap=whole
        )
    return table
