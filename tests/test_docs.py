"""The docs say what is so: links lead somewhere, commands are ones that there are, and the site builds."""

import importlib.util
import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from jobs import cli
from jobs.kit.settings import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
PAGES = [p for p in PAGES if "reference" not in p.parts]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
OTHERS = {"export", "beeline", "git", "time"}  # of shell and system


def commands(page):
    """Every command of a page's shell blocks, and those of ours in its running text; without comments."""
    text = page.read_text("utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    ours = r"`((?:[A-Z]+=\S+ )*(?:shoplake|make|python -m|pytest) [^`]*)`"
    lines += re.findall(ours, BLOCK.sub("", text))
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";")
        lexer.whitespace_split = True
        words = []
        for word in [*lexer, ";"]:
            if not word or word.strip(";"):
                words.append(word)
            else:
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words = words[1:]
                if words:
                    yield words
                words = []


EVERY = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_links_lead_to_files_and_headings_that_there_are(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name) if name else page
        if name.startswith(("reference/", "dictionary.html")):  # made when the site is built
            continue
        assert file.exists(), f"{page.name} links to {target}"
        if heading:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M)
            assert heading in {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}, target


def test_the_pages_have_commands():
    assert len(EVERY) > 100 and {"shoplake", "make"} <= {words[0] for _, words in EVERY}


@pytest.mark.parametrize(("page", "words"), EVERY, ids=lambda v: " ".join(v) if isinstance(v, list) else v.name)
def test_every_command_is_one_that_there_is(page, words):
    program, *rest = words
    if program == "shoplake":
        assert is_known(rest)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.M)
        assert {w for w in rest if "=" not in w} <= set(targets)
    elif program == "pytest":
        named = [w for w in rest if w.startswith("tests/")]
        assert all((CHECKOUT / w.split("::")[0]).exists() for w in named), rest
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), words[2]
    else:
        assert program in OTHERS, f"nobody looks whether {program} is right"


# What only looks, and so can be done on any lake.
LOOKS = {"list", "explain", "sql", "scoreboard", "dictionary", "status", "doctor", "quality", "docs"}
LOOKS |= {"quarantine show", "contract lint", "contract diff", "identity log", "identity show"}
# Of other data, with something left out, a ledger that the demo never needs; or they write after all.
DEMOS_OWN = (
    "2017",
    "…",
    "reveal",
    "--write",
    "origin/main",
    "redemptions",
    "gifts",
    "<",
    "TABLE",
    "ops.erasures",
    "ops.vault_reads",
)


def looks(words):
    """The words after `shoplake`, if all that they do is to look."""
    rest = words[1:]
    if words[0] != "shoplake" or rest in (["sql"], ["explain"]) or any(own in " ".join(rest) for own in DEMOS_OWN):
        return None
    return rest if {rest[0], " ".join(rest[:2])} & LOOKS else None


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("rest", sorted({tuple(r) for _, words in EVERY if (r := looks(words))}), ids=" ".join)
def test_every_command_that_looks_does(rest, demo_lake):
    done = subprocess.run([sys.executable, "-m", "jobs.cli", *rest], env=demo_lake, capture_output=True, text=True)
    allowed = (0, 3) if "--check" in rest else (0,)  # 3: the check found something, which is what it is for
    assert done.returncode in allowed and (done.stdout + done.stderr).strip(), done.stdout[-2000:] + done.stderr[-2000:]


def is_known(words):
    """Whether there is such a command with such options: its help comes only if all of them can be read."""
    if words[:1] == ["airflow"]:  # hands its words to Airflow
        words = []
    return CliRunner().invoke(cli.app, [*words, "--help"]).exit_code == 0


def test_a_wrong_command_would_be_found():
    for words in (["explian"], ["run", "--as-off", "2025-01-01"], ["vault", "open"], ["demo", "--lives"]):
        assert not is_known(words), words


def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "trees"), "docs"]
    done = subprocess.run([*command, str(tmp_path / "site")], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("index.html", "reference/cli.html", "reference/settings.html", "dictionary.html"):
        assert (tmp_path / "site" / name).stat().st_size > 5_000, name
