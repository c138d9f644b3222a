"""The words of the simulated customers: as many as asked for, repeatable, varied, and saying what the truth says."""

import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from jobs.demo.retailer import texts
from jobs.demo.retailer.texts import CHANNELS, LANGUAGES, SENTIMENTS, TOPICS

ZH = np.array(["草莓", "牛奶", "酱油", "土豆", "酸奶", "面包", "大米", "苹果"])
EN = np.array(["strawberries", "milk", "soy sauce", "potatoes", "yoghurt", "bread", "rice", "apples"])
HAN = re.compile("[\u4e00-\u9fff]")


def asked(n, languages=LANGUAGES, seed=5):
    """What a caller hands in: nouns, stars, topics and languages of n reviews."""
    rng = np.random.default_rng(seed)
    product = rng.integers(0, len(ZH), n)
    stars = rng.choice([1, 2, 3, 4, 5], n, p=[0.10, 0.08, 0.12, 0.25, 0.45])
    return ZH[product], EN[product], stars, rng.integers(0, len(TOPICS), n), rng.choice(languages, n)


def written(n, languages=LANGUAGES, seed=1):
    return texts.reviews(np.random.default_rng(seed), *asked(n, languages))


def test_every_cell_has_ten_clauses():
    clauses = texts.bank("reviews")
    assert clauses.size.shape == (len(TOPICS), len(LANGUAGES), len(SENTIMENTS))
    assert clauses.size.min() >= 10
    assert len(set(clauses.lines.tolist())) == len(clauses.lines)


def test_clauses_are_in_their_language():
    clauses = texts.bank("reviews")
    for cell in np.ndindex(clauses.size.shape):
        lines = clauses.lines[clauses.first[cell] :][: clauses.size[cell]]
        assert all(bool(HAN.search(line)) == (cell[1] != 1) or "{" in line for line in lines), cell


@pytest.mark.parametrize("n", [0, 1, 500])
def test_as_many_as_asked_for(n):
    nouns_zh, nouns_en, stars, topic, language = asked(n)
    rng = np.random.default_rng(0)
    told = texts.reviews(rng, nouns_zh, nouns_en, stars, topic, language)
    assert len(told.text) == len(told.is_telling) == len(told.is_sarcastic) == len(told.minor) == n
    assert len(texts.surveys(rng, stars * 2, topic, language).text) == n
    ticket = texts.tickets(rng, np.full(n, "email"), topic, language, np.full(n, "SO1"), np.full(n, ""))
    assert len(ticket.subject) == len(ticket.body) == n
    assert [len(a) for a in texts.comments(rng, language)] == [n, n]


def test_same_seed_same_text_other_seed_other_text():
    first, same, other = written(2000), written(2000), written(2000, seed=2)
    for field in ("text", "is_telling", "is_sarcastic", "minor"):
        assert np.array_equal(getattr(first, field), getattr(same, field))
    assert (first.text != other.text).mean() > 0.95


def test_reviews_are_varied_and_of_bearable_length():
    told = written(20_000)
    length = np.char.str_len(told.text)
    assert len(set(told.text.tolist())) >= 0.7 * 20_000
    assert length[told.is_telling].min() >= 3
    assert np.percentile(length, 99) <= 120 and length.max() <= 160
    assert not any(mark in text for text in told.text for mark in "{}|\n")


def test_shares_of_what_makes_them_hard():
    told = written(20_000)
    assert 1 - told.is_telling.mean() == pytest.approx(0.02, abs=0.004)
    assert told.is_sarcastic.mean() == pytest.approx(0.03, abs=0.005)
    assert (told.minor >= 0).mean() == pytest.approx(0.08, abs=0.01)
    assert not told.is_sarcastic[asked(20_000)[2] > 2].any()
    assert (told.minor != asked(20_000)[3]).all()


def test_where_few_complain_they_are_not_all_sarcastic():
    zh, en, _, topic, language = asked(4000)
    stars = np.where(np.arange(4000) % 50 == 0, 1, 5)
    told = texts.reviews(np.random.default_rng(1), zh, en, stars, topic, language)
    assert told.is_sarcastic[stars == 1].mean() < 0.5


def test_what_tells_no_topic_has_no_clause_of_one():
    told = written(20_000)
    bare = set(told.text[~told.is_telling].tolist())
    assert bare <= set(texts.bank("bare").lines.tolist())


def test_truth_can_be_learnt_but_not_without_fault():
    nouns_zh, nouns_en, stars, topic, language = asked(4100, ("zh", "en"))
    told = texts.reviews(np.random.default_rng(1), nouns_zh, nouns_en, stars, topic, language)
    keep = np.flatnonzero(told.is_telling)[:4000]
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), max_features=4000).fit_transform(told.text[keep])
    for truth, least in ((topic[keep], 0.6), (np.digitize(stars[keep], [3, 4]), 0.75)):
        model = LogisticRegression(max_iter=300).fit(grams[:3000], truth[:3000])
        accuracy = model.score(grams[3000:], truth[3000:])
        assert least < accuracy < 1


def test_tickets_hold_the_numbers_they_say_they_hold():
    n = 6000
    rng = np.random.default_rng(3)
    _, _, _, topic, language = asked(n)
    orders = np.array([f"SO{i:07d}" for i in range(n)])
    phones = np.where(rng.random(n) < 0.7, "10012345678", "")
    ticket = texts.tickets(rng, rng.choice(CHANNELS, n), topic, language, orders, phones)
    assert ticket.has_order.mean() == pytest.approx(0.6, abs=0.03)
    assert ticket.has_phone[phones != ""].mean() == pytest.approx(0.15, abs=0.02)
    assert not ticket.has_phone[phones == ""].any()
    for body, order, has_order, has_phone in zip(ticket.body, orders, ticket.has_order, ticket.has_phone, strict=True):
        assert (order in body) == has_order
        assert ("10012345678" in re.sub("[ -]", "", body)) == has_phone
        assert "{" not in body
    assert not any("{" in subject for subject in ticket.subject)


def test_tickets_without_numbers_mention_none():
    none = np.full(500, "")
    ticket = texts.tickets(
        np.random.default_rng(1), np.full(500, "phone"), np.zeros(500, int), np.full(500, "zh"), none, none
    )
    assert not ticket.has_order.any() and not ticket.has_phone.any()
    assert np.mean(["来电" in body or "致电" in body or "客户" in body for body in ticket.body]) > 0.9


def test_surveys_name_their_score_and_no_product():
    _, _, _, topic, language = asked(3000)
    score = np.random.default_rng(2).integers(0, 11, 3000)
    told = texts.surveys(np.random.default_rng(1), score, topic, language)
    assert not any("{" in text for text in told.text)
    named = [(re.search(r"给(\d+)分", text), s) for text, s in zip(told.text, score, strict=True)]
    assert {int(found[1]) == s for found, s in named if found} == {True}


def test_comments_have_a_sentiment():
    language = np.random.default_rng(2).choice(LANGUAGES, 3000)
    text, sentiment = texts.comments(np.random.default_rng(1), language)
    assert set(sentiment.tolist()) == {-1, 0, 1}
    assert np.char.str_len(text).min() >= 1 and np.char.str_len(text).max() < 100
    assert not any("{" in t for t in text)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="klingon"):
        texts.comments(np.random.default_rng(1), np.array(["zh", "klingon"]))
