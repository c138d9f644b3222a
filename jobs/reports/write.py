"""Write reports: all that were asked for, or none. The folder of a day is replaced in one go.

`<home>/reports/<as_of>/<language>/<kind>/<id>.html` and `.xlsx`; `index.<language>.html` and, as the first language's,
`index.html`; and `reports.json`, which says the same for machines. No clock is in any of them: the same tables give the
same bytes.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import psutil
from markupsafe import Markup

from jobs.reports import advice, charts, figures, read, texts, workbook
from jobs.reports.figures import MONTH_DAYS, Figures, Kind
from jobs.reports.pages import Pages
from jobs.reports.words import ReportError, languages, rules, words

KINDS: tuple[Kind, ...] = get_args(Kind)
FORMATS = ("html", "xlsx")
MANIFEST = "reports.json"
Tell = Callable[[str, int, int], None]  # what is being written, how many are done, of how many


@dataclass(frozen=True)
class Entry:
    """One report in one language; files relative to the folder, "" if not written."""

    kind: str
    id: str
    language: str
    title: str
    html: str
    xlsx: str
    net: str
    change: str


@dataclass(frozen=True)
class Written:
    """What a run wrote: the folder, its first page, and the reports in it."""

    folder: Path
    as_of: date
    index: Path
    entries: tuple[Entry, ...]
    files: int

    def summary(self) -> dict[str, Any]:
        """The same for machines; files relative to the folder."""
        told = ("kind", "id", "language", "title", "html", "xlsx")
        return {
            "folder": str(self.folder),
            "as_of": str(self.as_of),
            "index": str(self.index),
            "files": self.files,
            "reports": [{name: getattr(entry, name) for name in told} for entry in self.entries],
        }


def write(
    root: Path,
    *,
    currency: str,
    kinds: Sequence[Kind] = KINDS,
    only: Sequence[str] = (),
    chosen: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    as_of: date | None = None,
    own: Path | None = None,
    tell: Tell = lambda *_: None,
) -> Written:
    """Write reports below `root`. `only`: ids; `chosen`: languages (default: all); `own`: a folder of own templates.

    A part (some kinds, ids or languages) joins what the folder of the day holds; all of it replaces that.
    """
    known = languages(own)
    if unknown := set(chosen) - set(known):
        raise ReportError(f"there are no words for {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    asked = list(chosen) or known
    pages = {language: Pages(words(language, own, currency), own) for language in asked}
    thresholds = rules(own)
    source = read.read(as_of)
    found = [f for kind in kinds for f in figures.of_kind(source, kind)]
    if not found:
        raise ReportError(f"nothing is known of any {' or '.join(kinds)}: their tables are empty, or not there yet")
    if only:
        if missing := set(only) - {f.id for f in found}:
            ids = ", ".join(sorted({f.id for f in found})[:12])
            raise ReportError(f"there is no {', '.join(kinds)} {', '.join(sorted(missing))}: there are {ids} …")
        found = [f for f in found if f.id in only]
    whole = not only and set(kinds) == set(KINDS) and set(asked) == set(known) and set(formats) == set(FORMATS)
    names = _names(source)
    folder = root / str(source.as_of)
    with _replaced(folder, keep=not whole) as staging:
        made: list[Entry] = []
        for done, figure in enumerate(found):
            tell(f"{figure.kind} {figure.id}", done, len(found))
            drawn = _charts(figure) if "html" in formats else {}
            said = advice.findings(figure, thresholds)
            for language in asked:
                others = {to: page.words.say("language") for to, page in pages.items() if to != language}
                made.append(_report(staging, pages[language], figure, drawn, said, names, source, formats, others))
        tell("the index", len(found), len(found))
        entries = _joined(staging, made)
        pages |= {e: Pages(words(e, own, currency), own) for e in {e.language for e in entries} - set(pages)}
        for page in pages.values():
            _index(staging, page, entries, source, {n: p.words.say("language") for n, p in pages.items()})
        first = entries[0].language
        shutil.copyfile(staging / f"index.{first}.html", _fresh(staging / "index.html"))
        _fresh(staging / MANIFEST).write_text(
            json.dumps([asdict(e) for e in entries], ensure_ascii=False, indent=1), encoding="utf-8"
        )
    files = sum(bool(e.html) + bool(e.xlsx) for e in made)
    return Written(folder, source.as_of, folder / "index.html", tuple(made), files)


def _report(
    staging: Path,
    page: Pages,
    figure: Figures,
    drawn: Mapping[str, str],
    said: list[advice.Finding],
    names: Mapping[str, str],
    source: read.Source,
    formats: Sequence[str],
    others: Mapping[str, str],
) -> Entry:
    """One report in one language; `others`: the languages in which it is written too, as they call themselves."""
    said_words = page.words
    title = texts.title(said_words, figure, names)
    problems, chances = (texts.advice(said_words, said, kind) for kind in ("problem", "chance"))
    sales = figure.kind != "campaign"
    if figure.kind == "shop":  # which fits on a sheet of paper
        problems, chances = problems[:5], chances[:3]
    summary = texts.shop_summary(said_words, figure) if figure.kind == "shop" else texts.summary(said_words, figure)
    of_kind = figures.TABLES_OF[figure.kind]
    stem = f"{said_words.language}/{figure.kind}/{file_name(figure.id)}"
    (staging / stem).parent.mkdir(parents=True, exist_ok=True)
    if "html" in formats:
        text = page.write(
            f"{figure.kind}.html.j2",
            r=figure,
            title=title,
            summary=summary,
            problems=problems,
            chances=chances,
            rules=len(advice.RULES[figure.kind]),
            charts={name: Markup(svg) for name, svg in drawn.items()},
            names=names,
            versions={table: source.versions[table] for table in of_kind if table in source.versions},
            missing=sorted(source.missing & set(of_kind)),
            index=f"../../index.{said_words.language}.html",
            others={to: (f"../../{to}/{figure.kind}/{file_name(figure.id)}.html", name) for to, name in others.items()},
            **_costs(figure),
        )
        _fresh(staging / f"{stem}.html").write_text(text, encoding="utf-8")
    if "xlsx" in formats:
        sentences = [summary, *problems, *chances]
        path = _fresh(staging / f"{stem}.xlsx")
        workbook.write(path, said_words, figure, title, sentences, lambda n: said_words.name(names.get(n, n)))
    return Entry(
        kind=figure.kind,
        id=figure.id,
        language=said_words.language,
        title=title,
        html=f"{stem}.html" if "html" in formats else "",
        xlsx=f"{stem}.xlsx" if "xlsx" in formats else "",
        net=said_words.money(figure.month.now.net) if sales else "",
        change=said_words.change(figure.month.change) if sales else "",
    )


def _charts(figure: Figures) -> dict[str, str]:
    """A report's charts by name: one drawing for all languages."""
    if figure.kind == "campaign":
        return {}  # its bars stand in its table
    days = [f"{day:%m-%d}" for day, _, _ in figure.days]
    weeks = tuple(f"{first:%m-%d}" for first, _ in figure.weeks)
    drawn = {"weeks": charts.columns(tuple(net for _, net in figure.weeks), weeks, "weeks")}
    if figure.kind != "shop":
        now, before = [n for _, n, _ in figure.days], [b for _, _, b in figure.days]
        drawn["days"] = charts.lines(now, before if figure.month.is_comparable else [], days, "days")
    return drawn


def _costs(figure: Figures) -> dict[str, Decimal | None]:
    """What a campaign's messages cost and might, over its channels."""
    budgets = [c["budget_amount"] for c in figure.channels if c["budget_amount"] is not None]
    costs = [c["cost_amount"] for c in figure.channels]
    return {"cost": sum(costs, Decimal(0)) if costs else None, "budget": sum(budgets, Decimal(0)) if budgets else None}


def _names(source: read.Source) -> dict[str, str]:
    """How the store master names its stores."""
    return dict(
        source.con.execute("SELECT store_id, store_name FROM store_360 WHERE store_name IS NOT NULL").fetchall()
    )


def file_name(id_: str) -> str:
    """An id as the name of a file on any system; one that had to be changed is told apart by a hash."""
    plain = re.sub(r"[^\w-]+", "-", id_).strip("-")[:80]
    return plain if plain == id_ else f"{plain or 'x'}-{sha256(id_.encode()).hexdigest()[:6]}"


# --- the folder -------------------------------------------------------------------------------------------------------


@contextmanager
def _replaced(folder: Path, *, keep: bool) -> Iterator[Path]:
    """A folder to fill beside the real one, which it replaces when all is written; if not, nothing has changed.

    `keep`: it begins with what is there, as links. Who writes a file there must put a new one in its place (`_fresh`).
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _tidy(folder)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-{os.getpid()}-", dir=folder.parent))
    aside = staging.with_name(f"{staging.name}-old")
    try:
        staging.chmod(0o755)
        if keep and folder.is_dir():
            shutil.copytree(folder, staging, copy_function=os.link, dirs_exist_ok=True)
        yield staging
        if folder.exists():
            folder.rename(aside)
        try:
            staging.rename(folder)
        except BaseException:
            if aside.exists():
                aside.rename(folder)
            raise
    finally:
        for left in (staging, aside):
            shutil.rmtree(left, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """Take away what a run that was killed left; had it just put the real folder aside, put that back."""
    for left in sorted(folder.parent.glob(f".{folder.name}-*-*")):
        writer = left.name.removeprefix(f".{folder.name}-").partition("-")[0]
        if not writer.isdigit() or psutil.pid_exists(int(writer)):
            continue
        if left.name.endswith("-old") and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _fresh(path: Path) -> Path:
    """The path, with nothing there: what was there may be a link to what readers see."""
    path.unlink(missing_ok=True)
    return path


def _joined(staging: Path, made: list[Entry]) -> list[Entry]:
    """The entries of the folder, in the order of kinds and ids: those that were there, and over them the new ones."""
    path = staging / MANIFEST
    there = [Entry(**e) for e in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
    both = {(e.kind, e.id, e.language): e for e in there}
    for entry in made:
        old = both.get((entry.kind, entry.id, entry.language), entry)
        files = {"html": entry.html or old.html, "xlsx": entry.xlsx or old.xlsx}
        both[entry.kind, entry.id, entry.language] = Entry(**{**asdict(entry), **files})
    return sorted(both.values(), key=lambda e: (e.language, KINDS.index(e.kind), e.id != figures.ALL, e.id))  # type: ignore[arg-type]


def _index(staging: Path, page: Pages, entries: list[Entry], source: read.Source, named: Mapping[str, str]) -> None:
    """The list of a language's reports; `named`: how each language that has one calls itself."""
    language = page.words.language
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.language == language:
            kinds.setdefault(entry.kind, []).append(entry)
    values: dict[str, Any] = {
        "as_of": source.as_of,
        "currency": page.words.currency,
        "days": MONTH_DAYS,
        "kinds": kinds,
        "others": {other: (f"index.{other}.html", name) for other, name in named.items() if other != language},
    }
    _fresh(staging / f"index.{language}.html").write_text(page.write("index.html.j2", **values), encoding="utf-8")
