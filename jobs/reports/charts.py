"""Charts as SVG to stand in a page: drawn by Matplotlib, text left as text, so that the page's own fonts show it.

A chart holds numbers and days alone, no words: one drawing serves every language, and the page says what it shows.
"""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, StrMethodFormatter

INK, SOFT, LINE, NOW, BEFORE = "#1d2733", "#5b6775", "#e3e8ee", "#0b5cad", "#a9b7c6"
SIZE = (7.2, 2.3)  # inches: what fits half a page of 1280 pixels
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "shoplake", "font.size": 9, "text.color": INK}


@lru_cache(maxsize=2048)  # a shop's page shows the same weeks as its store's
def columns(values: tuple[Decimal, ...], labels: tuple[str, ...], name: str) -> str:
    """A column per value, the last one marked. `name` must be the chart's own within its page."""
    axes = _axes()
    colours = [BEFORE] * (len(values) - 1) + [NOW]
    axes.bar(range(len(values)), [float(v) for v in values], color=colours, width=0.72)
    return _svg(axes, labels, name)


def lines(now: Sequence[Decimal], before: Sequence[Decimal], labels: Sequence[str], name: str) -> str:
    """Two lines over the same days: now, and before."""
    axes = _axes()
    axes.plot([float(v) for v in before], color=BEFORE, linewidth=1.6)
    axes.plot([float(v) for v in now], color=NOW, linewidth=2.2)
    return _svg(axes, labels, name)


def _axes() -> Axes:
    axes = Figure(figsize=SIZE).add_axes((0.085, 0.13, 0.885, 0.83))
    axes.patch.set_alpha(0)
    return axes


def _svg(axes: Axes, labels: Sequence[str], name: str) -> str:
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LINE, linewidth=1)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(BEFORE)
    axes.tick_params(length=0, labelcolor=SOFT)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    large = max(map(abs, axes.get_ylim())) >= 1_000_000
    axes.yaxis.set_major_formatter(EngFormatter(sep="") if large else StrMethodFormatter("{x:,.0f}"))
    step = max(1, -(-len(labels) // 9))
    shown = list(range(len(labels) - 1, -1, -step))  # the last one always: it is what the report is about
    axes.set_xticks(shown, [labels[i] for i in shown])
    axes.margins(x=0.01)
    file = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure = axes.get_figure(root=True)
        assert figure
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    return _for_page(file.getvalue(), name)


def _for_page(svg: str, name: str) -> str:
    """Without what only a file of its own needs; sized by the page; ids that no other chart of the page has."""
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' width="[^"]*" height="[^"]*"', "", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    return re.sub(r"\s*\n\s*", "\n", svg)
