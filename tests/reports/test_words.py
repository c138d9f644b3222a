"""Words, rules and templates as files: complete in every language, and a user's own win."""

import csv
import string
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from jobs.demo import retailer
from jobs.reports import advice, write
from jobs.reports.words import HOUSE, ReportError, languages, rules, words
from tests.reports.conftest import sales


def told(language: str) -> dict[str, set]:
    """Each sentence of a language by its key, with the places for values in it; names are each language's own."""

    def flat(texts: dict, above: str = ""):
        for key, value in texts.items():
            if isinstance(value, dict):
                yield from flat(value, f"{above}{key}.")
            else:
                yield above + key, {(name, way) for _, name, way, _ in string.Formatter().parse(value) if name}

    return dict(flat({k: v for k, v in words(language, None, "CNY").texts.items() if k != "names"}))


def test_every_language_says_the_same_with_the_same_values():
    assert {"en", "zh"} <= set(languages(None))
    for language in languages(None):
        assert told(language) == told("en"), language


def test_every_rule_has_a_sentence_and_thresholds():
    known = {rule.__name__ for kind in advice.RULES.values() for rule in kind}
    assert {key.removeprefix("advice.") for key in told("en") if key.startswith("advice.")} == known | {
        "also",
        "slow_stock_year",
    }
    assert set(rules(None)) == known


def test_the_demos_categories_have_chinese_names():
    """The lake has them in English."""
    with (Path(retailer.__file__).parent / "types.csv").open(encoding="utf-8") as file:
        known = {row[level] for row in csv.DictReader(file) for level in ("department_en", "category_en")}
    assert known <= set(words("zh", None, "CNY").names)


def test_every_sentence_is_used_by_a_template_or_by_the_code():
    code = "".join(p.read_text(encoding="utf-8") for p in [*HOUSE.glob("*.j2"), *HOUSE.parent.glob("*.py")])
    put_together = ("advice.", "kinds.", "title.", "summary.", "shop_summary.", "campaign_summary.", "section.store")
    put_together += ("section.channel", "note.no_stock", "note.no_spoilage", "note.no_margin")
    assert [k for k in told("en") if f'"{k}"' not in code and not k.startswith(put_together)] == []


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        (
            "en",
            ["CN¥1,234.50", "12.3%", "+5.0%", "3.1", "January 2, 2025", "January 2025", "–", "A, B, and C", "-5.0%"],
        ),
        ("zh", ["¥1,234.50", "12.3%", "+5.0%", "3.1", "2025年1月2日", "2025年1月", "–", "A、B和C", "-5.0%"]),
    ],
)
def test_values_are_written_as_the_language_does(language, wanted):
    w, day = words(language, None, "CNY"), date(2025, 1, 2)
    values = [
        w.money(Decimal("1234.50")),
        w.percent(0.1234),
        w.change(0.05),
        w.decimal(3.14),
        w.date(day),
        w.month(day),
    ]
    assert [*values, w.money(None), w.list(["A", "B", "C"]), w.change(-0.05)] == wanted


def test_another_currency_is_written_with_its_sign():
    assert words("en", None, "USD").money(Decimal("-1.5")) == "-$1.50"


def own(tmp_path, **files: str):
    for name, text in files.items():
        path = tmp_path / "own" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "own"


def test_a_users_words_rules_templates_and_language_win(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    files = {
        "words__en.yaml": 'title: {shop: "My till"}\nnames: {Milk: "Cow juice"}',
        "rules.yaml": "rising: {least_change: 0.01, beyond_the_whole: 0.0}",
        "style.css": "body { color: rebeccapurple }",
        "words__de.yaml": (HOUSE / "words/en.yaml").read_text(encoding="utf-8").replace('"English"', '"Deutsch"'),
    }
    made = write.write(tmp_path / "r", currency="EUR", kinds=["shop"], own=own(tmp_path, **files))
    text = (made.folder / "en/shop/all.html").read_text(encoding="utf-8")
    assert "<h1>My till" in text and "Cow juice" in text and "rebeccapurple" in text and ":root" not in text
    assert "Green tea sold" in text  # by a threshold that the house does not have
    assert "What to do next" in text  # what they did not say is the house's
    german = (made.folder / "de/shop/all.html").read_text(encoding="utf-8")
    assert "31. März 2025" in german and "\u00a0€" in german and 'lang="de"' in german


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("shop.html.j2", "<p>\n{{ r.nothing }}", r"shop.html.j2, line 2: .*nothing"),
        ("shop.html.j2", "{% if %}", r"shop.html.j2, line 1: Expected an expression"),
        ("shop.html.j2", '{{ say("no.such") }}', r"words/en.yaml says nothing for no.such"),
        ("shop.html.j2", '{{ "".__class__.__mro__ }}', r"shop.html.j2, line 1: .*unsafe"),
        ("words__en.yaml", "shop_summary: {up: '{nwo}', down: '{nwo}'}", r"summary.\w+: 'nwo' \(there are: days"),
        ("words__en.yaml", "shop_summary: {up: '{now:gold}', down: '{now:gold}'}", r"not as 'gold'"),
        ("words__en.yaml", "title: {shop: 'a", r"en.yaml: while scanning"),
        ("words__en.yaml", "- a list", r"should hold lines"),
        ("rules.yaml", "rising: {least_chnage: 1}", r"no rule asks for rising: least_chnage"),
        ("rules.yaml", "rising: {least_change: much}", r"'much', and should be a number"),
        ("words__klingon-.yaml", "a: b", r"names no language"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_one_sentence_with_its_place(gold, tmp_path, file, text, said):
    gold("gold.sales_daily", *sales())
    with pytest.raises(ReportError, match=said):
        write.write(tmp_path / "r", currency="CNY", kinds=["shop"], own=own(tmp_path, **{file: text}))


def test_the_house_templates_are_valid_yaml_with_text_only():
    for path in HOUSE.glob("words/*.yaml"):
        texts = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {type(v) for v in texts["names"].values()} == {str}
