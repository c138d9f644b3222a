"""Clusters and their ids: what joins, merges, splits, and founds."""

from datetime import date

import pytest

from jobs.silver.identities import build
from jobs.verbs import own_customer_id
from tests.frames import make, rows_of

DAYS = {name: date(2024, 1, n) for n, name in enumerate("abcdef", start=1)}


def link(left, right, decision="link", rule="card", probability=None):
    return {
        "left_account_system": "erp", "left_account_id": left, "left_first_seen_date": DAYS[left],
        "right_account_system": "erp", "right_account_id": right, "right_first_seen_date": DAYS[right],
        "link_rule": rule, "decision": decision, "match_probability": probability,
    }  # fmt: skip


def clusters(spark, accounts, *links):
    """The founder of each account, by its customer id."""
    own = [link(name, name, rule="own") for name in accounts]
    found = build(make(spark, "identity_links", [*own, *links]))
    ids = make(
        spark, "accounts", [{"account_system": "erp", "account_id": n, "first_seen_date": DAYS[n]} for n in DAYS]
    )
    named = ids.select("account_id", own_customer_id(ids.account_system, ids.account_id).alias("customer_id")).collect()
    founder = {row.customer_id: row.account_id for row in named}
    return {account: founder[customer] for account, customer in rows_of(found, "account_id", "customer_id")}


def test_links_over_any_number_of_steps_are_one_customer(spark):
    found = clusters(spark, "abcd", link("c", "d"), link("b", "c"))
    assert found == {"a": "a", "b": "b", "c": "b", "d": "b"}


def test_a_pair_for_review_is_no_link(spark):
    assert clusters(spark, "ab", link("a", "b", decision="review")) == {"a": "a", "b": "b"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Who comes takes the id that is there.
        (("ac", [link("a", "c")]), {"a": "a", "c": "a", "d": "a"}),
        # Two that prove to be one: the elder's id stays, and its accounts hear nothing of it.
        (("acd", [link("a", "c")]), {"a": "a", "c": "a", "d": "a"}),
    ],
)
def test_a_new_link_moves_the_younger_to_the_elders_id(spark, before, after):
    accounts, links = before
    was = clusters(spark, accounts, *links)
    found = clusters(spark, "acd", *links, link("c", "d"))
    assert found == after
    assert {name: found[name] for name in "ac"} == {name: was[name] for name in "ac"}


def test_a_part_that_splits_off_has_its_own_founders_id_and_the_rest_keeps_it(spark):
    whole = clusters(spark, "abcd", link("a", "b"), link("b", "c"), link("c", "d"))
    assert set(whole.values()) == {"a"}
    assert clusters(spark, "abcd", link("a", "b"), link("c", "d")) == {"a": "a", "b": "a", "c": "c", "d": "c"}


def test_a_founder_that_comes_late_gives_its_id_to_all(spark):
    """An id is of the data, not of the runs: an elder account in a late file founds the cluster after all."""
    assert clusters(spark, "bc", link("b", "c")) == {"b": "b", "c": "b"}
    assert clusters(spark, "abc", link("b", "c"), link("a", "c")) == {"a": "a", "b": "a", "c": "a"}


def test_the_method_is_the_strongest_rule(spark):
    own = [link(name, name, rule="own") for name in "abcd"]
    links = [link("a", "b", rule="probabilistic", probability=0.995), link("a", "c", rule="phone_and_name"),
             link("b", "c", rule="probabilistic", probability=0.999), link("a", "d", rule="card")]  # fmt: skip
    found = build(make(spark, "identity_links", [*own, *links]))
    assert rows_of(found, "account_id", "link_method", "match_probability") == [
        ("a", "own", None), ("b", "probabilistic", 0.999), ("c", "phone_and_name", None), ("d", "card", None),
    ]  # fmt: skip
