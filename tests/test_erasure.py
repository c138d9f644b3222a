"""Erasure: nothing names the person any more, everything else is as it was, and the lake goes on."""

import csv
import gzip
import io
import json
import shutil
from datetime import date

import pytest
from typer.testing import CliRunner

from jobs import cli, erasure
from jobs.kit import lake as storage
from jobs.kit import lineage, vault
from jobs.kit.contracts import all_contracts, load
from jobs.kit.run import run
from tests.conftest import lake_at
from tests.frames import make

DAY, NEXT = date(2025, 6, 1), date(2025, 6, 2)
TABLES = [
    *("bronze.erp_members", "bronze.crm_members", "bronze.app_users", "bronze.app_orders", "bronze.tmall_orders"),
    *("bronze.pos_lines", "bronze.reviews", "bronze.delivery_events", "bronze.gps_points", "bronze.consent_changes"),
    *("silver.accounts", "silver.identity_links", "silver.identities", "silver.customers", "silver.texts"),
    *("silver.consents", "silver.order_lines", "silver.online_orders", "silver.orders", "silver.customer_orders"),
]
FAMILY_PHONE = "13755556666"
CANARIES = ["王金丝雀", "canary@mail.example", "110101199001019999", "金丝雀路7号楼7单元777室", "13700009999",
            "o_canary_openid_0001", "oU_canary_union", "M770077", "C-770077", "黄雀fei770077",
            "只有我会这么写"]  # fmt: skip


def deliver(folder, table, day, rows, *, packed=False):
    """A file of a bronze table as its contract wants it; what rows leave out is empty."""
    contract = load(f"bronze.{table}")
    columns = [c.received_as for c in contract.columns if c.derived is None]
    text = io.StringIO()
    if contract.drop.format == "jsonl":
        for row in rows:
            text.write(json.dumps(dict.fromkeys(columns) | row, ensure_ascii=False) + "\n")
    else:
        writer = csv.DictWriter(text, columns, delimiter=contract.drop.delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    drop = folder / "drop" / contract.drop.folder
    drop.mkdir(parents=True, exist_ok=True)
    ending = ("jsonl" if contract.drop.format == "jsonl" else "csv") + (".gz" if packed else "")
    content = text.getvalue().encode(contract.drop.encoding)
    path = drop / f"{table}_{day}.{ending}"
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def card(n, **more):
    said = {"member_id": f"M{n:06d}", "name": f"李{n}", "phone": f"1380000{n:04d}", "gender": "F",
            "birth_date": "1980-02-03", "registered_on": "2025-05-01"}  # fmt: skip
    return said | more


def app_order(n, openid, receiver, paid="12.50"):
    at = "2025-05-30T10:00:00+08:00"
    item = {"line_no": 1, "sku": "P000001", "qty": 1, "list_price": 12.5, "price": 12.5, "amount": float(paid),
            "discount": 0.0, "coupon": 0.0}  # fmt: skip
    return {"order_no": f"SO{n:010d}", "status": "paid", "created_at": at, "updated_at": at, "store_id": "S0001",
            "buyer": {"openid": openid, "member_no": None}, "receiver": receiver, "items": [item],
            "amounts": {"list": 12.5, "discount": 0.0, "coupon": 0.0, "paid": float(paid)},
            "pay_method": "alipay"}  # fmt: skip


def tmall_order(n, nick, **receiver):
    at = "2025-05-30 10:00:00"
    item = {"oid": f"{n}1", "outer_sku_id": "P000001", "num": 1, "price": "9.9", "discount_fee": "0.00",
            "total_fee": "9.90"}  # fmt: skip
    return {"tid": f"40000000000{n}", "status": "TRADE_FINISHED", "created": at, "modified": at, "payment": "9.90",
            "buyer_nick": nick, "orders": {"order": [item]}} | receiver  # fmt: skip


def till_line(n, member=None, day="2025-05-30"):
    return {"order_id": f"T{n:010d}", "line_number": 1, "store_id": "S0001", "member_id": member or "",
            "product_id": "P000001", "transaction_timestamp": f"{day}T10:00:00+08:00", "line_type": "sale",
            "quantity": 1, "sales_amount": "5.00", "retail_discount": "0.00", "coupon_discount": "0.00",
            "coupon_match_discount": "0.00"}  # fmt: skip


def write(folder):
    name, mail, document, address, phone, openid, union, member, crm, nick, words = CANARIES
    cards = [card(n) for n in range(100)]
    cards[50]["phone"] = FAMILY_PHONE
    mine = {"name": name, "document_number": document, "address": address, "registered_on": "2025-05-02"}
    path = deliver(folder, "erp_members", "2025-05-31", [*cards, card(0, member_id=member, phone=FAMILY_PHONE, **mine)])
    with path.open("a") as file:  # two that the door refuses, one of them theirs
        file.write(f"{member},{name},ragged\nM000099,李99,ragged\n")
    told = {"name": name, "phone": phone, "email": mail, "document_number": document, "registered_on": "2025-05-02"}
    others = [{"crm_id": f"C-{n:06d}", "name": f"张{n}", "registered_on": "2025-05-01"} for n in range(50)]
    deliver(folder, "crm_members", "2025-05-31", [*others, {"crm_id": crm, "member_id": member} | told])
    users = [{"openid": f"o_other_openid_{n:04d}", "registered_at": "2025-05-01T10:00:00+08:00"} for n in range(50)]
    users.append({"openid": openid, "unionid": union, "phone": phone, "nickname": name, "member_no": member,
                  "registered_at": "2025-05-03T10:00:00+08:00"})  # fmt: skip
    deliver(folder, "app_users", "2025-05-31", users)
    receiver = {"name": name, "phone": phone, "address": address}
    orders = [app_order(n, f"o_other_openid_{n:04d}", {"name": f"陈{n}"}) for n in range(50)]
    deliver(folder, "app_orders", "2025-05-31", [*orders, app_order(777, openid, receiver)], packed=True)
    bought = [tmall_order(n, f"tb{n}", receiver_name=f"陈{n}") for n in range(1000, 1050)]
    theirs = {"receiver_name": name, "receiver_mobile": "137****9999", "receiver_address": address}
    deliver(folder, "tmall_orders", "2025-05-31", [*bought, tmall_order(7777, nick, **theirs)])
    lines = [till_line(n, f"M{n:06d}") for n in range(100)]
    deliver(folder, "pos_lines", "2025-05-31", [*lines, till_line(777, member)])
    review = {"platform": "app", "sku": "P000001", "stars": 5, "written_at": "2025-05-30T10:00:00+08:00"}
    reviews = [review | {"review_id": f"R{n}", "order_no": f"SO{n:010d}", "content": "好"} for n in range(20)]
    reviews.append(review | {"review_id": "R777", "order_no": "SO0000000777", "content": words})
    deliver(folder, "reviews", "2025-05-31", reviews)
    at = "2025-05-30T12:00:00+08:00"
    deliver(folder, "delivery_events", "2025-05-31", [
        {"delivery_id": f"D{n:09d}", "order_no": f"SO{n:010d}", "courier_id": "K1007", "event": "delivered",
         "event_at": at} for n in (1, 777)
    ])  # fmt: skip
    deliver(folder, "gps_points", "2025-05-31", [
        {"delivery_id": f"D{n:09d}", "courier_id": "K1007", "recorded_at": at, "lat": 30.5, "lon": 120.5,
         "speed": 1.0} for n in (1, 777)
    ])  # fmt: skip
    consent = {"channel": "sms", "purpose": "marketing", "is_given": "Y", "changed_at": "2025-05-30T10:00:00+08:00"}
    deliver(folder, "consent_changes", "2025-05-31", [{"crm_id": c} | consent for c in ("C-000001", crm)])


def build(day):
    for table in TABLES:
        assert all(r.ok for r in run(table, day)), table


def test_a_member_leaves_files_tables_vault_and_history_and_the_till_keeps_its_money(tmp_path, spark):
    """The smallest lake that has all of it; the slow tests below have every kind of table."""
    with lake_at(tmp_path):
        write(tmp_path)
        tables = ["bronze.erp_members", "bronze.pos_lines"]
        for table in tables:
            assert all(r.ok for r in run(table, DAY)), table
        assert named(tmp_path, tables), "there was to be something to erase"
        for path in (tmp_path / "drop").rglob("*"):  # what no run has landed yet is no lake's
            if path.is_file() and not path.name.startswith(("erp_members", "pos_lines")):
                path.unlink()
        done = command("--member", "M770077", "--reason", "asked for by letter")
        assert done.exit_code == 0, done.output
        assert named(tmp_path, tables) == []
        tills = storage.read_small("bronze.pos_lines", "SELECT count(*) AS n, count(member_id) AS m FROM t").to_pylist()
        assert tills == [{"n": 101, "m": 100}]
        (row,) = storage.read_ops("erasures").to_pylist()
        assert row["hits"] == 0 and json.loads(row["records"])["bronze.erp_members"] == {"deleted": 2}


@pytest.fixture(scope="module")
def built(spark, tmp_path_factory):
    """A lake with one person in it whose values are canaries, and some others; a file of theirs came twice."""
    folder = tmp_path_factory.mktemp("erasure")
    with lake_at(folder):
        write(folder)
        build(DAY)
        deliver(folder, "consent_changes", "2025-05-31", [
            {"crm_id": c, "channel": "email", "purpose": "marketing", "is_given": "N",
             "changed_at": "2025-05-30T10:00:00+08:00"} for c in ("C-000001", "C-770077")
        ])  # fmt: skip
        build(DAY)
        yield folder


@pytest.fixture
def lake(built, tmp_path, spark):
    """The same, to change; the scores of a person and another stand in it too."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    with lake_at(tmp_path):
        customers = {customer_of("erp", "M770077"), customer_of("erp", "M000001")}
        contract = load("scoring.churn_scores")
        rows = [{"customer_id": c, "as_of_date": DAY} for c in customers]
        said = {"batch": tmp_path.name, "run_id": "r", "as_ofs": {}}
        storage.publish(spark, make(spark, "churn_scores", rows), contract, said, rows=2)
        yield tmp_path
        for journal in erasure.unfinished():
            erasure._path(journal).unlink()


def customer_of(system, id_):
    sql = f"SELECT customer_id FROM t WHERE account_system = '{system}' AND account_id = '{id_}'"
    rows = storage.read_small("silver.identities", sql)["customer_id"].to_pylist()
    return rows[0] if rows else None


def command(*words):
    return CliRunner().invoke(cli.app, ["erase", *words])


def facts():
    """What must not change: money by day and channel; and how much of it."""
    sums = "SELECT order_date, channel, sum(net_amount) AS s, count(*) AS n FROM t GROUP BY order_date, channel"
    return {
        "lines": sorted(map(str, storage.read_small("silver.order_lines", sums).to_pylist())),
        "orders": storage.read_small("silver.orders", "SELECT count(*) AS n, sum(line_count) AS l FROM t").to_pylist(),
        "online": storage.read_small("silver.online_orders", "SELECT count(*) AS n FROM t").to_pylist(),
        "tills": storage.read_small("bronze.pos_lines", "SELECT count(*) AS n FROM t").to_pylist(),
    }


def named(folder, tables=None):
    """The files in which a canary stands: an own look, by another way than the proof's."""
    found = []
    for path in (p for root in ("lake", "drop") for p in (folder / root).rglob("*") if p.is_file()):
        raw = path.read_bytes()
        raw += gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else b""
        if any(c.encode(e) in raw for c in CANARIES for e in ("utf-8", "gb18030")):
            found.append(str(path.relative_to(folder)))
    for contract in map(load, tables) if tables else all_contracts():
        if storage.version(contract.name) is not None:
            text = str(storage.read_small(contract.name).to_pylist())
            found += [contract.name for c in CANARIES if c in text]
    return found


def content(table):
    """Rows less what an id of a run or file is."""
    rows = storage.read_small(table).to_pylist()
    return sorted(str({k: v for k, v in r.items() if k not in ("_file_id", "run_id", "scope")}) for r in rows)


@pytest.mark.slow
def test_a_person_goes_and_all_else_stays(lake, spark):
    before, mine, other = facts(), customer_of("erp", "M770077"), customer_of("erp", "M000001")
    accounts = erasure.accounts_of(customer=mine)
    assert accounts == {"app": [CANARIES[5]], "crm": ["C-770077"], "erp": ["M770077"], "tmall": [CANARIES[9]]}
    assert named(lake), "there was to be something to erase"
    done = command("--member", "M770077", "--reason", "asked for by letter")
    assert done.exit_code == 0, done.output
    assert named(lake) == []
    assert facts() == before
    assert customer_of("erp", "M000001") == other and customer_of("erp", "M770077") is None
    assert storage.read_small("scoring.churn_scores")["customer_id"].to_pylist() == [other]
    assert erasure.unfinished() == []
    (row,) = storage.read_ops("erasures").to_pylist()
    assert row["hits"] == 0 and row["files_scanned"] > 50 and row["reason"] == "asked for by letter"
    assert vault.subject("erp M770077") in row["subjects"] and "M770077" not in str(row)
    assert json.loads(row["records"])["bronze.erp_members"] == {"deleted": 2}
    assert row["shared"], "the family's telephone is somebody else's too"
    kept = spark_values(spark, "bronze.erp_members", "phone")
    assert FAMILY_PHONE in kept and "13700009999" not in kept


def spark_values(spark, table, column):
    rows = vault.open_columns(spark, storage.read(spark, table), [column])
    return {r[0] for r in rows.select(column).distinct().collect()}


@pytest.mark.slow
def test_who_waits_is_erased_at_night(lake):
    noted = command("--member", "M770077", "--reason", "asked by phone", "--later")
    assert noted.exit_code == 0 and "Noted as" in noted.output and customer_of("erp", "M770077"), noted.output
    done = command("--waiting")
    assert done.exit_code == 0 and customer_of("erp", "M770077") is None, done.output
    assert [r["reason"] for r in storage.read_ops("erasures").to_pylist()] == ["asked by phone"]
    assert "Nobody waits" in command("--waiting").output


@pytest.mark.slow
def test_the_refused_row_of_another_stays_in_quarantine(lake):
    assert command("--customer", customer_of("erp", "M770077"), "--reason", "x").exit_code == 0
    (row,) = storage.read_small("quarantine.erp_members")["row"].to_pylist()
    assert vault.reveal([row], "test")[row].startswith("M000099")


@pytest.mark.slow
def test_a_forgotten_order_keeps_its_sum_under_a_name_that_is_nobodys(lake):
    assert command("--account", f"tmall:{CANARIES[9]}", "--reason", "x").exit_code == 0
    sql = "SELECT buyer_nick, receiver_name, payment FROM t WHERE tid = '400000000007777'"
    (order,) = storage.read_small("bronze.tmall_orders", sql).to_pylist()
    assert order["buyer_nick"].startswith("erased_") and (order["receiver_name"], order["payment"]) == (None, "9.90")
    (order,) = storage.read_small("bronze.app_orders", "SELECT * FROM t WHERE order_no = 'SO0000000777'").to_pylist()
    assert json.loads(order["buyer"])["openid"].startswith("erased_") and '"paid":12.5' in order["amounts"]
    (line,) = storage.read_small("bronze.pos_lines", "SELECT * FROM t WHERE order_id = 'T0000000777'").to_pylist()
    assert line["member_id"] is None and line["sales_amount"] == "5.00"


@pytest.mark.slow
def test_the_next_day_is_loaded_as_ever_and_old_files_stay_as_repaired(lake):
    assert command("--member", "M770077", "--reason", "x").exit_code == 0
    for table in TABLES:
        assert run(table, DAY)[0].verdict == "nothing new", table
    deliver(lake, "pos_lines", "2025-06-01", [till_line(n, "M000003", "2025-06-01") for n in range(5000, 5004)])
    deliver(lake, "erp_members", "2025-06-01", [card(500)])
    build(NEXT)
    assert storage.read_small("silver.orders", "SELECT * FROM t WHERE order_date = '2025-06-01'").num_rows == 4
    assert customer_of("erp", "M000500")
    assert named(lake) == []


@pytest.mark.slow
def test_a_dry_run_changes_nothing_and_names_no_value(lake):
    def state():
        return {str(p): p.stat().st_mtime_ns for p in lake.rglob("*") if p.is_file() and "ops" not in p.parts}

    before = state()
    told = command("--member", "M770077", "--dry-run")
    assert told.exit_code == 0, told.output
    assert state() == before and erasure.unfinished() == []
    assert "bronze.pos_lines" in told.output and "1 forgotten" in told.output and "2 deleted" in told.output
    assert "scoring.churn_scores: 1 rows" in told.output
    assert not any(c in told.output for c in CANARIES[:5])


@pytest.mark.slow
@pytest.mark.parametrize("words, said", [
    (["--member", "M999999"], "Nothing of erp M999999 is in this lake"),
    (["--customer", "C00"], "No customer C00"),
    (["--resume"], "No erasure was cut short"),
])  # fmt: skip
def test_whom_nobody_knows_is_one_sentence(lake, words, said):
    done = command(*words, "--reason", "x")
    assert isinstance(done.exception, erasure.ErasureError) and str(done.exception).startswith(said)


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


# Each step is cut short once after half of its work, by the function that does the work a piece at a time.
CUTS = {
    "repair": ("jobs.landing.files.exchange", 4),
    "repair of the drop folder": ("jobs.kit.door_rewrite.rewrite", 5),
    "replay": ("jobs.erasure.run", 9),
    "taking out": ("jobs.kit.lake.take_out", 1),
    "vault": ("jobs.kit.vault.forget", 1),
    "history": ("jobs.kit.lake.lose_history", 7),
    "proof": ("jobs.erasure._has", 40),
    "ledger": ("jobs.kit.lake.append_ops", 1),
}


@pytest.mark.slow
def test_killed_at_each_step_and_given_again_it_ends_the_same(lake, monkeypatch, tmp_path_factory):
    before = facts()
    for where, (function, times) in CUTS.items():
        with monkeypatch.context() as patch:
            patch.setattr(function, cut_after(function, times, only="erasures" if where == "ledger" else None))
            words = ["--member", "M770077", "--reason", "x"]
            with pytest.raises(Killed):
                CliRunner().invoke(cli.app, ["erase", *words], catch_exceptions=False)
        (journal,) = erasure.unfinished()
        assert oct(erasure._path(journal).stat().st_mode)[-3:] == "600", where
    done = command("--resume")
    assert done.exit_code == 0, done.output
    assert named(lake) == [] and facts() == before and erasure.unfinished() == []
    assert [r["hits"] for r in storage.read_ops("erasures").to_pylist()] == [0]
    for table in TABLES:
        assert run(table, DAY)[0].verdict == "nothing new", table


def cut_after(function, times, only):
    """The function, which does its work `times` times and then the program is dead."""
    module, _, name = function.rpartition(".")
    import importlib

    real, calls = getattr(importlib.import_module(module), name), []

    def cut(*given, **more):
        if only is None or given[0] == only:
            calls.append(1)
        result = real(*given, **more)
        if len(calls) >= times:
            raise Killed
        return result

    return cut


@pytest.mark.slow
def test_another_erasure_waits_for_the_one_that_was_cut_short(lake, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("jobs.erasure.run", cut_after("jobs.erasure.run", 1, None))
        with pytest.raises(Killed):
            CliRunner().invoke(cli.app, ["erase", "--member", "M770077", "--reason", "x"], catch_exceptions=False)
    waiting = command("--member", "M000001", "--reason", "x")
    assert "finish it first" in str(waiting.exception)


@pytest.mark.slow
def test_what_another_wrote_about_the_person_is_found_and_told(lake):
    """The proof is no formality: a document number in somebody's review is neither theirs to delete nor silent."""
    review = {"platform": "app", "sku": "P000001", "stars": 1, "written_at": "2025-05-31T10:00:00+08:00"}
    told = review | {"review_id": "R900", "order_no": "SO0000000003", "content": "坏人是o_canary_openid_0001"}
    deliver(lake, "reviews", "2025-06-01", [told])
    build(DAY)
    build(NEXT)
    done = command("--member", "M770077", "--reason", "x")
    assert done.exit_code == 1 and "reviews_2025-06-01.jsonl" in done.output
    (row,) = storage.read_ops("erasures").to_pylist()
    assert row["hits"] == len(row["hits_in"]) > 0
    deliver(lake, "reviews", "2025-06-01", [told | {"content": "坏人"}])
    shutil.rmtree(lake / "lake" / "landing" / "feedback" / "reviews" / "none", ignore_errors=True)
    build(NEXT)


ACCOUNTS = {"member_id", "crm_id", "openid", "buyer", "buyer_nick", "pin", "user_info", "social_user", "row_key"}


@pytest.mark.parametrize("contract", [c for c in all_contracts() if c.layer == "bronze"], ids=lambda c: c.name)
def test_a_bronze_table_that_tells_of_persons_says_whose_its_records_are(contract):
    personal = [c for c in contract.columns if c.classification]
    assert bool(personal) <= (contract.subject is not None), f"say the subject of {contract.name}"
    if contract.subject:
        told = {kind for c in all_contracts() if c.subject for kind in c.subject.tells}
        assert set(contract.subject.by) <= {*erasure._SYSTEMS, *told}
        left = {c.name for c in personal if c.classification == "pseudonymous" and c.name in ACCOUNTS}
        if contract.subject.erasure == "forget":
            assert left <= set(contract.subject.leaves), "an account would stay"


def test_all_that_is_made_of_a_subject_is_run_again():
    assert "scoring.churn_scores" in lineage.downstream("bronze.pos_lines")
