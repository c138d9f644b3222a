"""Which pairs are linked, which are looked at, which are nobody's business: the rules, and what must not glue."""

from datetime import date

import pytest

from jobs.identity import MAX_HOLDERS
from jobs.silver.identity_links import build
from tests.frames import make, rows_of

PHONE = "14100000001"
HOME = "1/2-3-401"
WANG = {"name": "王小明", "phone": PHONE, "birth_date": date(1991, 2, 3), "home_key": HOME}
BORN, OTHER_DAY = date(1991, 2, 3), date(1960, 5, 6)


def account(number, system="erp", **fields):
    fragment = fields["phone"][:3] + "****" + fields["phone"][-4:] if fields.get("phone") else None
    known = {"account_system": system, "account_id": f"{system}{number}", "first_seen_date": date(2024, 1, number)}
    return known | {"phone_fragment": fragment} | fields


def pairs(spark, *rows):
    """Decision and rule by pair, the accounts' rows with themselves left out."""
    found = build(make(spark, "accounts", rows)).where("link_rule <> 'own'")
    return {(left, right): (decision, rule) for left, right, decision, rule in rows_of(
        found, "left_account_id", "right_account_id", "decision", "link_rule")}  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        # Keys.
        ({"member_id": "M1"}, {"member_id": "M1"}, ("link", "card")),
        ({"unionid": "u"}, {"unionid": "u"}, ("link", "unionid")),
        ({"document_number": "d", "name": "王小明"}, {"document_number": "d", "name": "王大明"}, ("link", "document")),
        ({"document_number": "d"}, {"document_number": "d"}, ("link", "document")),
        # Somebody else's card: nothing that is known agrees.
        (WANG | {"member_id": "M1"}, {"member_id": "M1", "name": "李四", "phone": "14200000002",
                                         "birth_date": OTHER_DAY},
         ("review", "card")),
        # A phone and who it is.
        ({"phone": PHONE, "name": "王小明"}, {"phone": PHONE, "name": "王小明"}, ("link", "phone_and_name")),
        ({"phone": PHONE, "name": "张静"}, {"phone": PHONE, "name": "张晶"}, ("link", "phone_and_name")),
        ({"phone": PHONE, "name": "王小明"}, {"phone": PHONE, "name": "wangxiaoming"},
         ("link", "phone_and_name")),
        ({"phone": PHONE, "birth_date": BORN, "name": "王小明"},
         {"phone": PHONE, "birth_date": BORN, "name": "王大明"}, ("link", "phone_and_birth")),
        # Father and son of one name, perhaps: no rule, but likelier than that is an error in a date.
        ({"phone": PHONE, "name": "王小明", "birth_date": BORN},
         {"phone": PHONE, "name": "王小明", "birth_date": OTHER_DAY}, ("link", "probabilistic")),
        # The family's phone, and home.
        ({"phone": PHONE, "name": "王小明"}, {"phone": PHONE, "name": "李红"}, None),
        (WANG, WANG | {"name": "李红", "birth_date": OTHER_DAY}, None),
        # A mail address; a typing error in its domain is cut off before.
        ({"email": "a1@qq.example", "name": "王小明"}, {"email": "a1@q.example", "name": "王小明"},
         ("link", "email_and_name")),
        # A home, and no two of one name in it.
        ({"home_key": HOME, "name": "王小明"}, {"home_key": HOME, "name": "王小明"}, ("link", "home_and_name")),
        ({"home_key": HOME, "name": "王小明"}, {"home_key": HOME, "name": "王小红"}, None),
        # Nothing in common, or nothing told.
        ({"name": "王小明"}, {"name": "王小明"}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
def test_two_accounts(spark, one, other, wanted):
    found = pairs(spark, account(1, **one), account(2, "crm", **other)).get(("erp1", "crm2"))
    if wanted is None:  # worth a look at most
        assert found is None or found[0] == "review"
    else:
        assert found == wanted


def test_twins_are_looked_at_and_not_linked(spark):
    lan, lin = WANG | {"name": "王梓兰"}, WANG | {"name": "王梓月", "phone": "14200000002"}
    found = pairs(spark, account(1, **lan), account(2, **lin))
    assert found.get(("erp1", "erp2"), ("review",))[0] == "review"


def test_a_value_that_a_crowd_shares_is_no_evidence(spark):
    """A shop's own phone stands for whoever would not give one."""
    crowd = [
        account(n % 28 + 1, phone="14500000005", name="王小明") | {"account_id": f"erp{n}"}
        for n in range(MAX_HOLDERS + 1)
    ]
    assert pairs(spark, *crowd) == {}
    assert len(pairs(spark, *crowd[1:])) == MAX_HOLDERS * (MAX_HOLDERS - 1) / 2


def test_a_masked_phone_and_the_name_and_home_are_enough(spark):
    masked = account(2, "jd", name="王小明", phone_fragment="141****0001", home_key=HOME)
    assert pairs(spark, account(1, **WANG), masked) == {("erp1", "jd2"): ("link", "home_and_name")}


def test_an_account_without_a_partner_has_its_own_row(spark):
    found = build(make(spark, "accounts", [account(1), account(2, "social")]))
    assert rows_of(found, "left_account_id", "right_account_id", "link_rule", "decision") == [
        ("erp1", "erp1", "own", "link"), ("social2", "social2", "own", "link"),
    ]  # fmt: skip


def test_the_same_accounts_in_another_order_give_the_same_links(spark):
    rows = [account(n % 28 + 1, **WANG) | {"account_id": f"erp{n}", "phone": f"1410000000{n % 7}"} for n in range(20)]
    assert rows_of(build(make(spark, "accounts", rows))) == rows_of(build(make(spark, "accounts", rows[::-1])))
