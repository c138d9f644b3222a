"""The docs as a site: `make docs`. Pages are the Markdown files beside this one; what code says is added here."""

import os
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
REFERENCE = DOCS / "reference"  # made anew by each build; git leaves it alone
sys.path.insert(0, str(DOCS.parent))
os.environ.setdefault("SHOPLAKE_RUN_BY", "docs")

project = "Shoplake"
extensions = ["myst_parser"]
exclude_patterns = ["conf.py"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
suppress_warnings = ["myst.strikethrough", "misc.highlighting_failure"]
html_theme = "furo"
html_title = "Shoplake"
html_extra_path = ["reference/pages"]
html_show_copyright = False
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Write the pages that are made from code before the others are read."""
    (REFERENCE / "pages").mkdir(parents=True, exist_ok=True)
    _write(REFERENCE / "cli.md", _commands())
    _write(REFERENCE / "settings.md", _settings())
    from jobs.kit.contracts import all_contracts
    from jobs.kit.dictionary import page

    _write(REFERENCE / "pages" / "dictionary.html", page(all_contracts()))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # Sphinx goes by what changed
        path.write_text(text, encoding="utf-8")


def _commands() -> str:
    """Every command with its options, as `--help` tells it."""
    command = [sys.executable, "-m", "typer", "jobs.cli", "utils", "docs", "--name", "shoplake", "--title", "Commands"]
    return subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=True).stdout


def _settings() -> str:
    """Every setting, from the one class that reads the environment."""
    from jobs.kit.settings import Settings

    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in ("", None, {}) or name in ("home", "drop", "alerts") else f"`{field.default}`"
        rows.append(f"| `SHOPLAKE_{name.upper()}` | {default} | {field.description} |")
    head = "| variable | default | what it is |\n|---|---|---|\n"
    about = "Environment variables, or lines of `<home>/settings.env`. `shoplake doctor` prints them.\n\n"
    return "# Settings\n\n" + about + head + "\n".join(rows) + "\n"
