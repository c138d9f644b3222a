"""Reports as workbooks: the same figures as numbers, with charts that the spreadsheet draws itself.

XlsxWriter, because it writes native charts and the lake has it already; openpyxl, which reads workbooks at the door,
draws fewer kinds and is slower at writing. The same figures give the same bytes: no clock is in a workbook.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from babel.numbers import get_currency_precision
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from jobs.reports.figures import BY, Figures, Period
from jobs.reports.words import Words

COLOURS = ("#0b5cad", "#a9b7c6", "#1b7f4b")
_PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
Column = tuple[str, str]  # a heading and how its values are written: text, money, percent, number, decimal, date, month


class Book:
    """One workbook being made, in one language."""

    def __init__(self, path: Path, words: Words, as_of: date) -> None:
        self.words = words
        self.book = xlsxwriter.Workbook(path, _PLAIN)
        self.book.set_properties({"created": datetime.combine(as_of, time())})
        places = get_currency_precision(words.currency)
        money = f'"{words.symbol}"#,##0{"." + "0" * places if places else ""}'
        ways = {"text": "@", "money": money, "percent": "0.0%", "number": "#,##0", "decimal": "#,##0.0"}
        ways |= {"date": "yyyy-mm-dd", "month": "yyyy-mm"}
        self.formats = {way: self.book.add_format({"num_format": code, "valign": "top"}) for way, code in ways.items()}
        self.head = self.book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
        right = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom", "align": "right"}
        self.head_right = self.book.add_format(right)
        self.left = self.book.add_format({"num_format": ways["date"], "align": "left"})
        self.title = self.book.add_format({"bold": True, "font_size": 16})
        self.section = self.book.add_format({"bold": True, "font_size": 12})
        self.wrapped = self.book.add_format({"text_wrap": True, "valign": "top"})

    def sheet(self, name: str) -> Worksheet:
        """A new sheet; its name as short and plain as workbooks want it, and not one that there is."""
        plain = re.sub(r"[\[\]:*?/\\']", " ", name)[:31].strip() or "-"
        taken = {s.get_name().lower() for s in self.book.worksheets()}
        for number in range(2, 100):
            if plain.lower() not in taken:
                break
            plain = f"{plain[:27]} {number}"
        sheet = self.book.add_worksheet(plain)
        sheet.hide_gridlines(2)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def table(self, sheet: Worksheet, top: int, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> int:
        """A table from row `top` on; returns the row of its last line. What is None stays empty."""
        for place, (heading, way) in enumerate(columns):
            sheet.write_string(top, place, heading, self.head if way == "text" else self.head_right)
            sheet.set_column(place, place, 30 if way == "text" else 15)
        last = top
        for last, row in enumerate(rows, start=top + 1):
            for place, ((_, way), value) in enumerate(zip(columns, row, strict=True)):
                _write(sheet, last, place, value, self.formats[way])
        return last

    def chart(
        self,
        sheet: Worksheet,
        kind: str,
        at: tuple[int, int],
        rows: tuple[int, int],
        columns: Sequence[int],
        dates: str = "",
    ) -> None:
        """A chart of some columns over the first one; `rows`: the heading's row and the last one.

        `dates`: how the first column's days are written, where it holds days.
        """
        chart = self.book.add_chart({"type": kind})
        (head, last), name = rows, sheet.get_name()
        for number, column in enumerate(columns):
            colour = COLOURS[number]
            drawn = (
                {"line": {"color": colour, "width": 2}} if kind == "line" else {"fill": {"color": colour}, "gap": 60}
            )
            chart.add_series(
                {
                    "name": [name, head, column],
                    "categories": [name, head + 1, 0, last, 0],
                    "values": [name, head + 1, column, last, column],
                    **drawn,
                }
            )
        chart.set_legend({"position": "bottom"} if len(columns) > 1 else {"none": True})
        quiet = {"major_gridlines": {"visible": True, "line": {"color": "#e3e8ee"}}, "num_format": "#,##0"}
        if kind == "bar":
            chart.set_y_axis({"reverse": True})
            chart.set_x_axis(quiet)
        else:
            chart.set_y_axis(quiet)
            # As text: on an axis of days a column of a week would be a day wide.
            chart.set_x_axis({"text_axis": True, "num_format": dates, "label_position": "low"} if dates else {})
        chart.set_size({"width": 720, "height": max(300, 24 * (last - head)) if kind == "bar" else 300})
        sheet.insert_chart(*at, chart)


def _write(sheet: Worksheet, row: int, column: int, value: Any, form: Format) -> None:
    if value is None:
        sheet.write_blank(row, column, None, form)
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime.combine(value, time()), form)
    elif isinstance(value, Decimal | int | float) and not isinstance(value, bool):
        sheet.write_number(row, column, float(value), form)
    else:
        sheet.write_string(row, column, str(value), form)


def write(
    path: Path, words: Words, figures: Figures, title: str, said: Sequence[str], names: Callable[[str], str]
) -> None:
    """Write a report's workbook. `said`: its sentences; `names`: how a name that came with the data is written."""
    book = Book(path, words, figures.as_of)
    with book.book:
        if figures.kind == "campaign":
            _campaign(book, figures, title, said)
        else:
            _sales(book, figures, title, said, names)


def _front(book: Book, figures: Figures, title: str, said: Sequence[str]) -> tuple[Worksheet, int]:
    """The first sheet with title and sentences, and the next free row of it."""
    say = book.words.say
    sheet = book.sheet(say(f"title.{figures.kind}"))
    sheet.write_string(0, 0, title, book.title)
    sheet.write_datetime(1, 0, datetime.combine(figures.as_of, time()), book.left)
    row = 3
    for text in said:
        sheet.merge_range(row, 0, row, 6, "", book.wrapped)
        sheet.write_string(row, 0, text, book.wrapped)
        # A merged cell does not grow by itself; Chinese characters are twice as wide.
        width = sum(2 if ord(c) > 0x2E7F else 1 for c in text)
        sheet.set_row(row, 16 * (1 + width // 115))
        row += 1
    return sheet, row + 1


def _sales(book: Book, figures: Figures, title: str, said: Sequence[str], names: Callable[[str], str]) -> None:
    say = book.words.say
    sheet, row = _front(book, figures, title, said)
    money, share = "money", "percent"
    columns = [
        (say("section.period"), "text"), (say("label.net"), money), (say("label.before"), money),
        (say("label.change"), share), (say("label.units"), "number"), (say("label.returned"), money),
        (say("label.returned_share"), share), (say("label.discount_share"), share),
    ]  # fmt: skip
    periods = (figures.week, figures.month)
    book.table(sheet, row, columns, [[say("label.last_days", days=p.days), *_moves(p, figures.month)] for p in periods])

    weeks = book.sheet(say("section.weeks"))
    last = book.table(weeks, 0, [(say("label.first_day"), "date"), (say("label.net"), money)], figures.weeks)
    book.chart(weeks, "column", (1, 3), (0, last), [1], "mm-dd")

    days = book.sheet(say("section.days"))
    headings = [(say("label.day"), "date"), (say("label.net"), money), (say("label.day_before"), money)]
    last = book.table(days, 0, headings, figures.days)
    book.chart(days, "line", (1, 4), (0, last), [1, 2], "mm-dd")

    for by in BY:
        rows = figures.rows.get(by, ())
        if len(rows) > (by != "category"):
            sheet = book.sheet(say(f"section.{by}"))
            headings = [(say("label.name"), "text"), *columns[1:]]
            last = book.table(sheet, 0, headings, [[names(r.name), *_moves(r, figures.month)] for r in rows])
            book.chart(sheet, "bar", (1, len(headings) + 1), (0, last), [1, 2])

    if figures.months:
        sheet = book.sheet(say("section.months"))
        headings = [(say("label.month"), "month"), (say("label.net"), money), (say("label.margin"), money)]
        headings += [(say("label.margin_rate"), share)]
        last = book.table(sheet, 0, headings, [(m.first, m.net, m.margin, m.margin_rate) for m in figures.months])
        book.chart(sheet, "column", (1, 5), (0, last), [1, 2], "yyyy-mm")
    if figures.last_month_rows:
        sheet = book.sheet(say("section.month_sheet"))
        headings = [
            (say("section.month_rows", month=figures.last_month), "text"),
            (say("label.net"), money),
            (say("label.margin"), money),
        ]
        headings += [(say("label.margin_rate"), share), (say("label.stock"), money), (say("label.turnover"), "decimal")]
        headings += [
            (say("label.supply_days"), "number"),
            (say("label.spoiled"), money),
            (say("label.loss_share"), share),
        ]
        told = [
            (names(m.name), m.net, m.margin, m.margin_rate, m.stock, m.turnover, m.supply_days, m.spoiled, m.loss_share)
            for m in figures.last_month_rows
        ]
        book.table(sheet, 0, headings, told)


def _moves(row: Any, month: Period) -> list[Any]:
    """What a row of sales says; nothing of the days before where the lake does not know them."""
    known = row.is_comparable if isinstance(row, Period) else month.is_comparable
    before, moved = (row.before.net, row.change) if known else (None, None)
    return [row.now.net, before, moved, row.now.units, row.now.returned, row.now.returned_share, row.now.discount_share]


def _dates(words: Words, about: Mapping[str, Any]) -> str | None:
    first, last = about.get("start_date"), about.get("end_date")
    if first is None:
        return None
    return words.say("label.from_to", first=first, last=last) if last else words.say("label.from_on", first=first)


def _campaign(book: Book, figures: Figures, title: str, said: Sequence[str]) -> None:
    say, about, words = book.words.say, figures.about, book.words
    sheet, row = _front(book, figures, title, said)
    facts: list[tuple[str, Any, str]] = [
        (say("label.targeted"), about.get("targeted_member_count"), "number"),
        (say("label.dates"), _dates(words, about), "text"),
    ]
    if "net_amount_in_window" in about:
        before = about["net_amount_before"] if about["is_comparable"] else None
        facts += [
            (say("label.buyers"), about["buyer_count"], "number"),
            (say("label.window_net", days=about["window_days"]), about["net_amount_in_window"], "money"),
            (say("label.window_before", days=about["window_days"]), before, "money"),
            (say("label.window_margin"), about["margin_amount_in_window"], "money"),
            (say("label.redemptions"), about["redemption_count"], "number"),
            (say("label.redeemers"), about["redeemer_count"], "number"),
            (say("label.redemption_rate"), about["redemption_rate"], "percent"),
        ]
    book.table(sheet, row, [(say("label.what"), "text"), (say("label.value"), "text")], [])
    sheet.set_column(0, 1, 40)
    for at, (label, value, way) in enumerate(facts, start=row + 1):
        _write(sheet, at, 0, label, book.formats["text"])
        _write(sheet, at, 1, value, book.formats[way])
    if figures.channels:
        sheet = book.sheet(say("section.messages"))
        ways = {
            "sent": "number", "exposed": "number", "clicked": "number", "exposure_rate": "percent",
            "click_rate": "percent", "cost": "money", "budget": "money", "budget_use": "percent",
            "cost_per_click": "money",
        }  # fmt: skip
        from_ = {"sent": "sent_count", "exposed": "exposed_count", "clicked": "clicked_count", "cost": "cost_amount"}
        from_ |= {"budget": "budget_amount"}
        headings = [(say("label.touch_channel"), "text"), *((say(f"label.{n}"), way) for n, way in ways.items())]
        rows = [[words.name(c["touch_channel"]), *(c[from_.get(n, n)] for n in ways)] for c in figures.channels]
        last = book.table(sheet, 0, headings, rows)
        book.chart(sheet, "column", (last + 2, 0), (0, last), [1, 2, 3])
