"""Reports as pages: Jinja templates that anyone may change, self-contained, with every value escaped.

Templates run in Jinja's sandbox: one that somebody sends can show a report's figures, and do nothing else.
"""

from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jobs.reports.words import ReportError, Words, folders


class Pages:
    """The templates in one language; compiled once."""

    def __init__(self, words: Words, own: Path | None) -> None:
        self.words = words
        self.jinja = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folders(own)),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for way in ("money", "percent", "number", "decimal", "date", "month", "change", "name"):
            self.jinja.filters[way] = getattr(words, way)
        self.jinja.globals |= {"say": words.say, "language": words.locale.language}

    def write(self, template: str, **values: Any) -> str:
        """A page. ReportError, with file and line, if the template is wrong or asks for what is not there."""
        try:
            return self.jinja.get_template(template).render(values)
        except TemplateError as error:
            raise ReportError(f"{_place(error, template)}: {error.message or type(error).__name__}") from error
        except (TypeError, ValueError, KeyError, AttributeError, ZeroDivisionError) as error:
            raise ReportError(f"{_place(error, template)}: {error}") from error


def _place(error: Exception, template: str) -> str:
    """The template's file and line where it went wrong: Jinja puts them into the traceback."""
    line = getattr(error, "lineno", None)  # of one that cannot be read at all
    where = f"{getattr(error, 'name', None) or template}, line {line}" if line else template
    trace = error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith((".j2", ".css")):
            where = f"{Path(file).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return where
