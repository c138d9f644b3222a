"""The docs say what is so: links lead somewhere, commands are ones that there are, and the site builds."""

import importlib.util
import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from jobs import cli
from jobs.kit import contracts
from jobs.kit.settings import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
PAGES = [p for p in PAGES if "reference" not in p.parts]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
OTHERS = {"export", "beeline", "git", "time"}  # of shell and system; beeline: tests/infra/test_sql_port.py


def commands(page):
    """Every command of a page's shell blocks, and those of ours in its running text; without comments."""
    text = page.read_text("utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(CHECKOUT)))
def test_every_row_stands_in_a_table(page):
    """A row after an empty line is shown with its bars."""
    lines = ["", *re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S).splitlines(), ""]
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        if line.startswith("|") and not before.startswith("|"):
            assert re.fullmatch(r"\|[-:| ]+\|", after), f"{page.name}: {line[:80]}"


def test_the_contracts_page_has_every_key():
    page = (CHECKOUT / "docs" / "contracts.md").read_text("utf-8")
    keys = contracts._TABLE_PROPERTIES | contracts._COLUMN_PROPERTIES | contracts.PULL | contracts.SUBJECT
    keys |= set(contracts.FORMATS) | set().union(*contracts.FORMATS.values())
    assert {key for key in keys if f"`{key}`" not in page} == set()


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
        written = ("basket_size", "gift_redemptions")  # by the pages themselves
        named = [w for w in rest if w.startswith("tests/") and not any(name in w for name in written)]
        assert all((CHECKOUT / w.split("::")[0]).exists() for w in named), rest
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]), words[2]
    else:
        assert program in OTHERS, f"nobody looks whether {program} is right"


# What only looks, and so can be done on any lake.
LOOKS = {"list", "explain", "sql", "scoreboard", "dictionary", "status", "doctor", "quality", "docs"}
LOOKS |= {"quarantine show", "contract lint", "contract diff", "identity log", "identity show"}
# What changes something, after which the demo's lake is none the worse.
CHANGES = {"run", "report", "extract", "train", "overhead", "vault audit", "quarantine replay", "erase --member"}
# Other commands of ours, by their words: of other data, or of what no demo has. Which test does them.
ELSEWHERE = {
    r"gifts|(?:gift_)?redemptions|new source": "tests/landing/test_new_source.py",
    r"loyalty_points|basket_size": "tests/test_howto.py",
    r"erase .*--later|erase .*--reason|erase --waiting|ops\.erasures": "tests/test_erasure.py",
    r"vault (?:rotate|show)|--reveal|ops\.vault_reads": "tests/kit/test_vault.py",
    r"contract diff .*(?:--write|--against)": "tests/kit/test_contract_diff.py",
    r"airflow ": "tests/dags/test_backfill.py",
    r"(up|down)$": "tests/infra/test_services.py",
    r"stream|up kafka": "tests/landing/test_stream.py",
    r"up superset": "tests/infra/test_dashboards.py",
    r"simulate": "tests/demo/test_retailer.py",
    r"demo": "tests/conftest.py",
    r"scoreboard --write": "tests/demo/test_scoreboard.py",
    r"install-completion": "tests/kit/test_cli.py",
}
INCOMPLETE = re.compile(r"…|<|TABLE|2017|~|^(run|sql|erase|explain)$")  # words of a reader's are wanted, or their data


def said_by(pattern, words):
    """What of the words is of this kind."""
    found = re.match(rf".*\b({pattern})", " ".join(words))
    return found and found[1]


def does(words):
    """What is done with the words after `shoplake`: `looks`, `changes`, or the test that does them."""
    said = " ".join(words)
    if INCOMPLETE.search(said):
        return None
    for pattern, test in ELSEWHERE.items():
        if said_by(pattern, words):
            return test
    kinds = {words[0], " ".join(words[:2])}
    return "looks" if kinds & LOOKS else "changes" if kinds & CHANGES else ""


OURS = sorted({tuple(words[1:]) for _, words in EVERY if words[0] == "shoplake"})


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_every_command_of_ours_is_done_by_a_test(words):
    where = does(words)
    assert where != "", f"nobody tries: shoplake {' '.join(words)}"
    if where in (None, "looks", "changes"):
        return
    pattern = next(pattern for pattern, test in ELSEWHERE.items() if test == where and said_by(pattern, words))
    *_, word = re.findall(r"\w[\w-]*", said_by(pattern, words))
    assert word in (CHECKOUT / where).read_text("utf-8"), f"{where} says nothing of {word}"


def do(words, env):
    done = subprocess.run([sys.executable, "-m", "jobs.cli", *words], env=env, capture_output=True, text=True)
    allowed = (0, 3) if "--check" in words else (0,)  # 3: the check found something, which is what it is for
    assert done.returncode in allowed and (done.stdout + done.stderr).strip(), done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("words", [w for w in OURS if does(w) == "looks"], ids=" ".join)
def test_every_command_that_looks_does(words, demo_lake):
    do(words, demo_lake)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("words", [w for w in OURS if does(w) == "changes"], ids=" ".join)
def test_every_command_that_changes_something_does(words, demo_lake):
    do(words, demo_lake)


def is_known(words):
    """Whether there is such a command with such options: its help comes only if all of them can be read."""
    if words == ["--install-completion"]:  # would be done, whatever stands after it
        return True
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
