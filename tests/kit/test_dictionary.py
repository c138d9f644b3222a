"""The data dictionary holds every table and column, and its links lead somewhere."""

import re
from dataclasses import replace
from html import unescape

from jobs.kit import dictionary
from jobs.kit.contracts import all_contracts, load
from jobs.kit.settings import settings


def test_every_table_column_and_meaning_is_there_and_every_link_ends_at_a_table():
    contracts = all_contracts()
    page = dictionary.page(contracts)
    text = unescape(re.sub(r"<[^>]+>", "", page))
    for contract in contracts:
        assert f'<section id="{contract.name}">' in page
        assert contract.purpose in text
        for column in contract.columns:
            assert column.description in text, (contract.name, column.name)
    assert set(re.findall(r'href="#([^"]+)"', page)) == {c.name for c in contracts}


def test_words_of_a_contract_are_text_and_no_markup():
    contract = replace(load("silver.orders"), purpose="a < b & <script>alert(1)</script>")
    page = dictionary.page([contract])
    assert "a &lt; b &amp; &lt;script&gt;" in page and "<script>alert" not in page


def test_a_column_says_its_key_its_unit_and_who_may_see_it():
    row = re.search(r"<code>net_amount</code>.*?</tr>", dictionary.page([load("silver.orders")])).group()
    assert f"<i>{settings().currency}</i>" in row and "decimal(18,2)" in row
    page = dictionary.page([load("silver.members")])
    assert "<code>member_id</code><i>key</i><i>pseudonymous</i>" in page
    assert "<code>age_band</code><i>personal</i>" in page
