"""Texts of people; sources by example: tests/golden/texts."""

import random

import pytest
from pyspark.sql import functions as F

from jobs.kit import gate
from jobs.kit.contracts import load
from jobs.silver.texts import build, mask, name_language
from tests.frames import make

MASKED = [
    ("写信到an.na+x@shop.example.com吧", "写信到[mail]吧"),
    ("邮箱ａnna＠shop.example。", "邮箱ａ[mail]。"),
    ("身份证11010519900307123X已给", "身份证[document]已给"),
    ("证件110105199003071234", "证件[document]"),
    ("护照E12345678", "护照[document]"),
    ("电话16106526436，急", "电话[phone]，急"),
    ("call 161-0652-6436 or 161 0652 6436", "call [phone] or [phone]"),
    ("+86 16106526436", "[phone]"),
    ("８６１６１０６５２６４３６", "[phone]"),
    ("座机021-61234567", "座机[phone]"),
    ("订单SO0000000399和T0000000363", "订单[order]和[order]"),
    ("退货单R0000000363-2", "退货单[order]"),
    ("天猫4000000000007190452", "天猫[order]"),
    ("京东280000000013", "京东[order]"),
    ("卡号6222021234567890123", "卡号[order]"),
    ("卡号6222 0212 3456 7890 123", "卡号[order]"),
    ("电话161.0652.6436或(021)61234567", "电话[phone]或[phone]"),
    # Letters beside a number do not hide it.
    ("call16106526436please", "call[phone]please"),
    ("ID110105199003071234", "ID[document]"),
    ("ORDER16106526436", "OR[order]"),
    ("@小雨 来看，@Li_Lei", "[mention] 来看，[mention]"),
    # What identifies nobody stays.
    ("给10分，99.9元，2025年3月1日，P000102很好", "给10分，99.9元，2025年3月1日，P000102很好"),
    ("2025-12-31 2026-01-01 8:00-20:00", "2025-12-31 2026-01-01 8:00-20:00"),
    ("20250301下单，12345678次", "20250301下单，12345678次"),
]


@pytest.fixture(scope="module")
def masked(spark) -> dict[str, str]:
    frame = spark.createDataFrame([(text,) for text, _ in MASKED], "text string")
    return {row.text: row.masked for row in frame.withColumn("masked", mask(F.col("text"))).collect()}


@pytest.mark.parametrize(("text", "wanted"), MASKED)
def test_what_a_person_could_be_found_by_is_masked(masked, text, wanted):
    assert masked[text] == wanted


def test_language_is_told_by_the_characters(spark):
    wanted = {"很甜": "zh", "親，沒有": "zh", "very sweet": "en", "很sweet": "mixed", "👍 100!": "none", "": "none"}
    wanted |= {"订单[order]": "zh", "[phone]": "none", "call [phone]": "en"}
    frame = spark.createDataFrame([(text,) for text in wanted], "text string")
    assert {r.text: r.said for r in frame.withColumn("said", name_language(F.col("text"))).collect()} == wanted


def texts(spark, **rows):
    names = ("reviews", "service_tickets", "survey_answers", "social_interactions")
    return build(*[make(spark, name, rows.get(name, [])) for name in names])


def test_stars_and_scores_of_another_scale_are_set_aside(spark):
    reviews = [{"review_id": str(n), "stars": "5", "content": "好"} for n in range(100)]
    answers = [{"answer_id": str(n), "score": "9"} for n in range(100)]
    reviews[0]["stars"], reviews[1]["stars"], answers[0]["score"] = "10", "好", "11"
    verdict = gate.judge(texts(spark, reviews=reviews, survey_answers=answers), load("silver.texts"))
    assert verdict.passed
    assert verdict.refused_by_rule == {"be_between(stars)": 1, "known_stars": 1, "be_between(survey_score)": 1}


def test_the_gate_refuses_no_text_for_a_number_that_the_masks_would_miss(spark):
    dice = random.Random(5)
    parts = [
        "16106526436",
        "110105199003071234",
        "11010519900307123X",
        "T0000009889",
        "a.b@c.example",
        "@小雨",
        "021-61234567",
    ]
    parts += [*" -.@(+", "好", "call", "X", "x9", "86", "0", "12", "6222 0212 3456 7890"]
    bodies = ["".join(dice.choices(parts, k=dice.randrange(1, 7))) for _ in range(2000)]
    rows = texts(spark, service_tickets=[{"ticket_id": str(n), "body": body} for n, body in enumerate(bodies)])
    assert gate.judge(rows, load("silver.texts")).failures == {}
    assert rows.where("content rlike '[0-9]{9}'").count() == 0


def test_a_number_that_was_not_masked_publishes_nothing(spark):
    ticket = {"ticket_id": "1", "body": "16106526436"}
    unmasked = texts(spark, service_tickets=[ticket]).withColumn("content", F.lit("16106526436"))
    contract = load("silver.texts")
    assert gate.judge(unmasked, contract).failures == {"nobody_to_be_found": 1}
    assert gate.judge(texts(spark, service_tickets=[ticket]), contract).passed
