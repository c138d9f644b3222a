"""Whole reports of a small lake: what stands in them, what must not, and that all are written or none."""

import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

from jobs import cli
from jobs.demo.run import Flow
from jobs.kit.contracts import load
from jobs.kit.lake import NotThereError
from jobs.kit.settings import settings
from jobs.reports import figures, read, write
from jobs.reports.words import ReportError
from tests.reports.conftest import LAST, sale, sales

TOKEN = "tok_" + "a2b3c4d5e6f7" + "g" * 14


def reports(tmp_path: Path, **asked) -> write.Written:
    return write.write(tmp_path / "reports", currency="CNY", **asked)


def page(made: write.Written, path: str) -> str:
    return (made.folder / path).read_text(encoding="utf-8")


def cells(made: write.Written, path: str) -> list[tuple]:
    book = openpyxl.load_workbook(made.folder / path)
    return [row for sheet in book for row in sheet.iter_rows(values_only=True)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- the numbers ------------------------------------------------------------------------------------------------------


def added_up(rows: list[dict], days: int, before: bool = False, **of: str) -> Decimal:
    """Net of the last days (or of as many before), by plain addition."""
    last = LAST - timedelta(days=days) if before else LAST
    within = [r for r in rows if last - timedelta(days=days) < r["order_date"] <= last]
    return sum((Decimal(r["net_amount"]) for r in within if all(r[k] == v for k, v in of.items())), Decimal(0))


def test_links_of_a_page_lead_to_the_list_and_to_the_other_language(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    made = reports(tmp_path)
    for entry in made.entries:
        links = re.findall(r'href="([^"]*)"', page(made, entry.html))
        assert links, entry.html
        assert all((made.folder / entry.html).parent.joinpath(link).resolve().is_file() for link in links), links


def test_a_store_and_the_shop_tell_how_many_bought_and_the_mean_basket(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    gold(
        "gold.store_daily",
        *(
            {"order_date": LAST - timedelta(days=n), "store_id": "S1", "channel": c, "order_count": 3}
            for n in range(56)
            for c in ("pos", "app")
        ),
        {"order_date": LAST, "store_id": "S3", "channel": "pos", "order_count": 1000},
    )
    made = reports(tmp_path)
    net = added_up(sales(), 28, store_id="S1")
    of_store = page(made, "en/store/S1.html")
    assert ">168<" in of_store and f">¥{net / 168:,.2f}<" in of_store.replace("CN¥", "¥")
    assert ">1,168<" in page(made, "en/shop/all.html")


def test_pages_and_workbooks_hold_the_sums_of_gold(gold, tmp_path):
    rows = sales()
    gold("gold.sales_daily", *rows)
    made = reports(tmp_path)
    text = page(made, "en/store/S1.html")
    numbers = [cell for row in cells(made, "zh/store/S1.xlsx") for cell in row if isinstance(cell, float | int)]
    for days in (7, 28):
        for before in (False, True):
            whole = added_up(rows, days, before, store_id="S1")
            assert f"CN¥{whole:,.2f}" in text
            assert float(whole) in numbers
    for by in ({"category": "Milk"}, {"channel": "app"}):
        part = added_up(rows, 28, store_id="S1", **by)
        assert f"CN¥{part:,.2f}" in text
        assert float(part) in numbers
    every = added_up(rows, 7)
    assert f"上周您卖了 ¥{every:,.2f}" in page(made, "zh/shop/all.html")
    assert f"CN¥{added_up(rows, 28, department='MILK'):,.2f}" in page(made, "en/category/MILK.html")


def test_the_workbook_has_a_chart_of_the_weeks_that_add_up_to_the_sales(gold, tmp_path):
    rows = sales()
    gold("gold.sales_daily", *rows)
    book = openpyxl.load_workbook(reports(tmp_path).folder / "en/store/S1.xlsx")
    weeks = book["Sales week by week"]
    told = [row for row in weeks.iter_rows(min_row=2, max_col=2, values_only=True) if row[0]]
    assert len(told) == 10 and told[-1][0].date() == LAST - timedelta(days=6)
    assert sum(Decimal(str(net)) for _, net in told) == added_up(rows, 70, store_id="S1")
    assert len(weeks._charts) == 1


def test_margin_stock_and_loss_are_those_of_the_last_month_that_is_over(gold, tmp_path):
    of = {"month_start_date": date(2025, 3, 1), "store_id": "S1", "department": "MILK", "category": "Milk"}
    gold("gold.sales_daily", *sales(), sale(LAST + timedelta(days=2), "S1", "Milk", "1"))
    margin = {"net_amount": "200.00", "costed_net_amount": "160.00", "margin_amount": "40.00"}
    newer = of | {"month_start_date": date(2025, 4, 1)}
    gold("gold.category_margin", of | margin, newer | {"net_amount": "9999.99"})
    gold("gold.stock_turnover", of | {"sold_cost_amount": "30", "mean_stock_cost_amount": "60", "supply_days": 61.5})
    gold("gold.fresh_loss", of | {"sold_unit_count": 3, "spoiled_unit_count": 1, "spoiled_cost_amount": "7.77"})
    made = reports(tmp_path)
    assert made.as_of == LAST + timedelta(days=2)
    text = page(made, "en/store/S1.html")
    assert "in March 2025" in text and "9,999.99" not in text
    row = next(r for r in text.split("<tr>") if "CN¥40.00" in r and "<td>Milk" in r)
    values = re.findall(r"<td>(.*?)</td>", row)
    assert values == ["Milk", "CN¥200.00", "CN¥40.00", "25.0%", "CN¥60.00", "0.5", "62", "CN¥7.77", "25.0%"]


def test_campaigns_are_shown_with_their_channels(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    about = {"campaign_id": "C1", "start_date": date(2025, 3, 1), "end_date": date(2025, 3, 7), "window_days": 7}
    reached = {"targeted_member_count": 200, "buyer_count": 12, "is_finished": True, "is_comparable": True}
    sold = {"net_amount_in_window": "1234.56", "net_amount_before": "1000.00", "margin_amount_in_window": "321.00"}
    gold("gold.campaign_performance", about | reached | sold)
    told = {
        "campaign_id": "C1",
        "campaign_name_en": "Tea & cake",
        "campaign_name_zh": "茶点",
        "targeted_member_count": 200,
    }
    sms = {"touch_channel": "sms", "sent_count": 100, "exposed_count": 40, "clicked_count": 10, "cost_amount": "5.00"}
    push = {
        "touch_channel": "app_push",
        "sent_count": 50,
        "exposed_count": 30,
        "clicked_count": 5,
        "cost_amount": "1.00",
    }
    gold("gold.campaign_channels", told | sms, told | push)
    made = reports(tmp_path)
    text = page(made, "en/campaign/C1.html")
    assert "Tea &amp; cake · C1" in text
    assert "12 customers among them bought for CN¥1,234.56; in the 7 days before, all of them for CN¥1,000.00" in text
    assert re.search(r"<td>Sent</td>.*?<td>150</td><td>100.0%</td>", text, re.DOTALL)
    assert re.search(r"<td>Clicked</td>.*?<td>15</td><td>10.0%</td>", text, re.DOTALL)
    assert "茶点 · C1" in page(made, "zh/campaign/C1.html")
    assert ("SMS", 100, 40, 10) in [row[:4] for row in cells(made, "en/campaign/C1.xlsx")]


def test_a_page_names_the_tables_that_its_kind_is_from(gold, tmp_path):
    """Those that the figures ask in SQL, and the one that names the stores."""
    gold("gold.sales_daily", *sales())
    source = read.read()
    for kind in write.KINDS:
        asked: list[str] = []
        con = SimpleNamespace(execute=lambda sql, *v, asked=asked: asked.append(sql) or source.con.execute(sql, *v))
        figures.of_kind(replace(source, con=con), kind)  # type: ignore[arg-type]
        read_by_it = {f"gold.{name}" for sql in asked for name in re.findall(r"FROM ([a-z]\w+_\w+)", sql)}
        names = set() if kind == "campaign" else {"gold.store_360"}
        assert read_by_it | names == set(figures.TABLES_OF[kind]), kind
    text = page(reports(tmp_path), "en/category/MILK.html")
    assert "<li>gold.sales_daily · Version 0</li>" in text and "gold.store_daily" not in text


def test_the_shops_page_and_workbook_say_the_same(gold, tmp_path):
    of = {"month_start_date": date(2025, 3, 1), "store_id": "S1"}
    gold("gold.sales_daily", *sales())
    stock = {"sold_cost_amount": "1", "mean_stock_cost_amount": "60", "supply_days": 100.0}
    gold("gold.stock_turnover", of | {"department": "MILK", "category": "Milk"} | stock)
    made = reports(tmp_path)
    text = html.unescape(page(made, "en/shop/all.html"))
    said = [row[0] for row in cells(made, "en/shop/all.xlsx")[3:] if row[0]]
    said = said[: next(n for n, cell in enumerate(said) if not str(cell).endswith("."))]
    on_page = re.findall(r'<p class="lead">(.*?)</p>|^<ol class="advice">|<li>(.*?)</li>', text, re.M)
    assert said == [lead or item for lead, item in on_page if lead or item] and len(said) > 1
    assert said[0].startswith("Last week you sold goods for")


# --- what is not there ------------------------------------------------------------------------------------------------


def test_without_any_other_table_reports_say_what_is_not_known(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    made = reports(tmp_path)
    assert {e.kind for e in made.entries} == {"store", "category", "shop"}
    text = page(made, "en/store/S1.html")
    assert "Stock is not known here: gold.stock_turnover was never published." in text
    assert "No master names this store" in text
    (left_out,) = re.findall(r"Never published, and so left out: (.*?)</p>", text)
    assert "gold.store_daily" in left_out and "gold.campaign" not in left_out, "of what this page would tell"
    assert ">None<" not in text and "nan" not in text


def test_a_store_without_sales_in_the_period_says_when_the_last_one_was(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    made = reports(tmp_path)
    last = "The last sale was recorded on February 24, 2025."
    assert f"No sale was recorded in the 28 days to March 31, 2025. {last}" in page(made, "en/store/S2.html")
    assert f"No sale was recorded last week. {last}" in page(made, "en/shop/S2.html")


def test_a_store_that_never_sold_has_a_report_too(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    gold("gold.store_360", {"store_id": "S9", "store_name": "New shop"}, {"store_id": "S1"})
    made = reports(tmp_path)
    text = page(made, "en/store/S9.html")
    assert "New shop · S9" in text and "No sale was recorded in the 26 weeks to March 31, 2025." in text
    assert (made.folder / "zh/store/S9.xlsx").is_file()


def test_where_the_days_before_are_not_known_nothing_is_set_against_them(gold, tmp_path):
    gold("gold.sales_daily", *[r for r in sales() if r["order_date"] > LAST - timedelta(days=30)])
    text = page(reports(tmp_path), "en/store/S1.html")
    assert "of the 28 days before, no sales are known" in text
    assert text.count("nothing known before") == 3  # all but the week


def test_a_store_that_sold_nothing_before_says_so(gold, tmp_path):
    gold("gold.sales_daily", *sales(), sale(LAST, "S3", "Milk", "7.77"))
    text = page(reports(tmp_path), "en/store/S3.html")
    assert "sales were CN¥7.77; in the 28 days before, nothing was sold." in text


def test_categories_of_one_name_are_told_apart_by_their_department(gold, tmp_path):
    gold(
        "gold.sales_daily",
        *[sale(LAST, "S1", "Misc", net) | {"department": d} for d, net in (("FUEL", "3"), ("DELI", "4"))],
    )
    text = page(reports(tmp_path), "en/store/S1.html")
    assert re.findall(r"<td>(Misc[^<]*)</td>", text) == ["Misc (DELI)", "Misc (FUEL)"]


def test_a_shop_alone_has_one_page(gold, tmp_path):
    gold("gold.sales_daily", *[r for r in sales() if r["store_id"] == "S1"])
    assert {e.id for e in reports(tmp_path).entries if e.kind == "shop"} == {"all"}


def test_without_a_sale_there_is_one_sentence(gold, tmp_path):
    with pytest.raises(NotThereError, match=r"gold.sales_daily was never published.*shoplake run"):
        reports(tmp_path)
    gold("gold.sales_daily")
    with pytest.raises(NotThereError, match="holds no sale: deliver"):
        reports(tmp_path)
    gold("gold.sales_daily", *sales())
    with pytest.raises(NotThereError, match="no sale up to 2024-01-01"):
        reports(tmp_path, as_of=date(2024, 1, 1))
    with pytest.raises(ReportError, match="nothing is known of any campaign"):
        reports(tmp_path, kinds=["campaign"])
    assert not (tmp_path / "reports").exists() or list((tmp_path / "reports").iterdir()) == []


def test_a_table_older_than_its_contract_is_one_sentence(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    write_deltalake(settings().path("gold.fresh_loss"), pa.table({"store_id": ["S1"]}))
    with pytest.raises(ReportError, match=r"gold.fresh_loss has no category, .* yet: shoplake run gold.fresh_loss"):
        reports(tmp_path)


def test_the_demo_ends_with_the_shops_page_if_anything_was_sold(gold, tmp_path):
    flow = SimpleNamespace(conf=settings().model_copy(update={"home": tmp_path}))
    assert Flow._reports(flow) == []
    gold("gold.sales_daily", *sales())
    pages = Flow._reports(flow)
    assert [p.title for p in pages] == ["The shop's report, en", "The shop's report, zh"]
    assert all(Path(p.address.removeprefix("file://")).is_file() for p in pages)


# --- safety -----------------------------------------------------------------------------------------------------------


def test_names_are_text_and_nothing_else(gold, tmp_path):
    evil = ["<script>alert(1)</script>", "=1+cmd|' /C calc'!A0", "../../up", "{{ 7*7 }}"]
    gold("gold.sales_daily", *[sale(LAST, e, e, "9.99") | {"department": e, "channel": e} for e in evil])
    gold("gold.store_360", *[{"store_id": e, "store_name": e} for e in evil])
    made = reports(tmp_path)
    for path in made.folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text and "49" not in re.sub(
            r"<svg.*?</svg>|<style.*?</style>", "", text, flags=re.DOTALL
        )
    for path in made.folder.rglob("*.xlsx"):
        types = {c.data_type for sheet in openpyxl.load_workbook(path) for row in sheet.iter_rows() for c in row}
        assert "f" not in types
    inside = made.folder.resolve()
    assert all((inside / e.html).resolve().is_relative_to(inside) and (inside / e.html).is_file() for e in made.entries)
    assert len({e.html for e in made.entries}) == len(made.entries)
    assert not (tmp_path / "up").exists() and not list(tmp_path.glob("*.html"))


def test_pages_ask_no_network_for_anything(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    for path in reports(tmp_path).folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        asked = re.findall(r"""(?:src|href|xlink:href)=["']([^"'#]+)|url\((?!#)([^)]*)|@import""", text)
        local = {a for a, _ in asked if not a.startswith(("http:", "https:", "//"))}
        assert {a for a, _ in asked} == local and "<script" not in text and "@import" not in text
        assert all((path.parent / a).is_file() for a in local)


def test_nothing_that_names_a_person_is_read_and_tokens_are_masked(gold, tmp_path):
    classified = {
        (table, c.name) for table in read.TABLES for c in load(table).columns if c.classification
    }  # fmt: skip
    assert ("gold.customer_value", "customer_id") in classified
    assert not classified & {(table, column) for table, columns in read.TABLES.items() for column in columns}
    gold("gold.sales_daily", *sales(), sale(LAST, "S1", f"gift of {TOKEN}", "1.23"))
    gold("gold.store_360", {"store_id": "S1", "store_name": f"Shop of {TOKEN}"})
    gold("gold.customer_value", {"customer_id": "Cdeadbeef", "value_class": "at-risk", "net_amount_365d": "10"})
    made = reports(tmp_path)
    assert "Shop of •••" in page(made, "en/store/S1.html")
    books = [str(c) for p in made.folder.rglob("*.xlsx") for row in cells(made, str(p)) for c in row]
    texts = [p.read_text(encoding="utf-8") for p in made.folder.rglob("*") if p.suffix in (".html", ".json")]
    assert not [t for t in [*books, *texts] if "tok_" in t or "Cdeadbeef" in t]


def test_only_gold_and_scoring_are_read():
    assert {table.split(".")[0] for table in read.TABLES} <= {"gold", "scoring"}


# --- the folder -------------------------------------------------------------------------------------------------------


def test_again_gives_the_same_bytes_and_leaves_nothing_behind(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    first = files(reports(tmp_path).folder)
    assert files(reports(tmp_path).folder) == first
    assert [p.name for p in (tmp_path / "reports").iterdir()] == [str(LAST)]


def test_what_fails_midway_changes_nothing(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    made = reports(tmp_path)
    before = files(made.folder)
    own = tmp_path / "own"
    own.mkdir()
    (own / "shop.html.j2").write_text("{{ 1 / 0 }}")  # the last kind to be written
    with pytest.raises(ReportError, match=r"shop.html.j2, line 1: division by zero"):
        reports(tmp_path, own=own)
    assert files(made.folder) == before
    assert [p.name for p in (tmp_path / "reports").iterdir()] == [str(LAST)]


def test_what_a_killed_run_left_is_taken_away_and_what_it_put_aside_is_put_back(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    made = reports(tmp_path)
    nobody = subprocess.Popen([sys.executable, "-c", ""])
    nobody.wait()
    killed = made.folder.with_name(f".{LAST}-{nobody.pid}-x_y")
    killed.mkdir()
    made.folder.rename(killed.with_name(f"{killed.name}-old"))
    reports(tmp_path, kinds=["shop"], chosen=["zh"])
    assert [p.name for p in (tmp_path / "reports").iterdir()] == [str(LAST)]
    assert (made.folder / "en/store/S1.xlsx").is_file()


def test_a_part_joins_what_is_there_and_the_whole_replaces_it(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    made = reports(tmp_path)
    before = files(made.folder)
    gold("gold.sales_daily", *sales(), sale(LAST, "S1", "Milk", "1000"))
    reports(tmp_path, kinds=["store"], only=["S1"], chosen=["en"], formats=["html"])
    after = files(made.folder)
    assert {name for name in before if before[name] != after.get(name)} == {
        "en/store/S1.html", "index.html", "index.en.html", "reports.json",
    }  # fmt: skip
    assert set(after) == set(before)
    told = {(e["kind"], e["id"], e["language"]): e for e in json.loads(after["reports.json"])}
    assert told["store", "S1", "en"]["xlsx"] == "en/store/S1.xlsx"  # there already
    gold("gold.sales_daily", *[r for r in sales() if r["store_id"] == "S1"])
    assert "en/store/S2.html" not in files(reports(tmp_path).folder)


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_what_was_written(gold, tmp_path, monkeypatch):
    gold("gold.sales_daily", *sales())
    monkeypatch.setenv("SHOPLAKE_HOME", str(tmp_path))
    settings.cache_clear()
    done = CliRunner().invoke(
        cli.app, ["report", "shop", "--only", "all", "--language", "en", "--format", "html", "--json"]
    )
    told = json.loads(done.stdout)
    assert done.exit_code == 0 and told["as_of"] == str(LAST) and told["files"] == 1
    assert [(r["kind"], r["id"], r["html"], r["xlsx"]) for r in told["reports"]] == [
        ("shop", "all", "en/shop/all.html", "")
    ]
    assert (Path(told["folder"]) / "en/shop/all.html").is_file() and Path(told["index"]).is_file()


def test_what_there_is_none_of_is_refused_with_what_there_is(gold, tmp_path):
    gold("gold.sales_daily", *sales())
    with pytest.raises(ReportError, match="there is no store S7: there are S1, S2"):
        reports(tmp_path, kinds=["store"], only=["S7"])
    with pytest.raises(ReportError, match="no words for de: there are en, zh"):
        reports(tmp_path, chosen=["de"])
