"""The simulated retailer: the same from the same seed, its causes found in what its systems say, its books right."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pytest

from jobs.demo import retailer
from jobs.demo.retailer import MAKERS, behaviour, campaigns, systems
from jobs.demo.retailer.world import Scale, World, world

SMALL, LARGER = Scale(0.002), Scale(0.05)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The drop folder and the truth of the small retailer."""
    home = tmp_path_factory.mktemp("retailer")
    retailer.write(home / "drop", home / "truth", SMALL)
    return home


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The larger world itself, for what is true on average only."""
    with world(LARGER, tmp_path_factory.mktemp("world")) as it:
        for module in MAKERS[:-1]:
            module.make(it)
        yield it


def one(made: World, query: str):
    return made.con.execute(query).fetchone()


def contents(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def rows(folder: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    files = sorted(folder.glob("*.csv"))
    return [r for f in files for r in csv.DictReader(f.read_text(encoding).splitlines(), delimiter=delimiter)]


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for f in sorted(folder.glob("*.jsonl")) for line in f.read_text("utf-8").splitlines()]


# --- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_touches_nothing_that_is_there(written, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in (written / "drop").rglob("*")}
    again = retailer.write(written / "drop", tmp_path / "truth", SMALL)
    assert (again.files > 1000, again.changed) == (True, 0)
    assert {p: p.stat().st_mtime_ns for p in (written / "drop").rglob("*") if p.is_file()}.items() <= before.items()
    assert contents(tmp_path / "truth") == contents(written / "truth")


def test_another_seed_gives_another_retailer_and_progress_is_told_to_its_end(written, tmp_path):
    heard = []
    retailer.write(tmp_path / "drop", tmp_path / "truth", Scale(SMALL.sf, seed=2), lambda *step: heard.append(step))
    mine, other = contents(written / "drop"), contents(tmp_path / "drop")
    same = {name.split("/")[1] for name in mine.keys() & other.keys() if mine[name] == other[name]}
    assert same <= {"holiday_list", "campaign_list", "coupon_list"}  # a month's campaigns may be alike by chance
    assert [n for _, n, _ in heard] == list(range(len(heard)))
    assert heard[-1][1] == heard[-1][2]
    assert not [*tmp_path.rglob(".*")]  # nothing half-written is left lying about


def test_every_feed_is_there_and_dated_within_the_two_years(written):
    for feed in systems.FEEDS:
        names = [p.name for p in (written / "drop" / feed.folder).glob(f"{feed.table}_*.{feed.format}")]
        dates = {name.removeprefix(f"{feed.table}_")[:10] for name in names}
        assert dates, feed.table
        assert str(SMALL.first) <= min(dates) <= max(dates) <= str(SMALL.last), feed.table


# --- causes -----------------------------------------------------------------------------------------------------------


def test_demand_follows_the_price_factor(made):
    """Of two articles of a type in stores of one kind, the shares are as the truth says: by popularity and factor."""
    promoted, expected, variance = one(
        made,
        """
        WITH wanted AS (
            SELECT cluster, segment, week, type_id, product_id, count(*) AS n
            FROM demand JOIN visit_day USING (order_id) JOIN store USING (store_id) JOIN day USING (day)
            JOIN product USING (product_id) JOIN "order" USING (order_id) JOIN person USING (person_id)
            WHERE NOT is_by_rule AND format = 'hypermarket' GROUP BY ALL),
        asked AS (SELECT cluster, segment, week, type_id, sum(n) AS n FROM wanted GROUP BY ALL),
        chance AS (
            SELECT cluster, segment, week, type_id, product_id, is_promoted,
                   popularity * factor ** sensitivity AS pull,
                   pull / sum(pull) OVER (PARTITION BY cluster, segment, week, type_id) AS share
            FROM assortment JOIN product USING (product_id) JOIN price USING (product_id)
            CROSS JOIN (SELECT DISTINCT segment, sensitivity FROM person JOIN habit USING (person_id)))
        SELECT sum(wanted.n) FILTER (is_promoted), sum(asked.n * share) FILTER (is_promoted),
               sum(asked.n * share * (1 - share)) FILTER (is_promoted)
        FROM asked JOIN chance USING (cluster, segment, week, type_id)
        LEFT JOIN wanted USING (cluster, segment, week, type_id, product_id)""",
    )
    assert promoted > 500
    assert abs(promoted - expected) < 4 * variance**0.5


def test_rules_put_their_consequent_into_as_many_baskets_as_they_say(made):
    found = made.con.execute("""
        WITH has AS (SELECT order_id, type_id, bool_and(is_by_rule) AS by_rule
                     FROM demand JOIN product USING (product_id) JOIN visit_day USING (order_id)
                     JOIN store USING (store_id)
                     WHERE format <> 'convenience' AND NOT is_warehouse  -- not all have the consequent
                     GROUP BY ALL)
        SELECT chance, count(*) FILTER (c.order_id IS NULL OR c.by_rule) AS tried, count(*) FILTER (c.by_rule) AS added
        FROM rule JOIN has a ON a.type_id = antecedent
        LEFT JOIN has c ON c.order_id = a.order_id AND c.type_id = consequent
        WHERE consequent NOT IN (SELECT consequent FROM rule GROUP BY 1 HAVING count(*) > 1) GROUP BY ALL""").fetchall()
    assert len(found) >= 12
    for chance, tried, added in found:
        assert abs(added - chance * tried) < 4 * (chance * (1 - chance) * tried) ** 0.5


def test_campaigns_add_the_visits_that_the_truth_says(made):
    caused, expected = one(
        made,
        """
        SELECT (SELECT count(*) FROM "order" WHERE campaign_id >= 0),
               (SELECT sum(greatest(effect, 0)) FROM effect JOIN campaign USING (campaign_id)
                JOIN habit USING (person_id) WHERE left_day > start_day)""",
    )
    # A visit that needs nothing, or finds the shelf empty, leaves no ticket.
    assert 0.75 * expected - 4 * expected**0.5 < caused < expected + 4 * expected**0.5
    held = one(made, "SELECT avg(is_held_out::INT), count(*) FROM target")
    assert held[0] == pytest.approx(campaigns.HELD_OUT, abs=4 * (0.09 / held[1]) ** 0.5)
    assert one(made, "SELECT count(*) FROM touch JOIN target USING (campaign_id, person_id) WHERE is_held_out")[0] == 0


def test_nobody_buys_before_joining_or_after_leaving(made):
    early, late = one(
        made,
        """
        SELECT count(*) FILTER (day < joined_day), count(*) FILTER (day >= left_day AND campaign_id < 0)
        FROM "order" JOIN person USING (person_id) JOIN habit USING (person_id)""",
    )
    assert (early, late) == (0, 0)


def test_the_scale_is_as_promised(made):
    lines, events = one(made, "SELECT (SELECT count(*) FROM line), (SELECT count(*) FROM event)")
    assert lines == pytest.approx(3_000_000 * LARGER.sf, rel=0.12)
    assert events == pytest.approx(10_000_000 * LARGER.sf, rel=0.12)
    assert one(made, "SELECT count(*) FROM person")[0] == 100_000 * LARGER.sf


def test_rain_keeps_people_from_the_stores_and_brings_them_to_the_app(made):
    ratio = dict(
        made.con.execute(f"""
        SELECT channel, sum((rain_mm >= {behaviour.WET_MM})::INT) / count(*)
                        / (SELECT avg((rain_mm >= {behaviour.WET_MM})::INT) FROM weather w
                           WHERE w.city_id IN (SELECT city_id FROM store WHERE NOT is_warehouse))
        FROM "order" JOIN person USING (person_id) JOIN weather USING (city_id, day) WHERE channel <= 1
        GROUP BY 1""").fetchall()
    )
    assert ratio[0] < ratio[1]


# --- books ------------------------------------------------------------------------------------------------------------


def test_nothing_is_sold_that_is_not_on_the_shelf_and_the_books_close(made):
    wrong, cells = one(
        made,
        """
        WITH sold AS (SELECT c.cell_id, sum(l.units) AS units FROM line l JOIN "order" o USING (order_id)
                      JOIN stock_cell c ON c.store_id = o.store_id AND c.product_id = l.product_id GROUP BY 1),
             moved AS (SELECT cell_id, sum(units) AS units FROM stock_move GROUP BY 1)
        SELECT count(*) FILTER (opening + coalesce(m.units, 0) - coalesce(s.units, 0) <> e.units OR e.units < 0),
               count(*)
        FROM stock_cell JOIN stock_end e USING (cell_id)
        LEFT JOIN moved m USING (cell_id) LEFT JOIN sold s USING (cell_id)""",
    )
    assert wrong == 0
    assert cells > 1000
    assert one(made, "SELECT count(*) FROM demand WHERE sold > units OR sold < 0")[0] == 0
    lost = one(made, "SELECT 1 - sum(sold) / sum(units) FROM demand")[0]
    assert 0.02 < lost < 0.25  # empty shelves hide some demand, not most


def test_tickets_lines_and_payments_agree_to_the_cent(written):
    drop = written / "drop"
    ids = Counter((r["order_id"], r["line_number"]) for r in rows(drop / "pos/pos_lines"))
    lines = {}
    for r in rows(drop / "pos/pos_lines"):
        if len(r["order_id"]) > 8:  # what a till sends beside its tickets is none
            sign = -1 if r["line_type"] == "return" else 1
            lines[r["order_id"], r["line_number"]] = (r["order_id"], sign * round(100 * float(r["sales_amount"])))
    assert ids.total() > len(lines)  # some came twice
    by_order = Counter()
    for order, cents in lines.values():
        by_order[order] += cents
    tickets = {r["order_id"]: round(100 * float(r["total_amount"])) for r in rows(drop / "pos/pos_tickets")}
    paid = Counter()
    for r in rows(drop / "pos/pos_payments"):
        paid[r["order_id"]] += round(100 * float(r["amount"]))
    assert by_order == tickets == paid


def test_snapshots_follow_from_moves_and_sales(written):
    drop = written / "drop"
    shots = rows(drop / "operations/stock_snapshots", delimiter="|")
    first, last = min(s["counted_on"] for s in shots), max(s["counted_on"] for s in shots)
    balance = Counter()
    for s in shots:
        balance[s["store_id"], s["product_id"]] += int(s["on_hand"]) * (
            (s["counted_on"] == last) - (s["counted_on"] == first)
        )
    for m in rows(drop / "operations/stock_moves", delimiter="|"):
        balance[m["store_id"], m["product_id"]] -= int(m["units"])
    with duckdb.connect() as con:
        glob = str(drop / "pos/pos_lines/*.csv")
        sold = con.execute(f"""
            SELECT store_id, product_id, sum(q) FROM (
                SELECT DISTINCT order_id, line_number, store_id, product_id, try_cast(quantity AS INT) AS q
                FROM read_csv('{glob}', all_varchar = true) WHERE line_type = 'sale' AND length(order_id) > 8)
            GROUP BY ALL""").fetchall()
    for store, product, units in sold:
        balance[store, product] += units
    for order in {o["order_no"]: o for o in records(drop / "app/app_orders") if o["status"] != "closed"}.values():
        for item in order["items"] if order["status"] != "created" else []:
            balance[order["store_id"], item["sku"]] += item["qty"]
    assert {k: v for k, v in balance.items() if v and not k[0].startswith("W")} == {}


def test_an_online_order_is_paid_what_its_items_cost(written):
    orders = records(written / "drop/app/app_orders")
    assert {o["status"] for o in orders} == {"created", "paid", "shipped", "finished", "closed"}
    for o in orders:
        items = sum(round(100 * i["amount"]) for i in o["items"])
        assert round(100 * o["amounts"]["paid"]) == (0 if o["status"] in ("created", "closed") else items)


# --- habits and dirt --------------------------------------------------------------------------------------------------


def test_files_hold_their_own_days_in_their_order(written):
    for path in sorted((written / "drop/app/app_events").glob("*.jsonl")):
        times = [json.loads(line)["server_ts"] for line in path.read_text("utf-8").splitlines()]
        assert times == sorted(times)
    for path in sorted((written / "drop/app/app_orders").glob("*.jsonl")):
        told = {json.loads(line)["updated_at"][:7] for line in path.read_text("utf-8").splitlines()}
        assert told == {path.stem[-10:-3]}


def test_events_repeat_come_late_and_change_a_name_in_march(written):
    events = records(written / "drop/app/app_events")
    twice = len(events) - len({e["event_id"] for e in events})
    share = systems.RATES["REPEATED_EVENT"]
    assert twice == pytest.approx(share * len(events), abs=4 * (share * len(events)) ** 0.5)
    names = {(e["device"]["app_version"], k) for e in events for k in e["props"] if k.startswith("sku")}
    assert names == {("4.8.3", "sku"), ("5.0.1", "sku_id")}
    assert any(abs(e["client_ts"] - e["server_ts"]) > 3_600_000 for e in events)


def test_each_system_has_its_encoding(written):
    drop = written / "drop"
    gbk = sorted((drop / "crm/crm_members").glob("*.csv"))[0].read_bytes()
    with pytest.raises(UnicodeDecodeError):
        gbk.decode("utf-8")
    assert "上海" in gbk.decode("gb18030")
    assert sorted((drop / "crm/members").glob("*.csv"))[0].read_bytes().startswith(b"\xef\xbb\xbf")
    assert sorted((drop / "finance/finance_monthly").glob("*.xlsx"))[0].read_bytes().startswith(b"PK")


def test_no_system_knows_the_truth(written):
    """No name of a column, and no word, of the truth is in what systems send."""
    told = b"".join(p.read_bytes() for p in (written / "drop").rglob("*.csv"))
    told += b"".join(p.read_bytes() for p in (written / "drop").rglob("*.jsonl"))
    for word in ("person_id", "segment", "elasticity", "factor", "is_held_out", "sentiment", "is_by_rule", "left_day"):
        assert word.encode() not in told, word


def test_held_out_targets_are_told_apart_in_the_files_that_marketing_keeps(written):
    groups = Counter(r["test_group"] for r in rows(written / "drop/marketing/campaign_targets"))
    assert set(groups) == {"control", "treatment"}
    assert groups["control"] == pytest.approx(0.1 * groups.total(), abs=4 * (0.09 * groups.total()) ** 0.5)


def test_np_is_not_asked_for_randomness_without_a_seed():
    """A draw that no seed rules would make two retailers of one."""
    for path in Path(retailer.__file__).parent.glob("*.py"):
        assert "np.random.default_rng(" not in path.read_text(encoding="utf-8"), path.name
    assert np.array_equal(SMALL.rng("x").random(3), SMALL.rng("x").random(3))


def test_holidays_are_named_alike_whatever_the_language_of_the_machine(written):
    lines = (written / "drop/outside/holiday_list/holiday_list_2024-01-01.csv").read_text().splitlines()
    assert "2024-01-01,New Year's Day," in lines
