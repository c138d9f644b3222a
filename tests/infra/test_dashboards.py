"""The dashboards: what infra/bi says can be asked of the extract, and Superset draws every tile of it.

The slow half opens each dashboard in the machine's Chromium: `pytest -m slow tests/infra/test_dashboards.py`, on the
demo's lake, or the one that SHOPLAKE_DEMO_HOME names. `SHOTS=docs/img` keeps the pictures.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from jobs.kit import dashboards, extract, lake, process, services
from jobs.kit.contracts import all_contracts, load
from jobs.kit.settings import Settings, settings

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
SLUGS = sorted(dashboards.titles(), key=dashboards.titles().__getitem__)
WIDTH, DRAWN_SECONDS = 1280, 120


@pytest.fixture(scope="module", autouse=True)
def no_lake() -> Iterator[None]:
    """An extract of the module's own, of a lake in which nothing was published."""
    shutil.rmtree(extract.path().parent, ignore_errors=True)
    extract.refresh()
    yield
    for folder in (extract.path().parent, Path(settings().path("ops.quality"))):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def bundle() -> dict[str, dict]:
    return {name: yaml.safe_load(text) for name, text in dashboards.bundle().items()}


def test_the_extract_has_every_table_and_column_even_of_an_empty_lake() -> None:
    with duckdb.connect(str(extract.path()), read_only=True) as db:
        found = db.execute(
            "SELECT schema_name || '.' || table_name, column_name, comment FROM duckdb_columns()"
        ).fetchall()
    wanted = {(c.name, x.name, x.description) for c in all_contracts() if c.layer in ("gold", "scoring")
              for x in c.columns}  # fmt: skip
    assert wanted <= set(found)
    assert extract.refresh() is False  # nothing new


def test_a_reader_sees_the_old_file_or_the_new_one_whole() -> None:
    row = {
        "table": "gold.x",
        "as_of": date(2025, 6, 1),
        "run_id": "r",
        "dimension": "validity",
        "score": 0.5,
        "rows": 2,
    }
    asked = "SELECT score, measured_at FROM ops.quality"
    with duckdb.connect(str(extract.path()), read_only=True) as reader:
        lake.append_ops("quality", [row | {"measured_at": datetime(2025, 6, 1, 8, tzinfo=UTC)}], extract.QUALITY)
        assert extract.refresh() is True
        assert reader.execute(asked).fetchall() == []
    with duckdb.connect(str(extract.path()), read_only=True) as reader:
        assert reader.execute(asked).fetchall() == [(0.5, datetime(2025, 6, 1, 8))]  # UTC, without a zone
    assert extract.refresh() is False
    assert [p.name for p in extract.path().parent.iterdir()] == [extract.path().name]


def test_every_tile_names_its_table_and_can_be_asked(bundle) -> None:
    """Also of an empty table: none names a column that is not there, or compares unlike types."""
    sets = {d["uuid"]: d for n, d in bundle.items() if n.startswith("datasets/")}
    charts = [c for n, c in bundle.items() if n.startswith("charts/")]
    known = {c.name for c in all_contracts()} | {"models.metrics", "models.versions"}
    known |= {f"ops.{name}" for name in extract.LEDGERS}
    with duckdb.connect(str(extract.path()), read_only=True) as db:
        for chart in charts:
            told = chart["params"].get("subtitle") or chart["slice_name"]
            assert told.rpartition(" · ")[2] in known, chart["slice_name"]
            params, dataset = chart["params"], sets[chart["dataset_uuid"]]
            ours = {c["column_name"] for c in dataset["columns"]}
            said = [params.get(k) for k in ("x_axis", "source", "target", "entity", "series")]
            said = [s["sqlExpression"].strip('"') if isinstance(s, dict) else s for s in said]
            by = params.get("groupby", [])
            said += [*([by] if isinstance(by, str) else by), *params.get("all_columns", [])]
            said += [json.loads(order)[0] for order in params.get("order_by_cols", [])]
            assert {s for s in said if s} <= ours, chart["slice_name"]
            metrics = [params[k] for k in ("metric", "x", "y", "size") if isinstance(params.get(k), dict)]
            asked = [m["sqlExpression"] for m in [*metrics, *params.get("metrics", [])]]
            where = [f["sqlExpression"] for f in params["adhoc_filters"] if f["expressionType"] == "SQL"]
            sql = f"SELECT {', '.join(asked) or '*'} FROM ({dataset['sql']}) t WHERE {' AND '.join(where) or 'true'}"
            db.execute(sql).fetchall()


def test_every_dashboard_shows_its_tiles_and_filters(bundle) -> None:
    found = {d["slug"]: d for n, d in bundle.items() if n.startswith("dashboards/")}
    assert [re.match(r"\d", found[s]["dashboard_title"])[0] for s in SLUGS] == list("12345678")
    ours = {c["uuid"] for n, c in bundle.items() if n.startswith("charts/")}
    placed = [p["meta"]["uuid"] for d in found.values() for p in d["position"].values()
              if isinstance(p, dict) and p["type"] == "CHART"]  # fmt: skip
    assert sorted(placed) == sorted(ours)
    for dashboard in found.values():
        rows = [p for p in dashboard["position"].values() if isinstance(p, dict) and p["type"] == "ROW"]
        for row in rows:
            assert sum(dashboard["position"][c]["meta"]["width"] for c in row["children"]) <= 12
        assert dashboard["metadata"]["native_filter_configuration"]


def test_columns_carry_their_contracts_words(bundle) -> None:
    columns = {c["column_name"]: c for c in bundle["datasets/sales.yaml"]["columns"]}
    assert columns["order_date"]["is_dttm"] and "business time zone" in columns["order_date"]["description"]


def test_bars_across_of_several_measures_are_refused(tmp_path, monkeypatch) -> None:
    """A click on one would filter by its length."""
    shutil.copytree(dashboards.FOLDER, tmp_path / "bi")
    monkeypatch.setattr(dashboards, "FOLDER", tmp_path / "bi")
    page = tmp_path / "bi" / "dashboards" / "sales.yaml"
    tile = "{title: T, data: sales, kind: bars, x: store, y: {A: SUM(net_amount), B: SUM(unit_count)}}"
    page.write_text(f"{page.read_text()}  - tiles: [{tile}]\n")
    with pytest.raises(dashboards.SpecError, match="'T': several measures across cannot be clicked"):
        dashboards.bundle()


def test_a_tile_that_cannot_be_drawn_is_named(tmp_path, monkeypatch) -> None:
    shutil.copytree(dashboards.FOLDER, tmp_path / "bi")
    monkeypatch.setattr(dashboards, "FOLDER", tmp_path / "bi")
    page = tmp_path / "bi" / "dashboards" / "sales.yaml"
    page.write_text(page.read_text().replace("kind: pie", "kind: cake"))
    with pytest.raises(dashboards.SpecError, match=r"'Channels' is a cake; there are .*pie"):
        dashboards.bundle()


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def superset(request) -> services.Service:
    """Superset on the demo's lake."""
    try:
        services.superset_binaries()
    except process.NotStarted as error:
        pytest.skip(str(error))
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    env = request.getfixturevalue("demo_lake")  # only now: to make it takes ten minutes
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "up", "engine", "superset"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (service,) = (s for s in services.status(Settings(home=env["SHOPLAKE_HOME"])) if s.name == "superset")
    return service


@pytest.fixture(scope="module")
def page(superset) -> Iterator:
    """A page of a browser that has logged in; what answered, and from where, is in `page.answers`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.set_default_timeout(DRAWN_SECONDS * 1000)
        page.answers = []
        page.on("response", lambda r: page.answers.append((urllib.parse.urlsplit(r.url).netloc, r.status, r.url)))
        user, password = superset.login.split(" / ")
        page.goto(f"{superset.address}/login/")
        page.fill("#username", user)
        page.fill("#password", password)
        page.keyboard.press("Enter")
        page.wait_for_url("**/welcome/**")
        yield page
        browser.close()


TILES = """() => [...document.querySelectorAll('.dashboard-component-chart-holder')]
    .filter(tile => tile.querySelector('[data-test="editable-title"], .header-title'))
    .map(tile => ({
        title: tile.querySelector('.header-title').innerText.replace(/\\s+/g, ' ').trim(),
        loading: !!tile.querySelector('[data-test="loading-indicator"], .loading'),
        drawn: !!tile.querySelector('canvas, tbody tr, .header-line'),
        wrong: [...tile.querySelectorAll('.ant-alert, .ant-empty')].map(e => e.innerText).join(' ')
            || (/No results|No data/.exec(tile.innerText) || [''])[0],
    }))"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("slug", SLUGS)
def test_every_tile_draws(page, superset, slug) -> None:
    """None shows an error, none is empty; and nothing is loaded from elsewhere (Superset has a telemetry pixel)."""
    files = json.loads((superset.log.parents[1] / "superset" / "bundle.json").read_text())
    wanted = {yaml.safe_load(text)["slice_name"] for n, text in files.items() if n.startswith(f"charts/{slug}-")}
    page.answers.clear()
    page.set_viewport_size({"width": WIDTH, "height": 900})
    page.goto(f"{superset.address}/superset/dashboard/{slug}/")
    page.wait_for_selector(".dashboard-component-chart-holder")
    # Superset draws what is in sight: let all be.
    height = page.evaluate("document.querySelector('[data-test=grid-content]').scrollHeight + 240")
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_function(f"""() => {{
        const tiles = ({TILES})();
        return tiles.length === {len(wanted)} && tiles.every(t => !t.loading && (t.drawn || t.wrong));
    }}""")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)  # bars grow into their places
    tiles = page.evaluate(TILES)
    keep(page, slug)
    assert {t["title"] for t in tiles} == wanted
    assert [t for t in tiles if t["wrong"] or not t["drawn"]] == []
    assert [a for a in page.answers if a[1] >= 400] == []
    assert {host for host, *_ in page.answers if host} == {superset.address.removeprefix("http://")}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_click_on_a_bar_filters_the_rest_by_its_name(page, superset) -> None:
    """Superset 6.1.0 would filter by the bar's length, and empty the page (its issue 41102)."""
    page.set_viewport_size({"width": WIDTH, "height": 1500})
    page.goto(f"{superset.address}/superset/dashboard/sales/")
    tile = page.locator(".dashboard-component-chart-holder", has_text="Stores, CNY")
    tile.locator("canvas").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)  # bars grow into their places
    asked = []
    page.on(
        "request", lambda r: asked.append(r.post_data_json) if r.url.partition("?")[0].endswith("/chart/data") else None
    )
    box = tile.locator("canvas").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.12)
    page.wait_for_timeout(1000)
    page.wait_for_load_state("networkidle")
    chosen = {tuple(f["val"]) for said in asked for q in said["queries"] for f in q["filters"] if f["col"] == "store"}
    with duckdb.connect(str(superset.log.parents[1] / "superset" / "extract.duckdb"), read_only=True) as db:
        stores = {(name,) for (name,) in db.execute("SELECT DISTINCT store_name FROM gold.store_360").fetchall()}
    assert len(chosen) == 1 and chosen <= stores, chosen
    page.wait_for_function(f"() => ({TILES})().every(t => !t.loading && (t.drawn || t.wrong))")
    assert [t for t in page.evaluate(TILES) if t["wrong"] or not t["drawn"]] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_from_a_tile_to_its_rows(page, superset) -> None:
    page.set_viewport_size({"width": WIDTH, "height": 1400})
    page.goto(f"{superset.address}/superset/dashboard/sales/")
    tile = page.locator(".dashboard-component-chart-holder", has_text="Orders").filter(has_text="gold.store_daily")
    tile.get_by_label("More Options").click()
    page.locator(".ant-dropdown-menu").get_by_text("Drill to detail", exact=True).click()
    rows = page.locator(".ant-modal-content, [role=dialog]")
    rows.get_by_text("order count").first.wait_for()
    rows.get_by_text("pos").first.wait_for()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_superset_reads_the_sql_port_too(page, superset) -> None:
    """As any BI tool would: lists tables and columns, and asks, as the user `bi`."""
    api = f"{superset.address}/api/v1"
    token = page.request.get(f"{api}/security/csrf_token/").json()["result"]
    found = {d["database_name"]: d["id"] for d in page.request.get(f"{api}/database/").json()["result"]}
    wire = found[dashboards.WIRE]
    tables = page.request.get(f"{api}/database/{wire}/tables/?q=(schema_name:gold)").json()["result"]
    assert {"sales_daily", "customer_360"} <= {t["value"] for t in tables}
    columns = page.request.get(f"{api}/database/{wire}/table_metadata/?name=sales_daily&schema=gold").json()["columns"]
    assert [c["name"] for c in columns] == [c.name for c in load("gold.sales_daily").columns]
    asked = {
        "database_id": wire,
        "sql": "SELECT channel, sum(net_amount) AS net FROM gold.sales_daily GROUP BY channel",
    }
    headers = {"X-CSRFToken": token, "Referer": superset.address}
    answer = page.request.post(f"{api}/sqllab/execute/", data=asked | {"schema": "gold"}, headers=headers).json()
    assert {row["channel"] for row in answer["data"]} >= {"pos", "app"}


def keep(page, slug: str) -> None:
    """The picture, in 128 colours: a fifth of the bytes, and no eye sees it."""
    if folder := os.environ.get("SHOTS"):
        from PIL import Image

        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        target = Path(folder) / f"bi-{slug}.png"
        picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
