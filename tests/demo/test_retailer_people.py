"""The simulated persons and accounts: the same again, keys that hold, the dirt promised, and enough evidence."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from jobs.demo.retailer import names, people
from jobs.demo.retailer.behaviour import SEGMENTS
from jobs.demo.retailer.people import RATES, SYSTEMS
from jobs.demo.retailer.world import Scale, World, world

KINDS = [s.name for s in SEGMENTS]

CITIES = [
    ("北京市", "Beijing", "北京市", 39.9, 116.4),
    ("杭州", "Hangzhou", "浙江", 30.3, 120.2),
    ("南宁市", "Nanning", "广西壮族自治区", 22.8, 108.4),
    ("成都市", "Chengdu", "四川省", 30.7, 104.1),
]


@contextmanager
def peopled(folder: Path, scale: Scale) -> Iterator[World]:
    """A world of four cities, the last without a store, and its people."""
    with world(scale, folder) as made:
        zh, en, province, latitude, longitude = zip(*CITIES, strict=True)
        made.add(
            "city",
            {
                "city_id": np.arange(4, dtype=np.int32),
                "name_zh": zh,
                "name_en": en,
                "province_zh": province,
                "latitude": latitude,
                "longitude": longitude,
                "weight": [3.0, 2.0, 1.0, 1.0],
            },
        )
        rng, n = np.random.default_rng(0), scale.stores + 2
        city = (np.arange(n) % 3).astype(np.int32)
        made.add(
            "store",
            {
                "store_id": np.arange(n, dtype=np.int32),
                "code": [f"S{i:04d}" for i in range(n)],
                "city_id": city,
                "latitude": np.array(latitude)[city] + rng.normal(0, 0.05, n),
                "longitude": np.array(longitude)[city] + rng.normal(0, 0.05, n),
                "is_warehouse": np.arange(n) >= scale.stores,
                "traffic": np.where(np.arange(n) % 5 == 0, 6.0, 1.0),
            },
        )
        people.make(made)
        yield made


def tables(folder: Path, scale: Scale) -> tuple[pd.DataFrame, pd.DataFrame]:
    with peopled(folder, scale) as made:
        return tuple(made.con.sql(f"FROM {t} ORDER BY {t}_id").df() for t in ("person", "account"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tables(tmp_path_factory.mktemp("world"), Scale(0.05))


@pytest.fixture(scope="module")
def person(made: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return made[0]


@pytest.fixture(scope="module")
def account(made: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    """With what is so beside what was told."""
    return made[1].merge(made[0], on="person_id", suffixes=("", "_true"))


def test_same_seed_same_tables_other_seed_others(tmp_path: Path) -> None:
    once, again, other = (tables(tmp_path, Scale(0.01, seed)) for seed in (1, 1, 2))
    for first, second, third in zip(once, again, other, strict=True):
        pd.testing.assert_frame_equal(first, second)
        assert not first.equals(third)


def test_columns(tmp_path: Path) -> None:
    """In the types that the other modules join by, also when there is nobody to speak of."""
    with peopled(tmp_path, Scale(0.0001)) as made:
        assert len(made.con.sql("FROM person").fetchall()) == 200
        types = {
            t: {name: kind for name, kind, *_ in made.con.sql(f"DESCRIBE {t}").fetchall()}
            for t in ("person", "account")
        }
    others = {"segment": "TINYINT", "birth_date": "DATE", "latitude": "DOUBLE", "longitude": "DOUBLE"}
    numbers = dict.fromkeys(("person_id", "household_id", "city_id", "home_store", "joined_day"), "INTEGER")
    assert types["person"] == dict.fromkeys(people.PERSON, "VARCHAR") | others | numbers
    told = ("name", "phone", "email", "birth_date", "gender", "address", "document_number")
    texts = dict.fromkeys(("system", "native_id", "member_number", "union_id", *told), "VARCHAR")
    numbers = dict.fromkeys(("account_id", "person_id", "registered_day"), "INTEGER")
    assert types["account"] == texts | numbers | {"is_duplicate": "BOOLEAN"}


def test_keys(person: pd.DataFrame, account: pd.DataFrame) -> None:
    for own in (person["phone"], person["email"], person["union_id"]):
        assert own.dropna().is_unique
    assert person["document_number"].is_unique
    assert person["person_id"].tolist() == list(range(5000))
    assert account["account_id"].tolist() == list(range(len(account)))
    assert not account.duplicated(["system", "native_id"]).any()
    assert set(account["person_id"]) == set(person["person_id"])
    assert account["union_id"].dropna().isin(person["union_id"]).all()
    assert account.dropna(subset="union_id").groupby("union_id")["person_id"].nunique().max() == 1
    cards = account.loc[account["system"] == "erp", "native_id"]
    assert account["member_number"].dropna().isin(cards).all()


def test_ids_look_like_their_systems(account: pd.DataFrame) -> None:
    habit = {
        "erp": r"M\d{9}",
        "app": r"o[0-9A-Za-z]{27}",
        "tmall": r"(tb|[^\dA-Za-z]+)\d+",
        "jd": r"jd_[0-9a-f]{12}",
        "crm": r"C-\d{8}",
        "social": r"(wx|wb|xhs|dy)_[a-z]+\d+",
    }
    for system, records in account.groupby("system"):
        assert records["native_id"].str.fullmatch(habit[system]).all()


def test_document_numbers_are_nobodys_and_add_up(person: pd.DataFrame) -> None:
    assert person["document_number"].str.fullmatch(r"99\d{15}[\dX]").all()
    assert (person["document_number"].str[6:14] == person["birth_date"].dt.strftime("%Y%m%d")).all()
    assert ((person["document_number"].str[16].astype(int) % 2 == 1) == (person["gender"] == "M")).all()
    for number in person["document_number"]:
        values = [10 if c == "X" else int(c) for c in number]
        assert sum(v * 2**k for k, v in enumerate(reversed(values))) % 11 == 1  # ISO 7064


def test_phones_are_nobodys(person: pd.DataFrame, account: pd.DataFrame) -> None:
    safe = "|".join(map(str, people.PREFIXES))
    told = account["phone"].dropna()
    assert told.isin(people.PLACEHOLDERS.astype(str)).any()
    assert told[~told.isin(people.PLACEHOLDERS.astype(str))].str.fullmatch(rf"({safe})(\d{{8}}|\*{{4}}\d{{4}})").all()
    for column in ("phone", "household_phone"):
        assert person[column].dropna().str.fullmatch(rf"({safe})\d{{8}}").all()


def test_mail_goes_nowhere(person: pd.DataFrame, account: pd.DataFrame) -> None:
    for told in (person["email"].dropna(), account["email"].dropna()):
        assert told.str.endswith(".example").all()


def test_words_have_a_sound_and_one_that_is_like_it() -> None:
    assert len(set(names.CHARACTERS)) == len(names.CHARACTERS)
    assert len(set(names.FAMILY)) == len(names.FAMILY) == 100
    assert names.GROUP_SIZE.min() > 1


def test_persons(person: pd.DataFrame) -> None:
    assert np.abs(person["segment"].value_counts(normalize=True).sort_index() - people.SHARES).max() < 0.02
    age = 2024 - person["birth_date"].dt.year
    assert age[person["segment"] == KINDS.index("senior morning")].min() >= 60
    assert age[person["segment"] == KINDS.index("young online")].max() <= 31
    sixteen = person["birth_date"] + pd.DateOffset(years=16)
    assert (sixteen <= pd.Timestamp(2024, 1, 2) + pd.to_timedelta(person["joined_day"], unit="D")).all()
    assert person["joined_day"].between(-1500, 730).all()
    assert (person["joined_day"] < 0).mean() == pytest.approx(0.55, abs=0.03)
    assert set(person["city_id"]) == {0, 1, 2}  # not where there is no store


def test_households(person: pd.DataFrame) -> None:
    households = person.groupby("household_id")
    assert households.size().between(1, 5).all()
    assert households[["address", "city_id", "household_phone"]].nunique().max().max() == 1
    assert person.drop_duplicates("household_id")["address"].is_unique
    twins = person[person.duplicated(["household_id", "birth_date", "family_name"])]
    assert len(twins) == pytest.approx(RATES["twins"]["household"] * households.ngroups, abs=2)
    assert not person.duplicated(["household_id", "birth_date", "name"]).any()


def test_stores_are_near(tmp_path: Path) -> None:
    with peopled(tmp_path, Scale(0.02)) as made:
        [(wrong, chosen, any_store)] = made.con.sql("""
            SELECT count(*) FILTER (own AND (p.city_id != s.city_id OR is_warehouse)),
                   median(km) FILTER (own), median(km)
            FROM person p JOIN store s ON p.city_id = s.city_id OR home_store = store_id
            CROSS JOIN LATERAL (SELECT home_store = store_id AS own,
                111 * sqrt((p.latitude - s.latitude)^2 + (0.85 * (p.longitude - s.longitude))^2) AS km)""").fetchall()
    assert wrong == 0
    assert chosen < any_store / 2


def test_addresses(person: pd.DataFrame, account: pd.DataFrame) -> None:
    tail = r"\w+区\w+(路|街|大道|巷)\d+号\w+\d+号楼\d单元\d+室"
    assert person["address"].str.fullmatch(rf"(北京市|浙江省杭州市|广西壮族自治区南宁市){tail}").all()
    tmall = account.loc[account["system"] == "tmall", "address"]
    assert tmall.str.startswith(
        ("北京市 ", "北京 ", "浙江省 杭州市 ", "杭州 ", "广西壮族自治区 南宁市 ", "南宁 ", "Room ")
    ).all()


def test_registrations(person: pd.DataFrame, account: pd.DataFrame) -> None:
    firsts = account.groupby("person_id")["registered_day"].min()
    assert (firsts == person["joined_day"]).all()
    assert account["registered_day"].max() <= 730
    once = account[~account["is_duplicate"]]
    assert not once.duplicated(["person_id", "system"]).any()
    again = account[account["is_duplicate"]].merge(once, on=["person_id", "system"], suffixes=("", "_once"), how="left")
    assert (again["registered_day"] >= again["registered_day_once"]).all()
    erp, crm = (set(account.loc[account["system"] == s, "person_id"]) for s in ("erp", "crm"))
    assert crm < erp


def test_rates_of_membership(person: pd.DataFrame, account: pd.DataFrame) -> None:
    once, again = (account[account["is_duplicate"] == d].groupby("system").size() for d in (False, True))
    for system, rate in RATES["member"].items():
        of = once["erp"] if system == "crm" else len(person)
        assert once[system] / of == pytest.approx(rate, abs=0.02)
    assert {s: again[s] / once[s] for s in again.index} == pytest.approx(RATES["duplicate"], abs=0.01)
    young, senior = (account["segment"] == KINDS.index(s) for s in ("young online", "senior morning"))
    for segment, share in ((young, 0.9), (senior, 0.2)):
        members = account[segment & (account["system"] == "app")]["person_id"].nunique()
        assert members / account[segment]["person_id"].nunique() == pytest.approx(share, abs=0.06)


def test_rates_of_dirt(account: pd.DataFrame) -> None:
    """As stated, counted on first registrations; four standard deviations off at most: a hundred are compared."""
    a = account[~account["is_duplicate"]]
    blank = a["name"].str.contains(r"\s") & ~a["name"].map(str.isascii)
    bare = a["name"].str.replace(r"\s", "", regex=True)
    born = a["birth_date_true"].dt.strftime("%Y-%m-%d")
    family = a["phone_true"].notna() & (a["phone_true"] != a["household_phone"])
    typed = bare.map(str.isascii) | bare.str.endswith(("女士", "先生"))
    own = a["phone_true"].fillna(a["household_phone"])
    placeholder = a["phone"].isin(people.PLACEHOLDERS.astype(str))
    full = a["phone"].notna() & ~a["phone"].str.contains("*", regex=False, na=False)
    card = a["member_number"].map(a[a["system"] == "erp"].set_index("native_id")["person_id"])
    follows = a["native_id"].str.startswith("wx_")
    found = {
        "wechat": follows,
        "member number": a["member_number"].notna(),
        "document": a["document_number"].notna(),
        "masked phone": ~full,
        "phone placeholder": placeholder,
        "phone shared": family & (a["phone"] == a["household_phone"]),
        "phone missing": a["phone"].isna(),
        "name title": bare.str.endswith(("女士", "先生")),
        "name latin": a["name"].map(str.isascii),
        "name blanks": blank,
        "birth missing": a["birth_date"].isna(),
        "birth default": (a["birth_date"] == "1990-01-01") & (born != "1990-01-01"),
        "birth swapped": a["birth_date"].notna() & ~a["birth_date"].isin(["1990-01-01"]) & (a["birth_date"] != born),
        "email domain": a["email"].notna() & (a["email"] != a["email_true"]),
        "address wide": a["address"].str.contains("[０-９]", na=False),
        "address english": a["address"].map(str.isascii, na_action="ignore").eq(True),
        "address block": a["address"].str.contains(r"\d栋\d", na=False),
    }
    for what, rates in RATES.items():
        for system, rate in rates.items() if what in found else ():
            at = a["system"] == system
            assert found[what][at].mean() == pytest.approx(rate, abs=spread(rate, at.sum())), (what, system)
    for system in ("erp", "crm", "app"):
        at = a["system"] == system
        digits = full & ~placeholder & (a["phone"] != own) & (a["phone"] != a["household_phone"])
        assert digits[at].mean() == pytest.approx(RATES["phone digits"][system], abs=spread(0.01, at.sum()))
        mistyped = (bare != a["name_true"]) & ~typed
        assert mistyped[at].mean() == pytest.approx(0.02, abs=spread(0.02, at.sum()))
        assert a["email"].isna()[at].mean() == pytest.approx(0.45, abs=0.03)
    assert a["union_id"].notna()[a["system"] == "app"].mean() == pytest.approx(0.85, abs=0.02)
    assert a["union_id"].notna()[follows].mean() == pytest.approx(0.80, abs=0.04)
    wrong = card.notna() & (card != a["person_id"])
    assert wrong.sum() / (a["system"] == "crm").sum() == pytest.approx(0.003, abs=0.003)


def test_rates_of_duplicates(account: pd.DataFrame) -> None:
    again = account[account["is_duplicate"]]
    erp, app = (again[again["system"] == s] for s in ("erp", "app"))
    firsts = account[~account["is_duplicate"]].set_index(["system", "person_id"])
    assert (erp["document_number"].notna()).mean() == pytest.approx(RATES["document of duplicate"]["erp"], abs=0.08)
    assert (app["union_id"].notna()).mean() == pytest.approx(RATES["union id of duplicate"]["app"], abs=0.15)
    same = erp["phone"].to_numpy() == firsts.loc[[("erp", p) for p in erp["person_id"]], "phone"].to_numpy()
    assert 0.35 < same.mean() < 0.7
    assert (app["phone"] != app["phone_true"]).all()


def test_a_plain_linkage_finds_nearly_all(account: pd.DataFrame) -> None:
    """Exact agreement on two fields, or on one that is a person's own: what is left out could hardly be linked."""
    linkable = account[(account["system"] != "social") | account["union_id"].notna()].reset_index(drop=True)
    precision, recall, alone = scores(linkable, clusters(linkable))
    assert precision > 0.99
    assert recall > 0.95
    assert alone < 0.025


def clusters(a: pd.DataFrame) -> np.ndarray:
    """A cluster number per record: the components of records and the keys that they have."""
    name = a["name"].str.replace(r"\s", "", regex=True)
    phone = a["phone"].mask(a["phone"].isin(people.PLACEHOLDERS.astype(str)))
    hidden = phone.str[:3] + phone.str[7:]
    birth = a["birth_date"].mask(a["birth_date"] == "1990-01-01")
    flat = a["address"].map(lambda text: numbers(text) if isinstance(text, str) else None)
    card = a["native_id"].where(a["system"] == "erp", a["member_number"])
    keys = [a["union_id"], a["document_number"], a["email"]]
    keys += [card + "|" + field for field in (name, phone, birth, flat)]
    keys += [name + "|" + field for field in (hidden, birth, flat)]
    keys += [birth + "|" + phone, birth + "|" + flat + "|" + a["gender"]]
    held = pd.concat([key.dropna().map(lambda value, k=k: f"{k}|{value}") for k, key in enumerate(keys)])
    key = pd.factorize(held)[0]
    size = len(a) + key.max() + 1
    return connected_components(coo_matrix((np.ones(len(key)), (held.index, len(a) + key)), shape=(size, size)))[1][
        : len(a)
    ]


def numbers(address: str) -> str:
    """The numbers in an address, as a set: they come in other orders, widths and words."""
    plain = unicodedata.normalize("NFKC", address)
    return "-".join(sorted("".join(c if c.isdigit() else " " for c in plain).split()))


def scores(a: pd.DataFrame, cluster: np.ndarray) -> tuple[float, float, float]:
    """Pairwise precision and recall, and the share of records that are linked to none of their person's others."""

    def pairs(*by: object) -> int:
        size = a.groupby(list(by)).size()
        return int((size * (size - 1)).sum() / 2)

    right, claimed, true = pairs("person_id", cluster), pairs(cluster), pairs("person_id")
    of_person = a.groupby("person_id")["person_id"].transform("size")
    found = a.groupby(["person_id", cluster])["person_id"].transform("size")
    return right / claimed, right / true, float(((of_person > 1) & (found == 1)).mean())


def spread(rate: float, n: int) -> float:
    return 4 * (rate * (1 - rate) / n) ** 0.5 + 1e-9


def test_every_system_is_there(account: pd.DataFrame) -> None:
    assert set(account["system"]) == set(SYSTEMS)
