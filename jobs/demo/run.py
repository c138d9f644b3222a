"""The flow of `shoplake demo`: dress the data, start the services, let Airflow run the DAGs, show what happens.

Airflow's own scheduler does the work. The demo only triggers, as of the data's last day, the ingest DAGs of sources
that may have news; what they publish wakes `refine`; when that is done `train` is triggered, and new champions wake
`score`. A second demo finds nothing new, and an interrupted one goes on: every step asks first what is left to do.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from jobs.demo import datasets, show
from jobs.demo.airflow import Airflow, AirflowError, Task
from jobs.demo.datasets import DataSet
from jobs.demo.files import Written
from jobs.demo.show import OK, Board, Layer, Model, Page
from jobs.kit import contracts, lineage, process, services
from jobs.kit.process import NotStarted
from jobs.kit.settings import Settings, remember, settings

DAGS = ("refine", "train", "score")
POLL_SECONDS = 2.0
HEALTH_EVERY = 20  # looks
NOT_THERE = "an input is not there yet"
PLAIN_WIDTH = 140  # in a pipe or a log there is no window to fit into
WITHOUT_AIRFLOW = ("postgres", "engine", "mlflow")
BROKEN_SOURCE = "pos"
HEADLINE = "gold.sales_daily"


def demo(data: str = "", *, break_day: bool = False, airflow: bool = True, live: bool = False, bi: bool = False) -> int:
    """Run the demo; the exit code says whether all went as it should (with `break_day`: whether a gate held).

    `live`: the retailer's systems run too, and are asked; without it their files come by themselves. `bi`: at the end
    Superset shows what there is.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    board = Board(console)
    try:
        if bi:
            services.superset_binaries()  # better told now than after ten minutes
        chosen = datasets.choose(data, settings(), live=live)
        console.print(f"[bold]Shoplake[/]  {chosen.intro}\n", highlight=False)
        flow = Flow(settings(), board, chosen, use_airflow=airflow, live=live)
        flow.prepare()
        ok = flow.good_run()
        if bi:
            flow.show_dashboards()
        flow.summarise()
        return (0 if ok else 1) if not (ok and break_day) else (0 if flow.bad_day() else 1)
    except datasets.OtherDataError as error:
        console.print(f"[red]{error}[/]", highlight=False)
        return 1
    except (AirflowError, NotStarted) as error:
        logs = settings().home / "logs"
        console.print(f"[red]{error}[/] Logs: {logs}. The same command goes on from here.", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print(
            "\nStopped watching. What runs goes on in the background; the same command shows it again and goes on, "
            "`make down` stops it.",
            highlight=False,
        )
        return 130


class Flow:
    """One demo from beginning to end."""

    def __init__(self, conf: Settings, board: Board, data: DataSet, *, use_airflow: bool, live: bool = False) -> None:
        self.live = live
        self.conf, self.board, self.data, self.use_airflow = conf, board, data, use_airflow
        self.as_of: date = data.last
        self.airflow: Airflow | None = None
        self.services: list[Any] = []

    # --- preparing ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Start the services, and meanwhile dress the data as files in the drop folder."""
        said: list[Written] = []
        halt = threading.Event()

        def heed(*_: object) -> None:
            if halt.is_set():
                raise InterruptedError

        files = self.conf.home / "live" / "files" if self.live else self.conf.drop
        target = self.conf.model_copy(update={"drop": files})
        dressing = process.Background(lambda: said.append(self.data.write(target, heed)))
        wanted = services.COMPONENTS if self.use_airflow else WITHOUT_AIRFLOW
        with self._status("starting the services, dressing the data"):
            try:
                self.services = services.up(self.conf, wanted, say=self.board.say)
                dressing.join()
            except BaseException:
                # Ctrl-C too: a thread inside DuckDB at Python's end would abort it, and its last words be lost.
                halt.set()
                with suppress(BaseException):
                    dressing.join()
                raise
        written = said[0]
        self.board.say(f"{written.files:,} files are in {files}, {written.changed:,} of them new or changed")
        if self.live:
            with self._status("starting the retailer's systems"):
                self._start_systems(files)
        if self.use_airflow:
            page = self._service("airflow")
            self.airflow = Airflow(page.address, *page.login.split(" / "))
            self.board.say(f"Airflow is open: {page.address}  log-in {page.login}")
            with self._status("Airflow reads the DAGs"):
                self.airflow.wait_for([*self._ingest(), *DAGS])
            self._say_how_long()

    def _say_how_long(self) -> None:
        """Before a first run: how long it takes, and how to see meanwhile what is open."""
        from jobs.kit import lake

        if self.data.minutes and lake.version(HEADLINE) is None:
            look = show.command("shoplake status")
            self.board.say(f"A first run takes {self.data.minutes} minutes. What is open, in another window: {look}")

    def _start_systems(self, files: Path) -> None:
        """Start what plays the retailer's systems, fed with its files, and have the lake ask them."""
        from jobs.demo import live

        found = live.start(files, self.conf.home, self.data.first, self.data.last, say=self.board.say)
        addresses = {f"sources__{source}": address for source, address in found.items()}
        remember(self.conf, data=self.conf.data, timezone=self.data.timezone, currency=self.data.currency, **addresses)
        self.conf = settings()

    def _ingest(self) -> list[str]:
        return [f"ingest_{source}" for source in lineage.sources()]

    def _is_sent(self, table: str) -> bool:
        """Whether this retailer has such a source at all."""
        contract = contracts.load(table)
        there = contract.drop is not None and (self.conf.drop / contract.drop.folder).is_dir()
        return there or contract.source in self.conf.sources

    def _service(self, name: str) -> Any:
        found = next((s for s in self.services if s.name == name), None)
        if found is None:
            raise NotStarted(f"{name} is not running.")
        return found

    @contextmanager
    def _status(self, text: str) -> Iterator[None]:
        console = self.board.console
        if console.is_terminal:
            with console.status(text):
                yield
        else:
            yield

    # --- the good run -------------------------------------------------------------------------------------------------

    def good_run(self) -> bool:
        """Bring every table, model and score up to date; False if something was refused or failed."""
        title = f"{self.data.title} as of {self.as_of}"
        with self.board.shown(title):
            return self._by_airflow() if self.airflow else self._by_hand()

    def _by_airflow(self) -> bool:
        from jobs.kit import bronze

        assert self.airflow
        began = datetime.now(UTC)
        watch = _Watch(self.airflow, self.board, began)
        for source, tables in lineage.sources().items():
            sent = [contracts.load(table) for table in tables if self._is_sent(table)]
            if any(bronze.is_due(contract, self.as_of) for contract in sent):
                self.airflow.start(f"ingest_{source}", as_of=self.as_of.isoformat())
                continue
            if sent:
                self.airflow.unpause(f"ingest_{source}")
            for table in tables:
                self.board.set(table, "nothing new")
        # The last arrival wakes a DAG for all that arrived while it was paused; let run from the start, the first
        # arrival would wake it for itself, and the others once more.
        watch.until_last("bronze")
        self.airflow.unpause("refine")
        watch.until_quiet()
        for dag in DAGS:
            if watch.failed:
                return self._explain(watch)
            # What an earlier demo left undone, nobody wakes: start it.
            missed = dag == "refine" and watch.published("bronze.") and dag not in watch.dags
            due = dag == "train" and watch.published("gold.")
            if missed or due or not self.airflow.last_run_succeeded(dag):
                self.airflow.start(dag, as_of=self.as_of.isoformat())
                if dag == "train":
                    watch.until_last("models")
                    self.airflow.unpause("score")
                watch.until_quiet()
        if watch.failed:
            return self._explain(watch)
        self.airflow.unpause("score")
        for node, line in self.board.lines.items():
            if not line.is_done:
                self.board.set(node, "nothing new")
        return True

    def _by_hand(self) -> bool:
        """The same without Airflow, in this process, one after the other."""
        from jobs.kit import training
        from jobs.kit.lake import NotThereError
        from jobs.kit.run import run

        stopped: set[str] = set()
        for node in lineage.order():
            if stopped & set(lineage.inputs(node)):
                stopped.add(node)
                self.board.set(node, "not run", note="an input was refused")
                continue
            self.board.set(node, "running", since=datetime.now(UTC))
            begun = time.monotonic()
            try:
                if node.startswith("models."):
                    training.run(node, self.as_of)
                    self.board.set(node, seconds=time.monotonic() - begun, **_model(node))
                    continue
                results = run(node, self.as_of)
            except NotThereError as error:
                self.board.set(node, "not run", note=str(error).partition(":")[0])
                continue
            counts = {k: sum(getattr(r, k) for r in results) for k in ("rows_in", "rows_out", "rows_refused")}
            verdict = "refused" if any(not r.ok for r in results) else results[-1].verdict
            self.board.set(node, verdict, seconds=time.monotonic() - begun, **counts)
            if verdict == "refused":
                stopped.add(node)
        return not stopped

    def _explain(self, watch: "_Watch") -> bool:
        assert self.airflow
        for task in watch.failed.values():
            line = self.board.lines.get(task.node)
            self.board.say(f"{task.node}: {line.note if line and line.note else 'failed'}. Its log ends:")
            for text in self.airflow.log(task):
                self.board.say(f"    {text}")
            self.board.say(f"    {self.airflow.page(task)}")
        self.board.say("When mended, the same command goes on from here.")
        return False

    # --- the bad day --------------------------------------------------------------------------------------------------

    def bad_day(self) -> bool:
        """Let a bad day in and show which gate held; False if none did."""
        console, board = self.board.console, self.board
        before = self._headline()
        path = self.data.break_day(self.conf)
        began = datetime.now(UTC)
        board.restart()
        console.print()
        board.say(f"A till sends a business day again, three quantities in ten with the wrong sign: {path.name}")
        with board.shown("A bad day arrives"):
            if self.airflow:
                watch = _Watch(self.airflow, board, began)
                self.airflow.start(f"ingest_{BROKEN_SOURCE}", as_of=self.as_of.isoformat())
                watch.until_quiet()
            else:
                self._by_hand()
        held = [r for r in _ops_runs(began) if r["verdict"] == "refused"]
        console.print()
        if not held:
            console.print("[bold red]No gate held: that is a bug. Please report it.[/]")
            return False
        after = self._headline()
        for run in held:
            node = run["table"]
            console.print(f"[bold red]The gate of {node} held[/] and published nothing of {run['rows_in']:,} rows:")
            for rule, count in _rules(run).items():
                console.print(f"    {rule}: {count:,} rows", highlight=False)
            console.print(f"    the failing rows: {run['note']}", highlight=False, soft_wrap=True)
        hang_on = {below for run in held for below in lineage.downstream(run["table"])}
        stopped = [n for n in sorted(hang_on) if n in board.lines and board.lines[n].verdict == "not run"]
        if stopped:
            console.print(f"Not run, because it depends on that: {', '.join(stopped)}", highlight=False)
        same = "the same rows, the last good version" if after == before else "DIFFERENT: that is a bug"
        console.print(f"\n{HEADLINE} before: {before}\n{HEADLINE} now:    {after}  ← [bold]{same}[/]", highlight=False)
        first = held[0]["table"]
        steps = [
            (f"shoplake quarantine show {first}", "the refused rows, their rules, file and row numbers"),
            ("make demo", "the till sends the day as it should have been; Airflow replays what hangs on it"),
            (f"shoplake quarantine replay {first}", "the same by hand, after a repair of your own"),
        ]
        show.next_steps(console, steps)
        return after == before

    def _headline(self) -> str:
        """What gold says of the sales, in one line, read without Spark."""
        from deltalake import DeltaTable, QueryBuilder

        table = DeltaTable(self.conf.path(HEADLINE))
        asked = "SELECT count(*) AS n, min(order_date) AS a, max(order_date) AS b, sum(net_amount) AS s FROM t"
        row = QueryBuilder().register("t", table).execute(asked).read_all()
        (n,), (a,), (b,), (s,) = (row.column(i).to_pylist() for i in range(4))
        return f"version {table.version()}, {n:,} rows, {a} … {b}, net {s:,.2f} {self.conf.currency}"

    # --- the end ------------------------------------------------------------------------------------------------------

    def summarise(self) -> None:
        """Rows, refusals, gates, models, pages, and what to try next."""
        from jobs.demo import scoreboard
        from jobs.kit import quarantine

        with self._status("counting what there is"):
            refused = quarantine.summary()
            layers, models = self._layers(refused), self._models()
        show.summary(self.board.console, layers, refused, models)
        with self._status("comparing with the truth"):
            known = scoreboard.against_truth(self.conf)
        if known:
            show.scoreboard(self.board.console, "Against the truth", scoreboard.HEADINGS, map(scoreboard.cells, known))
        with self._status("writing Data Docs, the data dictionary and the shop's report"):
            pages = self._pages()
        show.pages(self.board.console, pages)  # last, so that they are on the screen when it stops
        show.next_steps(self.board.console, [*show.path_first(), *NEXT])
        took = f"{self.board.seconds():.0f} s in all, without the install"
        self.board.console.print(f"\n{took}. `make down` stops what runs.", highlight=False)

    def show_dashboards(self) -> None:
        """Start Superset, now that there is something to see."""
        with self._status("starting Superset"):
            self.services = services.up(self.conf, ["superset"], say=self.board.say)

    def _layers(self, refused: list[tuple[str, str, int]]) -> list[Layer]:
        from jobs.kit import lake

        last = {r["table"]: r["verdict"] for r in _ops_runs()}
        out: Counter[str] = Counter()
        for table, _, count in refused:
            out[table.split(".")[0]] += count
        layers = []
        for layer in ("bronze", "silver", "gold", "scoring"):
            nodes = [n for n in lineage.nodes() if n.startswith(f"{layer}.")]
            rows = sum(_rows(self.conf.path(n)) for n in nodes if lake.version(n) is not None)
            passed, held, crashed = (sum(last.get(n) == v for n in nodes) for v in ("published", "refused", "crashed"))
            empty = sum(lake.version(n) is None for n in nodes)
            layers.append(Layer(layer, len(nodes), rows, out[layer], passed, held, crashed, empty))
        return layers

    def _models(self) -> list[Model]:
        from jobs.kit import registry

        return [Model(m.name, str(m.version), m.metric, m.value, m.baselines, m.verdict) for m in registry.overview()]

    def _pages(self) -> list[Page]:
        from jobs.kit import data_docs, dictionary

        titles = {"superset": "Dashboards", "airflow": "Airflow", "mlflow": "MLflow", "engine": "SQL (JDBC)"}
        known = {s.name: s for s in self.services}
        first = {"superset": "/superset/dashboard/sales/", "mlflow": "/#/models"}  # what there is to see of each
        pages = [
            Page(titles[name], known[name].address + first.get(name, ""), known[name].login)
            for name in titles
            if name in known
        ]
        docs = Page("Data Docs", (Path(data_docs.build()) / "index.html").as_uri())
        return [*self._reports(), *pages, docs, Page("Data dictionary", dictionary.build().as_uri())]

    def _reports(self) -> list[Page]:
        """The shop's report, a page for each language; `shoplake report` writes the others."""
        from jobs.kit.lake import NotThereError
        from jobs.reports import write

        try:
            made = write.write(
                self.conf.home / "reports",
                currency=self.conf.currency,
                kinds=["shop"],
                only=["all"],
                formats=["html"],
                own=self.conf.own_templates,
            )
        except NotThereError:  # nothing was sold yet
            return []
        return [Page(f"The shop's report, {e.language}", (made.folder / e.html).as_uri()) for e in made.entries]


QUESTION = (
    "SELECT channel, sum(order_count) AS orders, sum(net_amount) AS net_amount, sum(returned_amount) AS returned "
    "FROM gold.channel_daily GROUP BY channel ORDER BY net_amount DESC"
)
NEXT = (
    ("make demo BREAK=1", "let a bad day in and see which gate holds it"),
    ("shoplake report", "pages and workbooks: each store, category, campaign and shop"),
    ("shoplake explain gold.customer_rfm", "one table: grain, lineage, gate, last runs"),
    (f'shoplake sql "{QUESTION}"', "ask the lake: sales by channel"),
)


class _Watch:
    """Looks at Airflow and at ops.runs until there is nothing more to happen; tells the board."""

    def __init__(self, airflow: Airflow, board: Board, began: datetime) -> None:
        self.airflow, self.board, self.began = airflow, board, began
        self.failed: dict[str, Task] = {}
        self.dags: set[str] = set()  # of which tasks were seen
        self._asked = began

    def until_last(self, layer: str) -> None:
        """Return when all tables of a layer are done but one, or when nothing happens any more."""
        self.until_quiet(lambda: sum(not x.is_done for n, x in self.board.lines.items() if n.startswith(layer)) <= 1)

    def until_quiet(self, or_else: Callable[[], bool] = lambda: False) -> None:
        """Return when no run is on and no event waits, twice in a row: between an event and its run lies a moment."""
        quiet, unwell, looks = 0, 0, 0
        while quiet < 2 and not or_else():
            looks += 1
            if looks % HEALTH_EVERY == 0:
                unwell = 0 if self.airflow.is_healthy() else unwell + 1
            if unwell == 3:
                raise AirflowError("Airflow's scheduler has stopped moving.")
            quiet = 0 if self.airflow.is_busy(("refine", "score")) else quiet + 1
            self._look()
            time.sleep(POLL_SECONDS / 4 if quiet else POLL_SECONDS)
        for node, line in self.board.lines.items():
            if line.note == NOT_THERE:  # and nobody is on the way to bring it
                self.board.set(node, "not run", note=NOT_THERE)

    def published(self, layer: str) -> bool:
        """Whether this demo published anything in a layer."""
        return any(r["table"].startswith(layer) and r["verdict"] == "published" for r in _ops_runs(self.began))

    def _look(self) -> None:
        """Ask for the tasks that changed since the last look, less a moment: clocks and commits are not exact."""
        asked = datetime.now(UTC)
        since = (self._asked - timedelta(seconds=5)).isoformat()
        changed = {t.node: t for t in self.airflow.tasks(updated_at_gte=since)}  # of two runs, the later one
        self._asked = asked
        done = {r["table"]: r for r in _ops_runs(self.began)} if changed else {}
        self.dags |= {task.dag for task in changed.values()}
        for node, task in changed.items():
            self.failed.pop(node, None)
            if task.state == "failed":
                self.failed[node] = task
            if node in self.board.lines:  # a task may be of no table: the one that renews what dashboards read
                self._tell(node, task, done.get(node))

    def _tell(self, node: str, task: Task, run: dict[str, Any] | None) -> None:
        known: dict[str, Any] = {}
        if run:
            known = {k: run[k] for k in ("rows_in", "rows_out", "rows_refused", "seconds")}
        match task.state:
            case "success" if node.startswith("models."):
                took = (task.ended - task.started).total_seconds() if task.ended and task.started else None
                self.board.set(node, seconds=took, **_model(node))
            case "success":
                verdict = run["verdict"] if run and run["verdict"] in OK else "nothing new"
                self.board.set(node, verdict, **known)
            case "failed" | "up_for_retry" if run and run["verdict"] == "refused":
                rules = ", ".join(f"{rule}: {count:,}" for rule, count in _rules(run).items())
                self.board.set(node, "refused", **known, note=rules)
            case "failed":
                self.board.set(node, "failed", note=run["note"] if run else "")
            case "up_for_retry":
                self.board.set(node, "waiting", note=f"attempt {task.attempt} failed, again soon")
            case "upstream_failed":
                self.board.set(node, "not run", note="an input was refused or failed")
            case "skipped":
                self.board.set(node, "waiting", note=NOT_THERE)
            case "running":
                self.board.set(node, "running", since=task.started)
            case _ if not self.board.lines[node].is_done:  # a next run that has not begun hides not what the last did
                self.board.set(node, "waiting")


def _ops_runs(since: datetime | None = None) -> list[dict[str, Any]]:
    """Rows of ops.runs, oldest first."""
    from jobs.kit import lake

    runs = lake.read_ops("runs")
    found = [] if runs is None else sorted(runs.to_pylist(), key=lambda r: r["finished_at"])
    return [r for r in found if since is None or r["finished_at"] >= since]


def _model(node: str) -> dict[str, Any]:
    """How a model stands after its training, for the board."""
    from jobs.kit import registry

    found = next((m for m in registry.overview() if m.name == node.split(".")[1]), None)
    if found is None:
        return {"verdict": "no data yet", "note": "too few days to fit and to judge"}
    beside = ", ".join(f"{name} {value:.3f}" for name, value in found.baselines.items())
    verdict = "champion" if found.verdict == "champion" else "challenger"
    return {"verdict": verdict, "note": f"version {found.version}: {found.metric} {found.value:.3f} ({beside})"}


def _rules(run: dict[str, Any]) -> dict[str, int]:
    return dict(json.loads(run["rules"] or "{}"))


def _rows(path: str) -> int:
    from deltalake import DeltaTable

    return int(DeltaTable(path).count())
