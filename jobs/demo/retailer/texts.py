"""What the simulated retailer's customers write, with the topic and the sentiment they meant.

Reviews, service tickets, answers to the NPS question and comments under social posts. A text is put together from
lines of `texts.yaml`: a clause that tells the topic, and what people add to it (an opener, a second clause, another
topic, a closing word, emojis, habits of punctuation), then what goes wrong in writing: slips of hand, traditional
characters. Everything is drawn as arrays of line numbers; only the joining is done text by text.

Truth and words are kept apart: the caller says what is meant, and some texts do not show it (a bare thumbs-up) or show
the contrary (sarcasm). No text has a line break. The same generator in the same state gives the same texts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

TOPICS = (
    "freshness",
    "price",
    "delivery_speed",
    "delivery_damage",
    "staff_service",
    "packaging",
    "taste",
    "out_of_stock",
    "app_problem",
    "refund",
)
LANGUAGES = ("zh", "en", "mixed")
SENTIMENTS = ("negative", "mixed", "positive")
CHANNELS = ("phone", "wechat", "email")
FRAMES = ("zh", "en")  # of a ticket: who mixes languages does so within Chinese sentences

MINOR = 0.08  # share of opinions with a second topic
SARCASM = 0.03  # share that says the contrary of what is meant, all of it from the negative ones
SARCASM_MOST = 0.25  # of the negative ones: where nearly all are content, the few others are not all sarcastic
BARE_REVIEWS, BARE_SURVEYS = 0.02, 0.06  # share without a topic in it: a thumbs-up, 好评; 无
TYPOS, TRADITIONAL = 0.02, 0.01
LONGEST = 120  # characters, before the product's name is put in: what is not needed is left out beyond that


@dataclass(frozen=True)
class Opinions:
    """Texts, and what only their writer knows.

    `is_telling` is false where no reader could tell the topic (an emoji, 好评); the topic that was asked for is the
    truth nevertheless. `is_sarcastic` marks words that look pleased where the sentiment is negative. `minor` is the
    second topic as an index into TOPICS, or -1.
    """

    text: np.ndarray
    is_telling: np.ndarray
    is_sarcastic: np.ndarray
    minor: np.ndarray


@dataclass(frozen=True)
class Tickets:
    """Service tickets; `has_order` and `has_phone` say whether the body holds the order's number and a phone number."""

    subject: np.ndarray
    body: np.ndarray
    has_order: np.ndarray
    has_phone: np.ndarray


@dataclass(frozen=True)
class Bank:
    """Lines, cell after cell; where each begins and how many it has, by the codes of one or more lists of names."""

    lines: np.ndarray
    first: np.ndarray
    size: np.ndarray


def reviews(
    rng: np.random.Generator,
    nouns_zh: np.ndarray,
    nouns_en: np.ndarray,
    stars: np.ndarray,
    topic: np.ndarray,
    language: np.ndarray,
) -> Opinions:
    """Product reviews. 1 and 2 stars mean a negative sentiment, 3 a mixed one, 4 and 5 a positive one.

    `topic` is an index into TOPICS, `language` one of LANGUAGES; the nouns name the product ('草莓', 'strawberries').
    2 % are a bare emoji, 好评 or the like: no topic can be told from them (`is_telling` is false), yet the truth still
    has the one that was asked for. 3 % are sarcastic: the words look pleased, the sentiment is negative.
    """
    tongue = _codes(language, LANGUAGES)
    english = (tongue == 1) | ((tongue == 2) & (rng.random(len(tongue)) < 0.3))
    nouns = np.where(english, np.asarray(nouns_en, object), np.asarray(nouns_zh, object))
    sentiment = np.digitize(stars, [3, 4])
    bare = _draw(rng, bank("bare"), tongue, sentiment)
    return _opinions(rng, bank("reviews"), bank("opener"), bare, BARE_REVIEWS, nouns, sentiment, topic, tongue)


def surveys(rng: np.random.Generator, score: np.ndarray, topic: np.ndarray, language: np.ndarray) -> Opinions:
    """Free answers to "why this score?" after the NPS question: 0 to 6 are detractors, 9 and 10 promoters."""
    tongue = _codes(language, LANGUAGES)
    sentiment = np.digitize(score, [7, 9])
    bare = _draw(rng, bank("survey_bare"), tongue)
    nouns = np.where(tongue == 1, "stuff", "东西").astype(object)  # only sarcasm still names what was bought
    told = _opinions(rng, _plain("reviews"), bank("survey_opener"), bare, BARE_SURVEYS, nouns, sentiment, topic, tongue)
    text = [t.replace("{score}", str(s)) for t, s in zip(told.text.tolist(), np.asarray(score).tolist(), strict=True)]
    return Opinions(_strings(text), told.is_telling, told.is_sarcastic, told.minor)


def tickets(
    rng: np.random.Generator,
    channel: np.ndarray,
    topic: np.ndarray,
    language: np.ndarray,
    order_ref: np.ndarray,
    phones: np.ndarray,
) -> Tickets:
    """Service tickets, told in the manner of their channel: the agent's notes of a call, a chat, a mail.

    Most complain, a quarter ask. The order's number is in 60 % of the bodies, the customer's phone number in 15 % of
    those where `phones` has one: personal data in free text, at times with blanks or hyphens in it. Slips of hand and
    traditional characters are as in reviews, and spare the numbers.
    """
    n = len(topic)
    way, tongue = _codes(channel, CHANNELS), _codes(language, LANGUAGES)
    frame = (tongue == 1).astype(int)
    order_ref, phones = np.asarray(order_ref, object), np.asarray(phones, object)

    asks = rng.random(n) < 0.25
    first, second = _draw(rng, bank("ticket_problem"), topic, tongue, times=2)
    question = _draw(rng, bank("ticket_question"), topic, tongue)
    problem = np.where(rng.random(n) < 0.25, first + np.where(frame == 1, ", ", "，") + second, first)
    said = np.where(asks, _draw(rng, bank("ticket_ask"), way, frame), _draw(rng, bank("ticket_state"), way, frame))
    wish = _draw(rng, bank("ticket_want"), way, frame)
    wished = _draw(rng, bank("ticket_wish"), topic, frame)
    has_order = (rng.random(n) < 0.6) & (order_ref != "")
    has_phone = (rng.random(n) < 0.15) & (phones != "")

    parts = [
        said,
        _some(rng.random(n) < np.where(asks, 0.1, 0.6), wish),
        _some(has_order, _draw(rng, bank("ticket_order"), way, frame)),
        _some(has_phone, _draw(rng, bank("ticket_phone"), way, frame)),
        _some(rng.random(n) < 0.6, _draw(rng, bank("ticket_end"), way, frame)),
    ]
    before = (rng.random(n) < 0.3).tolist()  # the order's number comes first
    # Whole sentences in notes and mails; in chats often just a blank.
    stop = np.where(frame == 1, np.where(way == 1, _choice(rng, [" ", ", ", ". "], n), ". "), "。")
    stop = np.where((frame == 0) & (way == 1), _choice(rng, [" ", "，", "。", "，"], n), stop)
    body = []
    for (told, *more), what, want, gap, ahead in zip(
        zip(*[p.tolist() for p in parts], strict=True),
        np.where(asks, question, problem).tolist(),
        wished.tolist(),
        stop.tolist(),
        before,
        strict=True,
    ):
        told = told.replace("{what}", what)
        sentences = [more[1], told, more[0], *more[2:]] if ahead else [told, *more]
        body.append(_sentences([s.replace("{wish}", want) for s in sentences if s], gap))
    body = _slips(rng, body, np.arange(n), tongue)

    numbers = zip(order_ref.tolist(), _as_typed(rng, phones), strict=True)
    body = [
        b.replace("{order}", str(order)).replace("{phone}", phone)
        for b, (order, phone) in zip(body, numbers, strict=True)
    ]
    title, about = _draw(rng, bank("ticket_title"), way, frame), _draw(rng, bank("ticket_subject"), topic, tongue)
    subject = [t.replace("{subject}", a) for t, a in zip(title.tolist(), about.tolist(), strict=True)]
    return Tickets(_strings(subject), _strings(body), has_order, has_phone)


def comments(rng: np.random.Generator, language: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Short comments under a social post, and their sentiments: -1, 0 or 1; a good part only ask something."""
    n = len(language)
    tongue = _codes(language, LANGUAGES)
    sentiment = _choice(rng, [0, 1, 2], n, [0.18, 0.40, 0.42])
    one, two = _draw(rng, bank("comments"), tongue, sentiment, times=2)
    clause = one + _some(rng.random(n) < 0.2, np.where(tongue == 1, ", ", "，") + two)
    very = _draw(rng, bank("very"), tongue)
    emoji = _some(rng.random(n) < 0.3, _draw(rng, bank("emoji"), sentiment) * _choice(rng, [1, 2, 3], n, [6, 2, 2]))
    stressed, drawn = np.where(tongue == 1, [["!"], ["..."]], [["！"], ["～"]]).astype(object)
    manner = rng.random(n)
    end = np.where((manner < 0.3) & (sentiment != 1), stressed, _some(manner > 0.85, drawn))
    end = _some(np.array([c[-1:] != "?" for c in clause.tolist()], bool), end)
    columns = [c.tolist() for c in (clause, very, end, emoji)]
    text = [c.replace("{very}", v) + e + j for c, v, e, j in zip(*columns, strict=True)]
    return _strings(_slips(rng, text, np.arange(n), tongue)), (sentiment - 1).astype(np.int8)


@cache
def bank(name: str) -> Bank:
    """A part of `texts.yaml`; its levels are those of TOPICS, LANGUAGES and so on that have just the names found."""
    return _bank(_words()[name])


@cache
def _plain(name: str) -> Bank:
    """The lines of a bank that name no product."""
    return _bank(_words()[name], without="{noun}")


@cache
def _words() -> dict[str, Any]:
    return yaml.safe_load(files("jobs.demo.retailer").joinpath("texts.yaml").read_text("utf-8"))


def _bank(tree: Any, without: str | None = None) -> Bank:
    lines: list[str] = []
    size: list[int] = []

    def walk(node: Any) -> tuple[int, ...]:
        """Gather the lines below in the order of the codes; answer the number of names per level."""
        if isinstance(node, str):
            fresh = [line for line in node.splitlines() if not (without and without in line)]
            lines.extend(fresh)
            size.append(len(fresh))
            return ()
        names = next(v for v in (TOPICS, LANGUAGES, SENTIMENTS, CHANNELS, FRAMES) if set(v) == set(node))
        below = [walk(node[name]) for name in names]
        return (len(names), *below[0])

    shape = walk(tree)
    sizes = np.array(size)
    return Bank(np.array(lines, object), (np.cumsum(sizes) - sizes).reshape(shape), sizes.reshape(shape))


def _draw(rng: np.random.Generator, words: Bank, *cell: np.ndarray, times: int = 1) -> np.ndarray:
    """A line of each cell; with `times`, an array of so many rows (at most 3), all different within a cell."""
    first, size = words.first[cell], words.size[cell]
    at = (rng.random(len(size)) * size).astype(int)
    if times == 1:
        return words.lines[first + at]
    step = 1 + (rng.random(len(size)) * ((size - 1) // 2)).astype(int)  # twice a step is short of coming round
    return words.lines[first + (at + np.arange(times)[:, None] * step) % size]


def _choice(
    rng: np.random.Generator, words: Sequence[Any], n: int, weights: Iterable[float] | None = None
) -> np.ndarray:
    p = None if weights is None else np.asarray(list(weights), float) / sum(weights)
    kind = object if isinstance(words[0], str) else int
    return np.array(words, kind)[rng.choice(len(words), n, p=p)]


def _some(mask: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """The lines where the mask holds, else nothing."""
    return np.where(mask, lines, "")


def _codes(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Each value's place in `names`."""
    found = np.asarray(values, object)[:, None] == np.array(names, object)
    if not found.any(axis=1).all():
        raise ValueError(f"not all of {sorted(set(map(str, values)))} are in {names}")
    return found.argmax(axis=1)


def _strings(texts: list[str]) -> np.ndarray:
    return np.array(texts, dtype=np.str_)


def _opinions(
    rng: np.random.Generator,
    clauses: Bank,
    openers: Bank,
    bare: np.ndarray,
    bare_share: float,
    nouns: np.ndarray,
    sentiment: np.ndarray,
    topic: np.ndarray,
    tongue: np.ndarray,
) -> Opinions:
    """Texts of these topics and sentiments, `bare` ones among them."""
    n = len(topic)
    telling = rng.random(n) >= bare_share
    negative = sentiment == 0
    share = min(SARCASM_MOST, SARCASM / max(negative.mean(), 1e-9)) if n else 0.0
    sarcastic = telling & negative & (rng.random(n) < share)
    has_minor = telling & ~sarcastic & (rng.random(n) < MINOR)
    tone = np.where(sarcastic, 2, sentiment)  # what the words around the clause look like
    talks = ~sarcastic & (rng.random(n) < 0.85)  # the others say one thing and no more

    # Who adds another topic often does so to put the first one right: "好吃，就是送得慢".
    other = (topic + rng.integers(1, len(TOPICS), n)) % len(TOPICS)
    turned = np.where(rng.random(n) < 0.5, sentiment, 2 - sentiment)
    link = np.where(turned == sentiment, _draw(rng, bank("also"), tongue), _draw(rng, bank("but"), tongue))
    space = np.where(tongue == 1, " ", "")
    main, second, third = _draw(rng, clauses, topic, tongue, sentiment, times=3)
    filler = _some(rng.random(n) < 0.2, _draw(rng, bank("filler"), tongue) + space)
    opener = _some(talks & (rng.random(n) < 0.45), _draw(rng, openers, tongue, tone))
    closer = _some((talks | sarcastic) & (rng.random(n) < 0.4), _draw(rng, bank("closer"), tongue, tone))
    parts = [
        np.where(sarcastic, _draw(rng, bank("praise"), tongue), opener),
        np.where(sarcastic, _draw(rng, bank("irony"), topic, tongue), main),
        _some(talks & (rng.random(n) < 0.45), filler + second),
        _some(talks & (rng.random(n) < 0.10), third),
        _some(has_minor, link + space + _draw(rng, clauses, other, tongue, turned)),
        closer,
    ]
    _shorten(parts, dispensable=(5, 3, 2, 0), spared=sarcastic)

    text = _joined(rng, parts, nouns, tone, tongue)
    text = _slips(rng, text, np.flatnonzero(telling), tongue)
    text = np.where(telling, np.array(text, object), bare).tolist()
    return Opinions(_strings(text), telling, sarcastic, np.where(has_minor, other, -1))


def _shorten(parts: list[np.ndarray], dispensable: Iterable[int], spared: np.ndarray) -> None:
    """Empty one part after the other of the texts that are longer than LONGEST."""
    lengths = [np.fromiter(map(len, p), int, len(p)) for p in parts]
    for i in dispensable:
        over = (sum(lengths) > LONGEST) & ~spared
        parts[i] = np.where(over, "", parts[i])
        lengths[i] = np.where(over, 0, lengths[i])


def _joined(
    rng: np.random.Generator, parts: list[np.ndarray], nouns: np.ndarray, tone: np.ndarray, tongue: np.ndarray
) -> list[str]:
    """One text per row of the parts, each in its writer's manner."""
    n = len(tone)
    english = tongue == 1
    gap = np.where(
        english,
        _choice(rng, [". ", ", ", "! ", "... ", " "], n, [50, 30, 6, 6, 8]),
        _choice(rng, ["，", " ", "。", "！", ",", "～", "…"], n, [60, 13, 9, 6, 7, 3, 2]),
    )
    end = np.where(
        english,
        _choice(rng, ["", ".", "!", "!!", "..."], n, [38, 40, 13, 4, 5]),
        _choice(rng, ["", "。", "！", "！！！", "～", "…", "~~"], n, [38, 32, 14, 5, 5, 3, 3]),
    )
    small = rng.random(n) < 0.25  # English without capitals
    emoji = np.where(tone == 0, 0.12, 0.2) > rng.random(n)
    emojis = _some(emoji, _draw(rng, bank("emoji"), tone) * _choice(rng, [1, 2, 3], n, [7, 1, 2]))
    emojis = np.where(english & (emojis != ""), " " + emojis, emojis)
    very, very_too = _draw(rng, bank("very"), tongue, times=2)
    again = np.where(english, "item", "")  # Chinese drops a subject that is known
    columns = [c.tolist() for c in (gap, end, emojis, very, very_too, nouns, again, english, small)]
    texts = []
    for row, stop, last, mood, much, more, noun, later, is_english, is_small in zip(
        zip(*[p.tolist() for p in parts], strict=True), *columns, strict=True
    ):
        told = "|".join(p for p in row if p).replace("{very}", much, 1).replace("{very}", more)
        said = told.replace("{noun}", noun, 1).replace("{noun}", later).split("|")
        if is_english:
            text = stop.join(said).lower() if is_small else _sentences(said, stop)
        else:
            text = "，".join(said).replace("，", stop)
        texts.append(text + last + mood)
    return texts


def _sentences(parts: Sequence[str], gap: str) -> str:
    """The parts joined; what follows a full stop, and the first part, begins with a capital."""
    if gap[0] in ".!":
        parts = [p[:1].upper() + p[1:] for p in parts]
    joined = ""
    for part in parts:  # a part that ends in a stop of its own needs no other
        joined += (gap if joined[-1:] not in "?？。" else gap[1:]) + part if joined else part[:1].upper() + part[1:]
    return joined


def _slips(rng: np.random.Generator, texts: list[str], rows: np.ndarray, tongue: np.ndarray) -> list[str]:
    """Some of these rows mistyped, and some of the Chinese ones in traditional characters."""
    texts = list(texts)
    for row in rows[rng.random(len(rows)) < TYPOS].tolist():
        texts[row] = _mistyped(rng, texts[row])
    chinese = rows[(tongue[rows] != 1) & (rng.random(len(rows)) < TRADITIONAL)]
    for row in chinese.tolist():
        texts[row] = texts[row].translate(_traditional())
    return texts


def _mistyped(rng: np.random.Generator, text: str) -> str:
    """One slip: a homophone where there is one, else a character doubled or dropped; never within a placeholder."""
    which, at = rng.random(2)
    alike = [(meant, typed) for meant, typed in _homophones() if meant in text]
    if alike and which < 0.5:
        return text.replace(*alike[int(at * len(alike))], 1)
    places = [i for i, c in enumerate(text) if c.isalpha() and text.rfind("{", 0, i) <= text.rfind("}", 0, i)]
    if len(places) < 4:  # nothing to spare
        return text
    i = places[int(at * len(places))]
    return text[:i] + text[i + 1 :] if which > 0.75 else text[:i] + text[i] + text[i:]


@cache
def _homophones() -> list[tuple[str, str]]:
    pairs = [line.split() for line in _words()["homophones"].splitlines()]
    return [(meant, typed) for meant, typed in pairs]


@cache
def _traditional() -> dict[int, str]:
    pairs = "".join(_words()["traditional"].split())
    return str.maketrans(dict(zip(pairs[::2], pairs[1::2], strict=True)))


def _as_typed(rng: np.random.Generator, phones: np.ndarray) -> list[str]:
    """Phone numbers as people write them into a text: a fifth of those of 11 digits in groups."""
    mark = _choice(rng, ["", " ", "-"], len(phones), [8, 1, 1]).tolist()
    return [
        m.join((p[:3], p[3:7], p[7:])) if len(p) == 11 and p.isdigit() else p
        for p, m in zip(map(str, phones.tolist()), mark, strict=True)
    ]
