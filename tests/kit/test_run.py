"""What a run does with inputs that never came, with a contract that changed, and with a whole that hardly changed."""

from datetime import date
from pathlib import Path

import pytest

from jobs.kit import bronze
from jobs.kit import lake as storage
from jobs.kit.contracts import load, parse
from jobs.kit.run import run
from jobs.kit.settings import settings

DAY = date(2025, 3, 10)
TILL = "order_id,line_number,store_id,member_id,product_id,transaction_timestamp,line_type,quantity,sales_amount,"
TILL += "retail_discount,coupon_discount,coupon_match_discount\n"
TILL += "T1,1,S01,900,P1,2025-03-01T10:00:00+08:00,sale,1,5.00,0.00,0.00,0.00\n"
APP = (
    '{"order_no": "SO1", "status": "paid", "created_at": "2025-03-01T10:00:00+08:00", "updated_at": '
    '"2025-03-01T10:00:00+08:00", "buyer": {"openid": "o1", "member_no": null}, "store_id": "S01", "receiver": {}, '
    '"items": [{"line_no": 1, "sku": "P1", "qty": 1, "list_price": 4.0, "price": 4.0, "amount": 4.0, "discount": 0.0, '
    '"coupon": 0.0}], "amounts": {"list": 4.0, "discount": 0.0, "coupon": 0.0, "paid": 4.0}, "pay_method": "alipay"}\n'
)
REFUND = (
    '{"refund_id": "F%d", "platform": "app", "order_no": "SO%d", "line_no": 1, "sku": "P1", "qty": 1, "amount": 4.0, '
    '"reason": "quality", "refunded_at": "2025-03-05T10:00:00+08:00"}\n'
)


def drop(folder: Path, name: str, text: str) -> None:
    path = folder / "drop" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def rows(table: str, *columns: str) -> list[tuple]:
    found = storage.read_small(table).to_pylist()
    return sorted(tuple(row[c] for c in columns) for row in found)


def test_an_optional_input_counts_as_empty_until_it_comes(lake):
    drop(lake, "pos/pos_lines/pos_lines_2025-03-01.csv", TILL)
    run("pos_lines", DAY)
    with pytest.raises(storage.NotThereError, match=r"silver\.online_orders needs bronze\.app_orders"):
        run("online_orders", DAY)  # none of its inputs ever came
    assert [r.verdict for r in run("order_lines", DAY)] == ["published"]
    assert rows("silver.order_lines", "order_id", "channel") == [("T1", "pos")]
    assert [r.verdict for r in run("order_lines", DAY)] == ["nothing new"]

    drop(lake, "app/app_orders/app_orders_2025-03-01.jsonl", APP)
    run("app_orders", DAY)
    (result,) = run("order_lines", DAY)
    assert (result.verdict, result.scope) == ("published", "1 of order_date: 2025-03-01")
    assert rows("silver.order_lines", "order_id", "channel") == [("SO1", "app"), ("T1", "pos")]


def test_a_table_of_bronze_is_due_while_something_is_not_loaded(lake, monkeypatch):
    contract = load("bronze.refunds")
    assert not bronze.is_due(contract, DAY)
    drop(lake, "aftersales/refunds/refunds_2025-03-05.jsonl", REFUND % (1, 1))
    drop(lake, "aftersales/refunds/refunds_2025-03-11.jsonl", REFUND % (2, 2))  # of tomorrow
    assert bronze.is_due(contract, DAY)
    run("refunds", DAY)
    assert not bronze.is_due(contract, DAY)
    assert bronze.is_due(contract, date(2025, 3, 11))
    run("refunds", date(2025, 3, 11))
    drop(lake, "aftersales/refunds/refunds_2025-03-05.jsonl", REFUND % (3, 3))  # another content, the same name
    assert bronze.is_due(contract, DAY)
    run("refunds", DAY)
    drop(lake, "aftersales/refunds/wrong_name.txt", "what is it?")
    assert bronze.is_due(contract, DAY)
    run("refunds", DAY)
    assert not bronze.is_due(contract, DAY)
    with monkeypatch.context() as changed:
        changed.setattr(bronze, "fingerprint", lambda _: "another contract")
        assert bronze.is_due(contract, DAY)
    monkeypatch.setenv("SHOPLAKE_SOURCES__AFTERSALES", "http://127.0.0.1:9")
    settings.cache_clear()
    assert bronze.is_due(contract, DAY)  # who can be asked may have news


def test_an_input_dated_by_the_day_reaches_its_month_and_no_other(lake):
    for month in (2, 3):
        text = TILL.replace("T1,1", f"M{month},1").replace("2025-03", f"2025-0{month}")
        drop(lake, f"pos/pos_lines/pos_lines_2025-0{month}-01.csv", text)
    moves = "movement_id|store_id|product_id|movement_type|units|moved_on|cost_amount\nV1|S01|P1|receipt|5|%s|9.00\n"
    drop(lake, "operations/stock_moves/stock_moves_2025-03-02.csv", moves % "2025-03-02")
    for table in ("pos_lines", "stock_moves", "order_lines", "stock_movements"):
        run(table, DAY)
    late = TILL.replace("T1,1", "T2,1").replace("2025-03-01", "2025-02-28")
    drop(lake, "pos/pos_lines/pos_lines_2025-02-28.csv", late)
    for table in ("pos_lines", "order_lines"):
        run(table, DAY)
    (result,) = run("stock_movements", DAY)
    assert (result.scope, result.rows_in) == ("1 of month_start_date: 2025-02-01", 2)
    assert rows("silver.stock_movements", "movement_date", "movement_type", "moved_unit_count") == [
        (date(2025, 2, 1), "sale", -1),
        (date(2025, 2, 28), "sale", -1),
        (date(2025, 3, 1), "sale", -1),
        (date(2025, 3, 2), "receipt", 5),
    ]


def test_a_refund_whose_order_comes_later_finds_it(lake):
    drop(lake, "aftersales/refunds/refunds_2025-03-05.jsonl", REFUND % (1, 1))
    run("refunds", DAY)
    run("refund_lines", DAY)
    assert rows("silver.refund_lines", "refund_id", "store_id") == [("F1", "UNKNOWN")]
    drop(lake, "app/app_orders/app_orders_2025-03-01.jsonl", APP)
    for table in ("app_orders", "online_orders", "refund_lines"):
        run(table, DAY)
    assert rows("silver.refund_lines", "refund_id", "store_id") == [("F1", "S01")]


def test_a_whole_upsert_tells_its_readers_only_what_changed(lake, spark, monkeypatch):
    drop(lake, "aftersales/refunds/refunds_2025-03-05.jsonl", "".join(REFUND % (n, n) for n in range(5)))
    run("refunds", DAY)
    run("refund_lines", DAY)
    drop(lake, "aftersales/refunds/refunds_2025-03-06.jsonl", REFUND % (9, 9))
    run("refunds", DAY)
    contract = load("silver.refund_lines")
    monkeypatch.setattr(type(contract), "scope_keys", property(lambda self: ()))  # as if no input carried the key
    (result,) = run("refund_lines", DAY)
    assert (result.scope, result.rows_out) == ("everything", 6)
    news = storage.changes(spark, "silver.refund_lines", result.version - 1, result.version)
    assert [row["refund_id"] for row in news.collect()] == ["F9"]


def test_a_contract_that_renames_the_column_of_dates_is_published(lake, monkeypatch, tmp_path):
    import jobs.kit.run as kit

    drop(lake, "aftersales/refunds/refunds_2025-03-05.jsonl", REFUND % (1, 1))
    run("refunds", DAY)
    was = load("bronze.refunds")
    (tmp_path / "bronze").mkdir()
    renamed = tmp_path / "bronze" / "refunds.yaml"
    renamed.write_text(was.path.read_text().replace("refund_date", "paid_back_date"))
    monkeypatch.setattr(kit, "load", lambda name: parse(renamed) if name == "bronze.refunds" else load(name))
    gates = tmp_path / "expectations" / "bronze"
    gates.mkdir(parents=True)
    from jobs.kit import gate

    said = (gate.EXPECTATIONS / "bronze" / "refunds.yaml").read_text()
    (gates / "refunds.yaml").write_text(said.replace("refund_date", "paid_back_date"))
    monkeypatch.setattr(gate, "EXPECTATIONS", tmp_path / "expectations")
    monkeypatch.setattr(gate, "CHECKOUT", tmp_path)
    assert [r.verdict for r in run("refunds", DAY)] == ["published"]
    assert rows("bronze.refunds", "refund_id", "paid_back_date") == [("F1", date(2025, 3, 5))]
