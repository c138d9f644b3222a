"""The vault: tokens join like the values, nothing else of the lake holds these, and a new key changes no join."""

import json
from datetime import date

import pytest
from typer.testing import CliRunner

from jobs import cli
from jobs.kit import lake as storage
from jobs.kit import tokens, vault
from jobs.kit.contracts import load
from jobs.kit.run import run
from tests.conftest import lake_at

PHONES = "card string, phone string"


def test_a_token_is_the_keys_and_the_values_alone():
    one, other = b"k" * 32, b"o" * 32
    assert tokens.lookup("13912345678", one) == tokens.lookup("13912345678", one)
    assert tokens.lookup("13912345678", one) != tokens.lookup("13912345678", other)
    assert tokens.lookup("13912345678", one) != tokens.lookup("13912345679", one)
    assert tokens.is_token(tokens.lookup("", one)) and not tokens.is_token("tok_13912345678")


def test_what_is_encrypted_is_read_with_the_same_key_alone():
    sealed = tokens.encrypt("王小明", b"k" * 32)
    assert tokens.decrypt(sealed, b"k" * 32) == "王小明"
    assert tokens.encrypt("王小明", b"k" * 32) != sealed, "equal values must not look equal"
    with pytest.raises(Exception, match=r"^$") as error:
        tokens.decrypt(sealed, b"o" * 32)
    assert type(error.value).__name__ == "InvalidTag"


def sealed(spark, rows, **more):
    frame = spark.createDataFrame(rows, PHONES)
    return vault.seal_columns(spark, frame, ["phone"], **{"keep_tokens": True} | more)


def by_card(frame):
    return {r["card"]: r["phone"] for r in frame.collect()}


def test_equal_values_get_equal_tokens_and_come_back(lake, spark):
    rows = [("a", "13912345678"), ("b", "13912345678"), ("c", None), ("d", "王小明"), ("e", "")]
    found = sealed(spark, rows)
    token = by_card(found)
    assert token["a"] == token["b"] != token["d"] and token["c"] is None
    assert all(tokens.is_token(t) for t in (token["a"], token["d"], token["e"]))
    assert by_card(vault.open_columns(spark, found, ["phone"])) == dict(rows)


def test_tokens_are_no_values_but_at_the_door_where_somebody_may_have_typed_one(lake, spark):
    once = sealed(spark, [("a", "139")])
    assert by_card(sealed(spark, once.collect())) == by_card(once)
    assert by_card(sealed(spark, once.collect(), keep_tokens=False)) != by_card(once)


def test_a_value_is_kept_once_and_encrypted(lake, spark):
    sealed(spark, [("a", "13912345678")])
    sealed(spark, [("b", "13912345678"), ("c", "13987654321")])
    kept = storage.read_small(vault.TABLE)
    assert len(kept) == 2
    assert not any(b"139" in row for row in kept["sealed"].to_pylist())


def test_a_new_key_changes_no_join(lake, spark):
    before = by_card(sealed(spark, [("a", "13912345678"), ("b", "王小明")]))
    kept = storage.read_small(vault.TABLE)
    assert "key 2 now" in CliRunner().invoke(cli.app, ["vault", "rotate"]).output.replace("\n", " ")
    after = sealed(spark, [("a", "13912345678"), ("n", "new"), ("z", None), ("b", "王小明")])
    token = by_card(after)
    assert {c: token[c] for c in before} == before and tokens.is_token(token["n"]) and token["z"] is None
    assert by_card(vault.open_columns(spark, after, ["phone"]))["n"] == "new"
    old = {r["sealed"] for r in kept.to_pylist()}
    assert not old & {r["sealed"] for r in storage.read_small(vault.TABLE).to_pylist()}
    assert vault.rotate(spark) == 3
    assert by_card(sealed(spark, [("a", "13912345678"), ("n", "new")])) == {"a": before["a"], "n": token["n"]}


def test_whoever_looks_is_written_down_first(lake, spark):
    token = by_card(sealed(spark, [("a", "13912345678")]))["a"]
    assert vault.reveal([token], "the customer called") == {token: "13912345678"}
    (read,) = storage.read_ops("vault_reads").to_pylist()
    assert read["what"] == token and read["reason"] == "the customer called" and read["reader"]
    shown = CliRunner().invoke(cli.app, ["vault", "show", token, "--reason", "she called again"]).output
    assert "13912345678" in shown and "she called again" in storage.read_ops("vault_reads")["reason"].to_pylist()
    gone = "tok_" + "a" * 26
    assert vault.reveal([gone], "again") == {gone: None}
    with pytest.raises(vault.VaultError, match="no token"):
        vault.reveal(["13912345678' OR '1'='1"], "curious")


def test_a_vault_whose_keys_are_gone_is_told_and_not_given_new_ones(lake, spark, tmp_path, monkeypatch):
    sealed(spark, [("a", "13912345678")])
    monkeypatch.setattr(vault, "_file", lambda: tmp_path / "elsewhere.json")
    with pytest.raises(vault.VaultError, match=r"elsewhere\.json"):
        sealed(spark, [("a", "13912345678")])


CANARIES = {
    "name": "王金丝雀",
    "phone": "13700009999",
    "document_number": "110101199001019999",
    "address": "金丝雀路7号楼7单元777室",
}


@pytest.fixture(scope="module")
def planted(spark, tmp_path_factory):
    """A lake of cards, one of them refused by the door, one by the gate, and reviews; all with canaries."""
    folder = tmp_path_factory.mktemp("canaries")
    header = ",".join(c.received_as for c in load("bronze.erp_members").columns if c.derived is None)
    with lake_at(folder):
        write(folder, header)
        for table in ("bronze.erp_members", "bronze.reviews", "silver.accounts", "silver.identity_links",
                      "silver.identities", "silver.customers", "silver.texts"):  # fmt: skip
            (result,) = run(table, date(2025, 6, 1))
            assert result.rows_out, (table, result)
        yield folder


def write(folder, header):
    names = header.split(",")

    def row(n, **more):
        said = {"member_id": f"M{n:06d}", "registered_at": "2025-05-01T10:00:00+08:00", "gender": "F",
                "birth_date": "1980-02-03", "registered_on": "2025-05-01", "store_id": "S0001"}  # fmt: skip
        said |= CANARIES if n < 4 else {"name": f"李{n}", "phone": f"1380000{n:04d}"}
        return ",".join((said | more).get(name) or "" for name in names)

    lines = [row(n) for n in range(300)]
    lines.append(row(2) + ",ragged")
    lines.append(row(3, phone="call 13700009999 or the shop"))
    drop = folder / "drop" / "erp" / "erp_members"
    drop.mkdir(parents=True)
    (drop / "erp_members_2025-05-31.csv").write_text("\n".join([header, *lines]) + "\n")
    contract = load("bronze.reviews")
    drop = folder / "drop" / contract.drop.folder
    drop.mkdir(parents=True)
    review = {c.received_as: None for c in contract.columns if c.derived is None}
    review |= {"review_id": "R1", "platform": "app", "order_no": "SO1", "sku": "P1", "stars": 5,
               "written_at": "2025-05-30T10:00:00+08:00", "content": "打我电话 13700009999 谢谢"}  # fmt: skip
    reviews = [review, review | {"review_id": "R2", "content": "一般"}]
    (drop / "reviews_2025-05-31.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in reviews))


def test_no_canary_is_left_in_anything_that_the_runs_wrote(planted):
    from jobs.kit.gate import folder as data_docs

    own = [p for p in planted.rglob("*") if p.is_file() and "drop" not in p.parts and "landing" not in p.parts]
    own += [p for p in data_docs().rglob("*") if p.is_file()]
    assert any(p.suffix == ".parquet" for p in own) and any(p.suffix == ".json" for p in own)
    with lake_at(planted):
        tables = {str(p.parent.parent.relative_to(planted / "lake")) for p in own if "_delta_log" in p.parts}
        texts = {t: str(storage.read_small(t.replace("/", ".", 1)).to_pylist()) for t in sorted(tables)}
    assert {"bronze/erp_members", "quarantine/erp_members", "silver/customers", "vault/identifiers"} <= set(texts)
    for canary in [*CANARIES.values(), "金丝雀"]:
        assert [t for t, text in texts.items() if canary in text] == []
        assert [p for p in own if canary.encode() in p.read_bytes()] == []


def test_the_audit_finds_values_that_somebody_left_in_the_clear_and_nothing_else(planted):
    with lake_at(planted):
        (planted / "lake" / "report.html").write_text("<td>一般</td>")  # a review, and a word of our own reports
        clean = CliRunner().invoke(cli.app, ["vault", "audit"])
        assert clean.exit_code == 0, clean.output
        assert "every value" in storage.read_ops("vault_reads")["what"].to_pylist()
        for name, text in {"run.log": "called 13700009999, no answer", "export.csv": f"a,{CANARIES['name']},b"}.items():
            (planted / "lake" / name).write_text(text)
        dirty = CliRunner().invoke(cli.app, ["vault", "audit"])
        for name in ("run.log", "export.csv"):
            (planted / "lake" / name).unlink()
    assert dirty.exit_code == 3 and "1 in lake/run.log" in dirty.output and "1 in lake/export.csv" in dirty.output
    assert "13700009999" not in dirty.output and CANARIES["name"] not in dirty.output


def test_refused_rows_are_tokens_that_a_person_with_a_reason_can_read(planted):
    with lake_at(planted):
        rows = storage.read_small("quarantine.erp_members")["row"].to_pylist()
        told = vault.reveal(rows, "repair")
    assert len(rows) == 2 and all("13700009999" in text for text in told.values())


def test_identity_resolution_reads_the_values_and_says_so(planted):
    with lake_at(planted):
        found = storage.read_small("silver.identity_links", "SELECT link_rule FROM t")["link_rule"].to_pylist()
        reads = {(r["reader"], r["what"]) for r in storage.read_ops("vault_reads").to_pylist()}
    assert "document" in found, "the four canaries share a document"
    assert ("silver.accounts", "bronze.erp_members") in reads
    assert ("silver.identity_links", "silver.accounts") in reads
