"""Persons, and their accounts: who there is, and what each system was told about them.

`person` is the truth; `account` is what a linkage has to work with. A field can be wrong in one way only per record,
at the rates of `RATES`; the CRM took over the card's fields for most members and has made its own mistakes since.

What can be linked in principle:

- erp, app, crm and the marketplaces hold names, phones, birthdays and addresses that fail apart from each other, so
  that nearly every record shares two of them, or a card number, a union id, a mail address or a document, with some
  other record of its person.
- Marketplaces hold a receiver: name, address, and mostly a phone whose middle is hidden. Name and the seven digits
  left are shared by hardly anybody.
- A social account is a nickname. Only a union id links it (who let WeChat tell it there had let it before, in the
  app); **without one, no method can link it**, and these accounts are to be left out of any recall.

Hard on purpose: twins, families on one phone, placeholders, cards that a member forgot and got again.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import partial
from string import Formatter

import numpy as np
import pyarrow as pa

from jobs.demo.retailer import names
from jobs.demo.retailer.world import Scale, World, choose, pick

SHARES = np.array([0.16, 0.18, 0.20, 0.10, 0.12, 0.08, 0.10, 0.06])  # of persons, per kind of behaviour.SEGMENTS
SYSTEMS = ("erp", "app", "tmall", "jd", "crm", "social")

_DESK = ("erp", "crm")
_OWN = ("erp", "app", "crm")  # the retailer's own systems
_RECEIVER = ("tmall", "jd")
_NAMED = (*_OWN, *_RECEIVER)

# Per system, a share of its records, if not said otherwise. "<field> <fault>" exclude each other within a field.
RATES: dict[str, dict[str, float]] = {
    # Of persons; crm: of those with a card. Who buys nowhere else has a card, so that everybody has an account.
    "member": {"erp": 0.88, "app": 0.55, "tmall": 0.22, "jd": 0.14, "crm": 0.97, "social": 0.25},
    "wechat": {"social": 0.80},  # social accounts that are WeChat's; these persons have the app
    # A second registration, as a share of the first ones, and what is told differently then.
    "duplicate": {"erp": 0.04, "app": 0.03},
    "duplicate with other phone": {"erp": 0.40, "app": 1.0},
    "duplicate with name variant": {"erp": 0.30},
    # Evidence that a system may hold.
    "member number": {"crm": 0.96, "app": 0.45},
    "member number of another": {"crm": 0.003},  # of those filled
    "union id": {"app": 0.85, "social": 0.80},  # social: of those on WeChat
    "union id of duplicate": {"app": 0.80},
    "document": {"erp": 0.30},  # given when the card was made; the CRM knows what the card's record says
    "document of duplicate": {"erp": 0.12},
    "masked phone": dict.fromkeys(_RECEIVER, 0.85),
    "crm as erp": {"crm": 0.60},  # fields of the CRM that are what the card's record says, right or wrong
    # Faults.
    "phone digits": dict.fromkeys(_NAMED, 0.01),  # one wrong, or two neighbours swapped
    "phone placeholder": dict.fromkeys(_DESK, 0.008),
    "phone shared": dict.fromkeys(_DESK, 0.06),  # the family's, by somebody who has one of their own
    "phone missing": dict.fromkeys(_OWN, 0.05),
    "name homophone": dict.fromkeys(_NAMED, 0.015),  # a character of the given name
    "name wrong": dict.fromkeys(_NAMED, 0.005),  # any other character instead
    "name title": dict.fromkeys(_RECEIVER, 0.012),  # 王女士, 李先生
    "name latin": {"app": 0.02, "jd": 0.02},
    "name blanks": dict.fromkeys(_NAMED, 0.01),
    "birth missing": dict.fromkeys(_OWN, 0.20),
    "birth default": dict.fromkeys(_OWN, 0.025),  # 1990-01-01
    "birth swapped": dict.fromkeys(_OWN, 0.005),  # day and month, where that is a date too
    "email missing": dict.fromkeys(_OWN, 0.31),  # of those who have one: with those who have none, 45 % of records
    "email domain": dict.fromkeys(_OWN, 0.01),
    "address short": dict.fromkeys(_NAMED, 0.10),  # no province, no 市
    "address block": dict.fromkeys(_NAMED, 0.10),  # 3栋2-501 for 3号楼2单元501室
    "address wide": dict.fromkeys(_NAMED, 0.09),  # full-width digits
    "address english": dict.fromkeys(_NAMED, 0.01),
    # Of persons: no mail address; moved house, and the first system that they told their address still has the old one.
    "no email": {"person": 0.20},
    "moved": {"person": 0.04},
    # Of persons who are not the head of a household; and of households.
    "family name of the head": {"person": 0.60},
    "twins": {"household": 0.002},
}
PREFIXES = np.array([141, 142, 143, 154, 160, 161, 163, 164, 168, 169])  # no operator gives them to persons
PLACEHOLDERS = np.array([13800138000, 18888888888, 12345678901])

# How much likelier a member of each segment is to be found there; scaled to the rates above.
_LEAN = {
    "app": np.array([0.47, 0.44, 0.88, 0.59, 0.44, 0.69, 0.20, 0.59]),
    "tmall": np.array([0.21, 0.11, 0.36, 0.24, 0.24, 0.31, 0.04, 0.21]),
    "jd": np.array([0.16, 0.08, 0.20, 0.17, 0.12, 0.18, 0.03, 0.25]),
    "social": np.array([0.20, 0.18, 0.40, 0.28, 0.22, 0.35, 0.06, 0.25]),
}
# How natural each segment is at an age; scaled so that the shares come out.
_BANDS = np.array([18, 25, 31, 39, 50, 60, 70])
_AGES = np.array(
    [
        [0.0, 0.2, 3.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        [0.2, 0.3, 4.0, 0.4, 1.0, 0.3, 0.0, 0.1],
        [0.6, 0.5, 4.0, 0.8, 0.8, 2.0, 0.0, 0.5],
        [2.0, 1.0, 0.0, 1.0, 0.8, 2.0, 0.0, 0.8],
        [3.0, 1.5, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
        [1.5, 2.0, 0.0, 1.0, 1.3, 0.0, 0.0, 1.0],
        [0.3, 1.2, 0.0, 0.5, 0.8, 0.0, 3.0, 0.4],
        [0.1, 0.5, 0.0, 0.2, 0.4, 0.0, 4.0, 0.2],
    ]
)
_ADDRESS = "{province}{city}{district}{road}{number}号{compound}{building}号楼{unit}单元{room}室"
_ADDRESSES = {
    "erp": _ADDRESS,
    "app": _ADDRESS,
    "crm": _ADDRESS,
    "tmall": "{province_apart}{city} {district} {road}{number}号 {compound}{building}号楼{unit}单元{room}室",
    "jd": "{province}{city}{district}{compound}{building}号楼{unit}单元{room}室({road}{number}号)",
}
_ENGLISH = (
    "Room {room}, Unit {unit}, Building {building}, {compound_latin}, No. {number} {road_latin}, {district_latin}, "
    "{city_latin}"
)
_WIDE = {ord("0") + d: chr(0xFF10 + d) for d in range(10)}

PERSON = (
    "person_id",
    "household_id",
    "segment",
    "gender",
    "birth_date",
    "family_name",
    "given_name",
    "name",
    "name_latin",
    "city_id",
    "home_store",
    "latitude",
    "longitude",
    "phone",
    "household_phone",
    "email",
    "address",
    "document_number",
    "union_id",
    "joined_day",
)
Columns = dict[str, np.ndarray]


def make(world: World) -> None:
    """Make `person` and `account` of the cities and stores that are there."""
    person, homes = _persons(world)
    world.add("person", {k: _column(person[k]) for k in PERSON})
    world.add("account", {k: _column(v) for k, v in _accounts(world.scale, person, homes).items()})


def _persons(world: World) -> tuple[Columns, Columns]:
    """The persons, and the homes of all: their row is the household's, or, after those, that of a home left."""
    stream, n = partial(world.scale.rng, "people"), world.scale.persons
    p: Columns = {"person_id": np.arange(n, dtype=np.int32)}
    p |= _households(stream("household"), n)
    p |= _ages(stream("age"), p, world.scale.first)
    p["segment"] = _segments(stream("segment"), p["age"])
    p |= _names(stream("name"), p)
    p["joined_day"] = _joined(stream("joined"), p["birth_date"], world.scale)
    homes = _places(world, p)
    p["document_number"] = _documents(stream("document"), p)
    p |= _reach(stream("reach"), p)
    return p, homes


def _households(rng: np.random.Generator, n: int) -> Columns:
    """Who lives with whom: the household, the place in it (0 is its head), and whether one is the twin of the last."""
    size = pick(rng, [1, 2, 3, 4, 5], n, [0.28, 0.36, 0.20, 0.10, 0.06])
    household = np.repeat(np.arange(n, dtype=np.int32), size)[:n]
    head = np.searchsorted(household, household)  # the row of the household's first person
    place = np.arange(n) - head
    last = np.flatnonzero((np.append(household[1:], -1) != household) & (place > 0))
    twins = max(1, round(RATES["twins"]["household"] * (household[-1] + 1)))
    twin = np.zeros(n, bool)
    twin[rng.choice(last, min(twins, len(last)), replace=False)] = True
    return {"household_id": household, "head": head, "place": place, "twin": twin}


def _ages(rng: np.random.Generator, p: Columns, first: date) -> Columns:
    """Gender, birth date and the age on the first day: couples are of an age, the others one generation away."""
    n, head, place = len(p["head"]), p["head"], p["place"]
    low = pick(rng, [18, 25, 31, 40, 50, 60, 70], n, [0.13, 0.22, 0.20, 0.17, 0.12, 0.09, 0.07])
    oldest = (low + (10 * rng.random(n)))[head]
    apart = np.where(oldest < 43, 27, -27) + rng.normal(0, 4, n)
    age = np.select([place == 0, place == 1], [oldest, oldest + rng.normal(0, 3, n)], oldest + apart)
    age = np.where(age < 16.1, 16.1 + 3 * rng.random(n), age)  # younger ones are not registered anywhere
    woman = rng.random(n) < 0.54
    woman = np.where((place == 1) & (rng.random(n) < 0.95), ~woman[head], woman)
    twin = np.flatnonzero(p["twin"])
    age[twin], woman[twin] = age[twin - 1], woman[twin - 1]
    birth = np.datetime64(first, "D") - (age * 365.25).astype(int)
    return {"age": age, "birth_date": birth, "woman": woman, "gender": np.where(woman, "F", "M")}


def _segments(rng: np.random.Generator, age: np.ndarray) -> np.ndarray:
    band = np.searchsorted(_BANDS, age, side="right")
    persons, weights = np.bincount(band, minlength=len(_AGES)), _AGES.copy()
    for _ in range(50):
        found = persons @ (weights / weights.sum(axis=1, keepdims=True)) / len(age)
        weights *= SHARES / np.maximum(found, 1e-9)
    return choose(rng, weights, band).astype(np.int8)


def _names(rng: np.random.Generator, p: Columns) -> Columns:
    """The name, and what it is made of: the row of the family name and of one or two characters."""
    n, head = len(p["head"]), p["head"]
    family = pick(rng, range(len(names.FAMILY)), n, names.FAMILY_WEIGHTS)
    family = np.where(rng.random(n) < RATES["family name of the head"]["person"], family[head], family)
    born = p["birth_date"].astype("datetime64[Y]").astype(int) + 1970
    generation = np.searchsorted(names.GENERATIONS, born, side="right")
    group = 2 * generation + (p["gender"] == "M")
    size = names.GIVEN_SIZE[group]
    at = [(rng.random(n) ** 1.5 * size).astype(int) for _ in range(2)]  # the first of a group are the commonest
    single = rng.random(n) < names.ONE_CHARACTER[generation]
    twin = np.flatnonzero(p["twin"])  # have the first character in common
    family[twin], at[0][twin] = family[twin - 1], at[0][twin - 1]
    at[1][twin] = (at[1][twin - 1] + 1) % size[twin]
    single[twin] = single[twin - 1] = False
    first, second = (names.GIVEN[names.GIVEN_START[group] + a] for a in at)
    second = np.where(single, -1, second)
    given = names.CHARACTERS[first] + names.CHARACTERS[second]
    latin = np.array([word.capitalize() for word in names.SPELT[first] + names.SPELT[second]], object)
    return {
        "family": family,
        "first": first,
        "second": second,
        "family_name": names.FAMILY[family],
        "given_name": given,
        "name": names.FAMILY[family] + given,
        "name_latin": names.FAMILY_LATIN[family] + " " + latin,
        "name_typed": np.array([word.lower() for word in names.FAMILY_LATIN[family] + latin], object),
        "title": names.FAMILY[family] + np.where(p["woman"], "女士", "先生"),
    }


def _joined(rng: np.random.Generator, birth: np.ndarray, scale: Scale) -> np.ndarray:
    """More every month; 55 % before the first day; nobody younger than 16."""
    n = len(birth)
    before = -1 - (1500 * rng.random(n) ** 1.4).astype(int)
    since = (scale.days * rng.random(n) ** 0.75).astype(int)
    day = np.where(rng.random(n) < 0.55, before, since)
    sixteen = (birth - np.datetime64(scale.first, "D")).astype(int) + round(16 * 365.25)
    return np.maximum(day, sixteen).astype(np.int32)


def _places(world: World, p: Columns) -> Columns:
    """Set the persons' city, home and store; return the parts of all homes' addresses.

    Flats are in compounds of some sixty homes, the compounds around stores. Who moved did so within the city.
    """
    rng = world.scale.rng("people", "home")
    store = world.get(
        "SELECT store_id, city_id, latitude, longitude, traffic FROM store WHERE NOT is_warehouse ORDER BY store_id"
    )
    city = world.get("""
        SELECT city_id, weight, name_en, regexp_replace(name_zh, '市$', '') AS town,
               regexp_replace(province_zh, '[省市]$', '') AS region,
               -- of Beijing, Shanghai, Tianjin and Chongqing the province is the city
               CASE WHEN region = town THEN '' WHEN region LIKE '%区' THEN region ELSE region || '省' END AS province
        FROM city WHERE city_id IN (SELECT city_id FROM store WHERE NOT is_warehouse) ORDER BY city_id""")
    households = int(p["household_id"][-1]) + 1
    movers = np.flatnonzero(rng.random(len(p["head"])) < RATES["moved"]["person"])
    town = pick(rng, range(len(city["city_id"])), households, city["weight"])
    town = np.append(town, town[p["household_id"][movers]])
    p["old_home"] = np.full(len(p["head"]), -1)
    p["old_home"][movers] = households + np.arange(len(movers))

    count = np.maximum(2, np.bincount(town, minlength=len(city["city_id"])) // 60)
    compound = (np.cumsum(count) - count)[town] + (rng.random(len(town)) * count[town]).astype(int)
    compounds, near, weights = _compounds(rng, np.repeat(np.arange(len(count)), count), city["city_id"], store)

    # Flats of a compound are taken in an order that looks like none, and no two homes are in one flat.
    order = np.argsort(compound, kind="stable")
    rank = np.empty(len(town), int)
    rank[order] = np.arange(len(town)) - np.searchsorted(compound[order], compound[order])
    flat = (compound * 977 + rank * 2377) % (20 * 4 * 18 * 4)  # the step is prime
    flat, door = np.divmod(flat, 4)
    flat, floor = np.divmod(flat, 18)
    building, unit = np.divmod(flat, 4)
    homes = {
        "province": city["province"][town],
        "province_apart": np.where(city["province"] == "", "", city["province"] + " ")[town],
        "city": (city["town"] + "市")[town],
        "town": city["town"][town],
        "city_latin": city["name_en"][town],
        "building": _digits(building + 1),
        "unit": _digits(unit + 1),
        "room": _digits((floor + 1) * 100 + door + 1),
        **{k: v[compound] for k, v in compounds.items() if k not in ("latitude", "longitude")},
    }
    p["home"] = p["household_id"]
    mine = compound[p["home"]]
    p["city_id"] = city["city_id"][town[p["home"]]]
    for k in ("latitude", "longitude"):
        p[k] = np.round(compounds[k][mine] + rng.normal(0, 0.001, households)[p["home"]], 6)
    p["home_store"] = store["store_id"][near[mine, choose(rng, weights, mine)]]
    p["address"] = _write_addresses(homes, p["home"], _ADDRESS)
    return homes


def _compounds(
    rng: np.random.Generator, town: np.ndarray, city_id: np.ndarray, store: Columns
) -> tuple[Columns, np.ndarray, np.ndarray]:
    """The compounds of these towns, and each one's nearest stores (rows) with how likely they are chosen."""
    n = len(town)
    draw = {k: rng.integers(0, len(words), n) for k, words in _WORDS.items()}
    draw["district"] = (city_id[town] * 5 + rng.integers(0, 6, n)) % len(names.DISTRICTS)  # six in every city
    by_city = np.argsort(store["city_id"], kind="stable")
    start, end = (np.searchsorted(store["city_id"][by_city], city_id[town], side=s) for s in ("left", "right"))
    beside = by_city[start + (rng.random(n) * (end - start)).astype(int)]
    place = {k: store[k][beside] + rng.normal(0, 0.012, n) for k in ("latitude", "longitude")}
    compounds = {
        **place,
        "number": _digits(rng.integers(1, 600, n)),
        "district": names.DISTRICTS[draw["district"]] + "区",
        "district_latin": names.DISTRICTS_LATIN[draw["district"]] + " District",
        "road": names.ROADS[draw["road"]] + names.ROAD_KINDS[draw["road_kind"]],
        "road_latin": names.ROADS_LATIN[draw["road"]] + " " + names.ROAD_KINDS_LATIN[draw["road_kind"]],
        "compound": names.COMPOUNDS[draw["compound"]] + names.COMPOUND_KINDS[draw["compound_kind"]],
        "compound_latin": (
            names.COMPOUNDS_LATIN[draw["compound"]] + " " + names.COMPOUND_KINDS_LATIN[draw["compound_kind"]]
        ),
    }
    near, weights = np.zeros((n, 8), int), np.zeros((n, 8))
    for c in np.unique(town):
        rows, there = np.flatnonzero(town == c), np.flatnonzero(store["city_id"] == city_id[c])
        north, east = (place[k][rows, None] - store[k][there] for k in ("latitude", "longitude"))
        km = 111 * np.hypot(north, 0.85 * east)
        closest = np.argsort(km, axis=1, kind="stable")[:, :8]
        near[rows, : closest.shape[1]] = there[closest]
        # A store draws by its size and less with distance (Huff, 1964).
        weights[rows, : closest.shape[1]] = store["traffic"][there[closest]] * (
            np.exp(-np.take_along_axis(km, closest, axis=1) / 1.5) + 1e-9
        )
    return compounds, near, weights


_WORDS = {
    "road": names.ROADS,
    "road_kind": names.ROAD_KINDS,
    "compound": names.COMPOUNDS,
    "compound_kind": names.COMPOUND_KINDS,
}


def _write_addresses(homes: Columns, rows: np.ndarray, pattern: str) -> np.ndarray:
    text = np.full(len(rows), "", object)
    for words, part, *_ in Formatter().parse(pattern):
        text = text + words + homes[part][rows] if part else text + words
    return text


def _documents(rng: np.random.Generator, p: Columns) -> np.ndarray:
    """Resident numbers of a region that is none (99....): region, birth date, a number (odd: a man), check digit.

    Region and number together are given once, so that no two persons' documents are the same.
    """
    region, number = np.divmod(_unique(rng, len(p["woman"]), 500 * max(10_000, len(p["woman"]) // 500)), 500)
    born = np.char.replace(np.datetime_as_string(p["birth_date"]), "-", "").astype(np.int64)
    document = ((990000 + region % 10_000) * 10**8 + born) * 1000 + 2 * number + ~p["woman"]
    places = [document // 10**k % 10 * pow(2, k + 1, 11) for k in range(17)]
    check = np.array(list("10X98765432"), object)[sum(places) % 11]  # ISO 7064 MOD 11-2
    return _digits(document) + check


def _reach(rng: np.random.Generator, p: Columns) -> Columns:
    """Phones (own, other, and the household's, which is its head's), mail address, and where they are members."""
    n, age, place = len(p["age"]), p["age"], p["place"]
    numbers = _unique(rng, 2 * n, len(PREFIXES) * 10**8)
    numbers = PREFIXES[numbers // 10**8] * 10**8 + numbers % 10**8
    own, other = numbers[:n], numbers[n:]
    without = (place > 0) & (((age < 18) & (rng.random(n) < 0.3)) | ((age >= 70) & (rng.random(n) < 0.35)))
    phone, family = _digits(own), own[p["head"]]
    phone[without] = None

    domain = rng.integers(0, len(names.DOMAINS), n)
    local = _digits(_unique(rng, n, 10**9))
    local = np.where(domain == 0, "", p["name_typed"]) + local  # QQ's are numbers
    email = local + "@" + names.DOMAINS[domain]
    email[_some(rng, RATES["no email"]["person"], np.where(age >= 60, 3, 1))] = None

    segment = p["segment"]
    member = {s: _some(rng, RATES["member"][s], _LEAN[s][segment]) for s in ("app", "tmall", "jd")}
    elsewhere = member["app"] | member["tmall"] | member["jd"]
    member["erp"] = ~elsewhere | _some(rng, RATES["member"]["erp"] - np.mean(~elsewhere), elsewhere)
    member["crm"] = _some(rng, RATES["member"]["crm"] * member["erp"].mean(), member["erp"])
    social, wechat, lean = RATES["member"]["social"], RATES["wechat"]["social"], _LEAN["social"][segment]
    follows = _some(rng, social * wechat, lean * member["app"])
    member["social"] = follows | _some(rng, social * (1 - wechat), lean * ~follows)

    union = "oU" + _base62(rng, n, 26)
    union[~member["app"] & (rng.random(n) > np.where(age >= 60, 0.65, 0.92))] = None
    return {
        "phone": phone,
        "household_phone": _digits(family),
        "phone_number": np.where(without, family, own),
        "other_number": other,
        "household_number": family,
        "has_shared": (place > 0) & ~without,
        "email": email,
        "email_local": local,
        "email_domain": domain,
        "union_id": union,
        "follows": follows,
        **{f"in_{s}": there for s, there in member.items()},
    }


def _accounts(scale: Scale, p: Columns, homes: Columns) -> Columns:
    """What the systems were told, oldest registration first."""
    stream = partial(scale.rng, "people", "account")
    a = _registrations(stream("registered"), p, scale.days)
    who, system, n = a["person_id"], a["system"], len(a["system"])
    again = a["is_duplicate"]

    # The account with the card, per person: who has two cards counts as the first one's holder.
    cards = np.flatnonzero((system == "erp") & ~again)
    card = np.full(len(p["person_id"]), -1)
    card[who[cards]] = cards
    crm = np.flatnonzero(system == "crm")
    native = _native_ids(stream("native"), p, who, system)

    told = {
        "name": _told_names(stream("name"), p, who, system, again),
        "phone": _told_phones(stream("phone"), p, who, system, again),
        "email": _told_emails(stream("email"), p, who, system),
        "birth_date": _told_births(stream("birth"), p, who, system),
        "gender": _where(np.isin(system, _OWN), p["gender"][who]),
        "address": _told_addresses(stream("address"), p, who, system, homes),
    }
    rng = stream("crm")
    for field in told.values():
        copied = crm[rng.random(len(crm)) < RATES["crm as erp"]["crm"]]
        field[copied] = field[card[who[copied]]]

    rng = stream("document")
    share = np.where(again, RATES["document of duplicate"]["erp"], RATES["document"]["erp"])
    document = _where((system == "erp") & (rng.random(n) < share), p["document_number"][who])
    document[crm] = document[card[who[crm]]]
    return {
        "account_id": np.arange(n, dtype=np.int32),
        "system": system,
        "native_id": native,
        "person_id": who,
        "registered_day": a["registered_day"],
        "is_duplicate": again,
        "member_number": _member_numbers(stream("card"), native, cards, card[who], who, system),
        "union_id": _union_ids(stream("union"), p, who, system, again),
        **told,
        "document_number": document,
    }


def _registrations(rng: np.random.Generator, p: Columns, days: int) -> Columns:
    """Who registered where and when: somewhere on the day of joining, elsewhere in the time that is left, soon mostly.

    The CRM hears of a card within days.
    """
    joined, room = p["joined_day"], days - 1 - p["joined_day"]
    mean = {"erp": 150, "app": 300, "tmall": 500, "jd": 600, "social": 500}
    wait = np.array([np.where(p[f"in_{s}"], rng.exponential(m, len(joined)), np.inf) for s, m in mean.items()])
    wait -= wait.min(axis=0)
    with np.errstate(invalid="ignore"):
        wait = np.where(np.isinf(wait), 0, wait * room / np.maximum(wait + room, 1))  # never past the last day
    day = dict(zip(mean, joined + wait.astype(int), strict=True))
    day["crm"] = np.minimum(day["erp"] + rng.integers(0, 4, len(joined)), days - 1)
    rows = [(s, np.flatnonzero(p[f"in_{s}"]), False) for s in SYSTEMS]
    for s, share in RATES["duplicate"].items():
        held = np.flatnonzero(p[f"in_{s}"])
        rows.append((s, held[rng.random(len(held)) < share], True))
        day[f"{s} again"] = np.minimum(day[s] + 1 + (rng.random(len(joined)) * (days - day[s])).astype(int), days - 1)
    at = np.concatenate([day[f"{s} again" if again else s][who] for s, who, again in rows])
    order = np.argsort(at, kind="stable")
    return {
        "system": np.concatenate([np.full(len(who), s, object) for s, who, _ in rows])[order],
        "person_id": np.concatenate([who for _, who, _ in rows])[order].astype(np.int32),
        "registered_day": at[order].astype(np.int32),
        "is_duplicate": np.concatenate([np.full(len(who), again) for _, who, again in rows])[order],
    }


def _native_ids(rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray) -> np.ndarray:
    """Ids in each system's habit. Cards and CRM records are counted up; a social handle begins with its platform."""
    ids = np.empty(len(system), object)
    at = {s: np.flatnonzero(system == s) for s in SYSTEMS}
    for s, letter, start in (("erp", "M", 100_000_000), ("crm", "C-", 10_000_000)):
        ids[at[s]] = letter + _digits(start + np.cumsum(rng.integers(1, 9, len(at[s]))))
    ids[at["app"]] = "o" + _base62(rng, len(at["app"]), 27)
    ids[at["jd"]] = [f"jd_{number:012x}" for number in _unique(rng, len(at["jd"]), 16**12)]
    count, number = len(at["tmall"]), _digits(_unique(rng, len(at["tmall"]), 10**8))
    ids[at["tmall"]] = np.where(rng.random(count) < 0.5, "tb", _nicknames(rng, count)) + number
    count, number = len(at["social"]), _digits(_unique(rng, len(at["social"]), 10**7))
    platform = np.where(p["follows"][who[at["social"]]], "wx", pick(rng, ["wb", "xhs", "dy"], count)).astype(object)
    ids[at["social"]] = platform + "_" + np.char.lower(pick(rng, names.NICKS_LATIN, count).astype("U")) + number
    return ids


def _member_numbers(
    rng: np.random.Generator,
    native: np.ndarray,
    cards: np.ndarray,
    card: np.ndarray,
    who: np.ndarray,
    system: np.ndarray,
) -> np.ndarray:
    """The card on file in the CRM and the app: the first one of the person, or by mistake somebody else's."""
    number = np.full(len(system), None, object)
    for s, share in RATES["member number"].items():
        there = np.flatnonzero(system == s)
        filled = there[_some(rng, share, card[there] >= 0)]
        number[filled] = native[card[filled]]
        wrong = filled[rng.random(len(filled)) < RATES["member number of another"].get(s, 0)]
        place = np.searchsorted(cards, card[wrong])
        number[wrong] = native[cards[(place + rng.integers(1, len(cards), len(wrong))) % len(cards)]]
    return number


def _union_ids(
    rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray, again: np.ndarray
) -> np.ndarray:
    """One draw per person decides for the app and for social accounts: who let WeChat tell it here, did there."""
    let = rng.random(len(p["person_id"]))[who]
    share, app = RATES["union id"], system == "app"
    filled = (app & ~again & (let < share["app"])) | (
        (system == "social") & p["follows"][who] & (let < share["social"])
    )
    filled |= app & again & (rng.random(len(system)) < RATES["union id of duplicate"]["app"])
    return _where(filled, p["union_id"][who])


def _told_names(
    rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray, again: np.ndarray
) -> np.ndarray:
    n, fault = len(system), _faults(rng, "name", system)
    variant = again & (system == "erp") & (rng.random(n) < RATES["duplicate with name variant"]["erp"])
    fault = np.where(variant, pick(rng, ["name homophone", "name wrong", "name blanks"], n), fault)

    first, second = p["first"][who], p["second"][who]
    in_second = (second >= 0) & (rng.random(n) < 0.6)
    right = np.where(in_second, second, first)
    start, size, turn = names.GROUP_START[right], names.GROUP_SIZE[right], rng.random(n)
    homophone = start + (right - start + 1 + (turn * (size - 1)).astype(int)) % size
    other = (right + 1 + (turn * (len(names.SPELT) - 2)).astype(int)) % (len(names.SPELT) - 1)
    typed = np.select([fault == "name homophone", fault == "name wrong"], [homophone, other], right)
    first, second = np.where(in_second, first, typed), np.where(in_second, typed, second)
    family = names.FAMILY[p["family"][who]]
    given = names.CHARACTERS[first] + names.CHARACTERS[second]
    name = family + given

    for fault_is, form in (("name title", p["title"]), ("name latin", p["name_latin"])):
        rows = np.flatnonzero(fault == fault_is)
        name[rows] = form[who[rows]]
    rows = np.flatnonzero((fault == "name latin") & (rng.random(n) < 0.5))
    name[rows] = p["name_typed"][who[rows]]
    rows = np.flatnonzero(fault == "name blanks")
    where, blank = pick(rng, [0, 1, 9], len(rows)), pick(rng, [" ", "\u3000"], len(rows))
    name[rows] = [text[:k] + b + text[k:] for text, k, b in zip(name[rows], where, blank, strict=True)]
    rows = np.flatnonzero(system == "social")
    name[rows] = _nicknames(rng, len(rows))
    return name


def _told_phones(
    rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray, again: np.ndarray
) -> np.ndarray:
    n = len(system)
    fault = _faults(rng, "phone", system, {"phone shared": p["has_shared"][who]})
    number = p["phone_number"][who]
    for s, share in RATES["duplicate with other phone"].items():
        number = np.where(again & (system == s) & (rng.random(n) < share), p["other_number"][who], number)
    number = np.select(
        [fault == "phone shared", fault == "phone placeholder", fault == "phone digits"],
        [p["household_number"][who], pick(rng, PLACEHOLDERS, n, [0.6, 0.3, 0.1]), _mistyped(rng, number)],
        number,
    )
    phone = _digits(number)
    mask = np.select([system == s for s in _RECEIVER], [RATES["masked phone"][s] for s in _RECEIVER], 0.0)
    hidden = np.flatnonzero(rng.random(n) < mask)
    phone[hidden] = [text[:3] + "****" + text[7:] for text in phone[hidden]]
    phone[(fault == "phone missing") | (system == "social")] = None
    return phone


def _mistyped(rng: np.random.Generator, number: np.ndarray) -> np.ndarray:
    """A wrong digit, or two neighbours swapped if they differ; never in the prefix, which must stay nobody's."""
    n = len(number)
    power = 10 ** rng.integers(0, 7, n)
    low, high = number // power % 10, number // power // 10 % 10
    swapped = number + (high - low) * power - (high - low) * power * 10
    wrong = number + ((low + rng.integers(1, 10, n)) % 10 - low) * power
    return np.where((low != high) & (rng.random(n) < 0.5), swapped, wrong)


def _told_emails(rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray) -> np.ndarray:
    email = p["email"][who]
    fault = _faults(rng, "email", system, {"email domain": email.astype(bool)})
    wrong = p["email_local"][who] + "@" + names.DOMAINS_WRONG[p["email_domain"][who]]
    email = np.where(fault == "email domain", wrong, email)
    email[(fault == "email missing") | ~np.isin(system, _OWN)] = None
    return email


def _told_births(rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray) -> np.ndarray:
    right = np.datetime_as_string(p["birth_date"])
    year, month, day = (np.array([text[s] for text in right], object) for s in (slice(0, 4), slice(5, 7), slice(8, 10)))
    swapped = (year + "-" + day + "-" + month)[who]
    fault = _faults(rng, "birth", system, {"birth swapped": ((day <= "12") & (day != month))[who]})
    birth = np.select(
        [fault == "birth default", fault == "birth swapped"],
        [np.full(len(who), "1990-01-01", object), swapped],
        right.astype(object)[who],
    )
    birth[(fault == "birth missing") | ~np.isin(system, _OWN)] = None
    return birth


def _told_addresses(
    rng: np.random.Generator, p: Columns, who: np.ndarray, system: np.ndarray, homes: Columns
) -> np.ndarray:
    home, fault = p["home"][who].copy(), _faults(rng, "address", system)
    named = np.flatnonzero(np.isin(system, _NAMED))
    first = named[np.unique(who[named], return_index=True)[1]]  # rows are in the order of registration
    first = first[p["old_home"][who[first]] >= 0]
    home[first] = p["old_home"][who[first]]
    text = np.full(len(system), None, object)
    for s, pattern in _ADDRESSES.items():
        how = {
            "": pattern,
            "address short": re.sub(r"\{province(_apart)?\}", "", pattern).replace("{city}", "{town}"),
            "address block": pattern.replace("号楼{unit}单元{room}室", "栋{unit}-{room}"),
            "address wide": pattern,
            "address english": _ENGLISH,
        }
        for bent, form in how.items():
            rows = np.flatnonzero((system == s) & (fault == bent))
            text[rows] = _write_addresses(homes, home[rows], form)
    wide = np.flatnonzero(fault == "address wide")
    text[wide] = [address.translate(_WIDE) for address in text[wide]]
    return text


def _faults(
    rng: np.random.Generator, field: str, system: np.ndarray, odds: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """For each record the fault of this field, or ''. `odds`: where one can be; its rate is of all records still."""
    faults = [k for k in RATES if k.startswith(field + " ")]
    chance = np.zeros((len(system), len(faults)))
    for s in SYSTEMS:
        rows = np.flatnonzero(system == s)
        for k, fault in enumerate(faults):
            possible = odds[fault][rows] if odds and fault in odds else np.ones(len(rows))
            chance[rows, k] = RATES[fault].get(s, 0) * possible / max(possible.mean(), 1e-9) if len(rows) else 0
    which = (np.cumsum(chance, axis=1) <= rng.random(len(system))[:, None]).sum(axis=1)
    return np.array([*faults, ""])[which]


def _some(rng: np.random.Generator, share: float, odds: np.ndarray) -> np.ndarray:
    """True for this share of all, likelier by `odds` and never where they are zero."""
    return rng.random(len(odds)) * np.mean(odds) < share * odds


def _unique(rng: np.random.Generator, n: int, below: int) -> np.ndarray:
    """Different numbers from 0, in no order."""
    return rng.choice(below, n, replace=False)


def _base62(rng: np.random.Generator, n: int, length: int) -> np.ndarray:
    letters = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "S1")
    drawn = letters[rng.integers(0, len(letters), (n, length))]
    return drawn.view(f"S{length}").ravel().astype(f"U{length}").astype(object)


def _nicknames(rng: np.random.Generator, n: int) -> np.ndarray:
    return pick(rng, names.MOODS, n) + pick(rng, names.NICKS, n)


def _digits(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype("U18").astype(object)


def _where(there: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values, and None where they are not there."""
    kept = values.astype(object)
    kept[~there] = None
    return kept


def _column(values: np.ndarray) -> pa.Array:
    """Text is text also where all of it is missing."""
    return pa.array(values, pa.string()) if values.dtype.kind in "OU" else pa.array(values)
