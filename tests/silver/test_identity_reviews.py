"""What a person is asked to decide: pairs across customers, and no other."""

from jobs.silver.identity_reviews import build
from tests.frames import make, rows_of


def pair(left, right, decision):
    return {
        "left_account_system": "erp", "left_account_id": left, "right_account_system": "crm", "right_account_id": right,
        "link_rule": "probabilistic", "match_probability": 0.9, "decision": decision, "reason": "not sure enough",
    }  # fmt: skip


def identity(system, account, customer):
    return {"account_system": system, "account_id": account, "customer_id": customer}


def test_pairs_that_are_linked_otherwise_need_no_decision(spark):
    links = [pair("a", "x", "review"), pair("a", "y", "review"), pair("b", "z", "link")]
    known = [identity("erp", "a", "C1"), identity("crm", "x", "C1"), identity("crm", "y", "C2")]
    # An account of the same native id in another system is another account.
    known += [identity("crm", "a", "C2"), identity("erp", "b", "C3"), identity("crm", "z", "C3")]
    found = build(make(spark, "identity_links", links), make(spark, "identities", known))
    assert rows_of(found, "left_account_id", "left_customer_id", "right_account_id", "right_customer_id") == [
        ("a", "C1", "y", "C2")
    ]
