"""The words of a language, from a file that anyone may change, and how numbers and days are written in it.

`templates/words/<language>.yaml` holds sentences with places for values: `{amount:money}`, `{share:percent}`,
`{day:date}`. A file of the same name in a folder of the user's own adds to it or wins, word by word.
"""

import datetime as dt
import string
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_symbol

HOUSE = Path(__file__).parent / "templates"
NOTHING = "–"


class ReportError(Exception):
    """A template, word or rule that cannot be used: names the file and what is wrong with it."""


class Words(string.Formatter):
    """One language. `say` makes a sentence; the others write one value."""

    def __init__(self, language: str, texts: Mapping[str, Any], currency: str) -> None:
        self.language, self.texts, self.currency = language, texts, currency
        try:
            self.locale = Locale.parse(language)
        except (UnknownLocaleError, ValueError) as error:
            raise ReportError(f"words/{language}.yaml: {language!r} names no language (say en, zh, de)") from error

    @cached_property
    def names(self) -> Mapping[str, str]:
        """How names that the systems write otherwise are written here."""
        return self.texts.get("names") or {}

    def say(self, key: str, **values: Any) -> str:
        """A sentence with its values; ReportError if the file has none of this name, or asks for a value it has not."""
        text: Any = self.texts
        for part in key.split("."):
            text = text.get(part) if isinstance(text, Mapping) else None
        if not isinstance(text, str):
            raise ReportError(f"words/{self.language}.yaml says nothing for {key}")
        try:
            return self.vformat(text, (), values)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            has = ", ".join(values) or "none"
            raise ReportError(f"words/{self.language}.yaml, {key}: {error} (there are: {has})") from error

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        """A value by its plain name: a sentence reaches into nothing."""
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """A value as its place asks for it; without a word it is a name."""
        ways: dict[str, Callable[[Any], str]] = {
            "money": self.money,
            "percent": self.percent,
            "number": self.number,
            "date": self.date,
        }
        ways |= {"month": self.month, "decimal": self.decimal, "": self.name}
        if format_spec not in ways:
            raise ValueError(f"a value is written as {', '.join(filter(None, ways))}, not as {format_spec!r}")
        return str(ways[format_spec](value))

    def has(self, key: str) -> bool:
        """Whether there is a sentence of this name."""
        text: Any = self.texts
        for part in key.split("."):
            text = text.get(part) if isinstance(text, Mapping) else None
        return isinstance(text, str)

    def name(self, text: Any) -> str:
        """A name that came with the data, in this language if the file knows how."""
        return NOTHING if text is None or text == "" else str(self.names.get(str(text), text))

    def money(self, amount: Decimal | None) -> str:
        """An amount of the business currency."""
        return NOTHING if amount is None else str(format_currency(amount, self.currency, locale=self.locale))

    def list(self, names: Sequence[str]) -> str:
        """Several names: a, b and c."""
        return str(format_list(names, locale=self.locale))

    def number(self, value: float | Decimal | None) -> str:
        """A whole number."""
        return NOTHING if value is None else str(format_decimal(round(value), locale=self.locale))

    def decimal(self, value: float | None) -> str:
        """A number to one place."""
        return NOTHING if value is None else str(format_decimal(value, "#,##0.0", locale=self.locale))

    def percent(self, share: float | None) -> str:
        """A share of one to a tenth of a percent."""
        return NOTHING if share is None else str(format_percent(share, "#,##0.0%", locale=self.locale))

    def change(self, share: float | None) -> str:
        """A share of one with its sign."""
        return NOTHING if share is None else str(format_percent(share, "+#,##0.0%;-#,##0.0%", locale=self.locale))

    def date(self, day: dt.date | None) -> str:
        """A day, with its year."""
        return NOTHING if day is None else str(format_date(day, "long", locale=self.locale))

    def day(self, day: dt.date) -> str:
        """A day without its year, short: for the axis of a chart."""
        return str(format_skeleton("MMMd", day, locale=self.locale))

    def month(self, day: dt.date | None) -> str:
        """The month of a day, with its year."""
        return NOTHING if day is None else str(format_skeleton("yMMMM", day, locale=self.locale))

    @property
    def joint(self) -> str:
        """What stands between two sentences."""
        return "" if self.locale.language in ("zh", "ja") else " "

    @property
    def symbol(self) -> str:
        """The sign of the currency."""
        return str(get_currency_symbol(self.currency, locale=self.locale))


def folders(own: Path | None) -> list[Path]:
    """Where templates are looked for, the user's own first."""
    if own is None:
        return [HOUSE]
    if not own.is_dir():
        raise ReportError(f"{own} is no folder: report_templates names the one with your own templates")
    return [own, HOUSE]


def languages(own: Path | None) -> list[str]:
    """Every language that has a words file."""
    return sorted({p.stem for folder in folders(own) for p in (folder / "words").glob("*.yaml")})


def words(language: str, own: Path | None, currency: str) -> Words:
    """The words of a language: the house's, and over them the user's."""
    return Words(language, _merged(f"words/{language}.yaml", own), currency)


def rules(own: Path | None) -> Mapping[str, Mapping[str, float]]:
    """The thresholds of the rules: the house's, and over them the user's. ReportError for one that no rule asks for."""
    house, found = _read(HOUSE / "rules.yaml"), _merged("rules.yaml", own)
    for name, values in found.items():
        for key, value in (values or {}).items():
            if key not in house.get(name, {}):
                raise ReportError(f"rules.yaml: no rule asks for {name}: {key}")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ReportError(f"rules.yaml: {name}: {key} is {value!r}, and should be a number")
    return found


def _merged(file: str, own: Path | None) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for folder in reversed(folders(own)):
        if (folder / file).is_file():
            found = _over(found, _read(folder / file))
    return found


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        both[key] = (
            _over(both[key], value) if isinstance(value, Mapping) and isinstance(both.get(key), Mapping) else value
        )
    return both


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReportError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(found, Mapping):
        raise ReportError(f"{path} should hold lines of `name: words`")
    return found
