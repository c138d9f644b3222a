"""The dashboards: infra/bi/*.yaml, made into the bundle of files that Superset imports.

What is written by hand is short: data sets (a table of the extract, perhaps with a query over it) and dashboards, rows
of tiles that say what is drawn of which data set. Ids come from names, so that an import renews what an earlier one
brought; what columns mean comes from the contracts; what types they have, from the extract.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from jobs.kit import extract, process
from jobs.kit.contracts import all_contracts
from jobs.kit.settings import CHECKOUT, settings

FOLDER = CHECKOUT / "infra" / "bi"
EXTRACT, WIRE = "Shoplake", "Shoplake, over the SQL port"
_IDS = uuid.UUID("5b0b5d5e-8f0c-4d33-9f0e-7c1f5a3f6d10")  # ours alone; another would make every dashboard a new one
_COLUMNS = 12  # of Superset's grid
COMPACT = {"money": ".3~s"}  # on an axis, where there is little room
FORMATS = {"money": ",.0f", "number": ",.0f", "share": ".1%", "ratio": ".2f", "precise": ".3f"}


class SpecError(Exception):
    """A file under infra/bi says something that cannot be drawn: which, and what."""


@dataclass(frozen=True)
class Dataset:
    """What tiles draw from: rows of the extract."""

    name: str
    table: str  # whose name its tiles carry
    sql: str
    date: str | None
    columns: Mapping[str, str]  # with DuckDB's types

    @property
    def id(self) -> str:
        """Superset's."""
        return _id("dataset", self.name)


def write_bundle(path: Path, wire: str = "") -> None:
    """Write what provision.py imports. `wire`: the address of the engine's SQL port, with its password."""
    process.write_private(path, json.dumps(bundle(wire), indent=1))


def bundle(wire: str = "") -> dict[str, str]:
    """The files of the bundle by name."""
    found = datasets()
    files: dict[str, Any] = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2000-01-01T00:00:00+00:00"},
        "databases/extract.yaml": _database(EXTRACT, f"duckdb:///{extract.path()}?access_mode=read_only"),
    }
    if wire:
        files["databases/wire.yaml"] = _database(WIRE, wire)
    for dataset in found.values():
        files[f"datasets/{dataset.name}.yaml"] = _dataset(dataset)
    specs = {path: _read(path) for path in (FOLDER / "dashboards").glob("*.yaml")}
    # The last one that is imported is the first on Superset's own front page.
    for path, spec in sorted(specs.items(), key=lambda item: item[1]["title"], reverse=True):
        tiles = {}
        for tile in (t for row in spec["rows"] for t in row["tiles"]):
            if tile["data"] not in found:
                raise SpecError(f"{path.name}: {tile['title']!r} draws from {tile['data']}, which datasets.yaml lacks")
            chart = _chart(tile, found[tile["data"]], path.stem)
            tiles[tile["title"]] = chart
            files[f"charts/{path.stem}-{len(tiles)}.yaml"] = chart
        files[f"dashboards/{path.stem}.yaml"] = _dashboard(path.stem, spec, tiles, found)
    return {name: yaml.safe_dump(content, allow_unicode=True) for name, content in files.items()}


def titles() -> dict[str, str]:
    """Of each dashboard the word in its address and its title."""
    return {p.stem: _read(p)["title"] for p in sorted((FOLDER / "dashboards").glob("*.yaml"))}


# --- data sets --------------------------------------------------------------------------------------------------------


def datasets() -> dict[str, Dataset]:
    """Those of datasets.yaml, with their columns as the extract has them."""
    found = {}
    with duckdb.connect(str(extract.path()), read_only=True) as db:
        for name, said in _read(FOLDER / "datasets.yaml").items():
            sql = query(said)
            try:
                columns = {row[0]: row[1] for row in db.execute(f"DESCRIBE {sql}").fetchall()}
            except duckdb.Error as error:
                raise SpecError(f"datasets.yaml: {name}: {error}") from error
            found[name] = Dataset(name, said["table"], sql, said.get("date"), columns)
    return found


def query(said: Mapping[str, Any]) -> str:
    """A data set's query: its table, or its own `sql`; of the newest as_of alone; with what is known of the stores."""
    table = said["table"]
    sql = said.get("sql") or f"SELECT * FROM {table}"
    if said.get("latest"):
        sql = f"SELECT * FROM ({sql}) WHERE as_of_date = (SELECT max(as_of_date) FROM {table})"
    if said.get("stores"):
        store = "coalesce(s.store_name, t.store_id) AS store"
        sql = f"SELECT t.*, {store} FROM ({sql}) t LEFT JOIN ({_STORES}) s USING (store_id)"
    return sql.strip()


_STORES = "SELECT store_id, arg_max(store_name, as_of_date) AS store_name FROM gold.store_360 GROUP BY store_id"


def _dataset(dataset: Dataset) -> dict[str, Any]:
    meanings = {c.name: c.description for contract in all_contracts() for c in contract.columns}
    columns = [
        {
            "column_name": name,
            "verbose_name": name.replace("_", " "),
            "type": kind,
            "is_dttm": kind.startswith(("DATE", "TIMESTAMP")),
            "groupby": True,
            "filterable": True,
            "description": meanings.get(name),
        }
        for name, kind in dataset.columns.items()
    ]
    return {
        "table_name": dataset.name,
        "description": next((c.purpose for c in all_contracts() if c.name == dataset.table), dataset.table),
        "sql": dataset.sql,
        "schema": dataset.table.split(".")[0],
        "main_dttm_col": dataset.date,
        "columns": columns,
        "metrics": [{"metric_name": "count", "expression": "COUNT(*)", "verbose_name": "Rows"}],
        "uuid": dataset.id,
        "database_uuid": _id("database", EXTRACT),
        "is_managed_externally": True,
        "version": "1.0.0",
    }


def _database(name: str, address: str) -> dict[str, Any]:
    return {
        "database_name": name,
        "sqlalchemy_uri": address,
        "uuid": _id("database", name),
        "expose_in_sqllab": True,
        "allow_csv_upload": False,
        "allow_dml": False,
        "extra": {"allows_virtual_table_explore": True},
        "is_managed_externally": True,
        "version": "1.0.0",
    }


# --- tiles ------------------------------------------------------------------------------------------------------------


def _chart(tile: Mapping[str, Any], dataset: Dataset, where: str) -> dict[str, Any]:
    kind = tile["kind"]
    if kind not in _KINDS:
        raise SpecError(f"{where}: {tile['title']!r} is a {kind}; there are {', '.join(_KINDS)}")
    if cut := [label for label, sql in tile.get("y", {}).items() if not isinstance(sql, str)]:
        raise SpecError(f"{where}: {tile['title']!r}: {cut[0]!r} has no SQL; one with a comma needs quotes in YAML")
    if kind == "bars" and tile.get("across", True) and not _by(tile) and len(tile["y"]) > 1:
        raise SpecError(f"{where}: {tile['title']!r}: several measures across cannot be clicked: across: false, or by")
    viz, params = _KINDS[kind](tile)
    name = f"{tile['title']} · {dataset.table}"
    if kind == "number":  # a title of one line, so that all figures of a row are of one size
        name = tile["title"]
        params["subtitle"] = " · ".join(filter(None, [tile.get("of"), dataset.table]))
    if {"least", "most"} & set(tile):
        params |= {"truncateYAxis": True, "y_axis_bounds": [tile.get("least"), tile.get("most")]}
    filters = [_adhoc_where(tile["where"])] if "where" in tile else []
    if dataset.date:
        date = {"clause": "WHERE", "subject": dataset.date, "operator": "TEMPORAL_RANGE", "comparator": "No filter"}
        filters.append({**date, "expressionType": "SIMPLE"})
    params = {"viz_type": viz, "adhoc_filters": filters, "row_limit": tile.get("limit", 10000), **params}
    return {
        "slice_name": name,
        "description": tile.get("note"),
        "viz_type": viz,
        "params": params | tile.get("options", {}),
        "uuid": _id("chart", where, tile["title"]),
        "dataset_uuid": dataset.id,
        "is_managed_externally": True,
        "version": "1.0.0",
    }


def _metrics(tile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`y: {label: SQL}`."""
    return [
        {
            "expressionType": "SQL",
            "sqlExpression": sql,
            "label": label,
            "hasCustomLabel": True,
            "optionName": f"metric_{uuid.uuid5(_IDS, label).hex[:12]}",
        }
        for label, sql in tile["y"].items()
    ]


def _adhoc_where(sql: str) -> dict[str, Any]:
    return {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": sql}


def _by(tile: Mapping[str, Any]) -> list[str]:
    by = tile.get("by", [])
    return [by] if isinstance(by, str) else list(by)


def _format(tile: Mapping[str, Any]) -> str:
    said = tile.get("format", "number")
    return FORMATS.get(said, said)


def _number(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    (metric,) = _metrics(tile)
    sizes = {"header_font_size": 0.4, "subtitle_font_size": 0.15}
    if tile.get("format") == "day":
        return "big_number_total", {
            "metric": metric,
            "force_timestamp_formatting": True,
            "time_format": "%Y-%m-%d",
            **sizes,
        }
    return "big_number_total", {"metric": metric, "y_axis_format": _format(tile), **sizes}


def _over_time(viz: str) -> Any:
    def made(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return viz, {
            "x_axis": tile["x"],
            "time_grain_sqla": tile.get("grain", "P1W"),
            "metrics": _metrics(tile),
            "groupby": _by(tile),
            "y_axis_format": _format(tile),
            "tooltipTimeFormat": "%Y-%m-%d",
            "x_axis_time_format": "%Y-%m",
            "rich_tooltip": True,
            "show_legend": bool(_by(tile)) or len(tile["y"]) > 1,
            **_LEGEND,
        }

    return made


def _bars(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    metrics, series = _metrics(tile), _by(tile)
    across = tile.get("across", True)
    look = {"format": COMPACT.get(tile.get("format", ""), tile.get("format", "number"))} if across else {}
    plain = across and not series
    if plain:
        # A series for each bar, all of one colour: a click on a bar across that is no series filters by the figure
        # instead of the name (https://github.com/apache/superset/issues/41102, mended after 6.1.0).
        series = [tile["x"]]
    x = {"expressionType": "SQL", "sqlExpression": f'"{tile["x"]}"', "label": f"{tile['x']} "}  # a name of its own
    order = tile.get("sort", metrics[0]["label"])
    if series or len(metrics) > 1:  # Superset then wants one of its own words
        order = "name" if order == tile["x"] else "sum"
    return "echarts_timeseries_bar", {
        "x_axis": x if plain else tile["x"],
        "xAxisForceCategorical": True,
        "xAxisLabelInterval": "0",
        "x_axis_sort": order,
        "x_axis_sort_asc": tile.get("rising", across),  # across: the first is drawn lowest
        "sort_series_type": "name",
        "sort_series_ascending": True,
        "metrics": metrics,
        "groupby": series,
        "timeseries_limit_metric": metrics[0],
        "order_desc": True,
        "orientation": "horizontal" if across else "vertical",
        "stack": "Stack" if plain or tile.get("stack") else None,
        "y_axis_format": _format({**tile, **look}),
        "show_legend": not plain and (bool(series) or len(metrics) > 1),
        "show_value": tile.get("values", False),
        "rich_tooltip": not plain,
        **_LEGEND,
        **({"color_scheme": "shoplakeOne"} if plain else {}),
    }


def _pie(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    (metric,) = _metrics(tile)
    look = {"donut": True, "innerRadius": 45, "outerRadius": 70, "label_type": "key_percent", "show_labels": True}
    labels = {"labels_outside": True, "label_line": True, "show_legend": False, "show_labels_threshold": 0}
    return "pie", {
        "groupby": _by(tile), "metric": metric, "number_format": _format(tile), "sort_by_metric": True,
        **look, **labels,
    }  # fmt: skip


def _table(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Rows as they are (`columns`), or one per `by` with metrics."""
    common = {"table_timestamp_format": "%Y-%m-%d", "page_length": 0, "show_cell_bars": True, "color_pn": False}
    formats = {
        c: {"d3NumberFormat": FORMATS.get(f, f), "d3SmallNumberFormat": FORMATS.get(f, f)}
        for c, f in tile.get("formats", {}).items()
    }
    common |= {"column_config": formats, "row_limit": tile.get("limit", 1000)}
    if "columns" in tile:
        common["column_config"] = {c: {"showCellBars": False} for c in tile["columns"]} | formats
        order = [json.dumps([column, rising]) for column, rising in tile.get("order", {}).items()]
        return "table", {"query_mode": "raw", "all_columns": tile["columns"], "order_by_cols": order, **common}
    metrics = _metrics(tile)
    return "table", {
        "query_mode": "aggregate", "groupby": _by(tile), "metrics": metrics, "timeseries_limit_metric": metrics[0],
        "order_desc": True, **common,
    }  # fmt: skip


def _heatmap(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    (metric,), (row,) = _metrics(tile), _by(tile)
    look = {"linear_color_scheme": tile.get("colours", "blue_white_yellow"), "legend_type": "continuous"}
    sizes = {
        "bottom_margin": "auto",
        "left_margin": "auto",
        "xscale_interval": 1,
        "yscale_interval": 1,
        "x_axis_label_rotation": 45,
    }
    return "heatmap_v2", {
        "x_axis": tile["x"], "groupby": row, "metric": metric, "normalize_across": "heatmap", "show_legend": False,
        "show_values": tile.get("values", True), "show_percentage": False, "value_bounds": [None, None],
        "sort_x_axis": "alpha_asc", "sort_y_axis": "alpha_desc", "border_color": {"r": 255, "g": 255, "b": 255, "a": 1},
        "y_axis_format": _format(tile), **look, **sizes,
    }  # fmt: skip


def _graph(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    (metric,) = _metrics(tile)
    forces = {"edgeLength": 90, "gravity": 0.35, "repulsion": 700, "friction": 0.3}
    return "graph_chart", {
        "source": tile["x"], "target": tile["by"], "metric": metric, "layout": "force", "edgeSymbol": "none,arrow",
        "baseNodeSize": 16, "baseEdgeWidth": 3, "roam": False, "draggable": True, "show_legend": False,
        "showSymbolThreshold": 0, "selectedMode": "single", **forces,
    }  # fmt: skip


def _flows(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """From `x` to `by`. No name may be on both sides: that would be a circle, which is not drawn."""
    (metric,) = _metrics(tile)
    return "sankey_v2", {"source": tile["x"], "target": tile["by"], "metric": metric, "sort_by_metric": True}


def _bubbles(tile: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """`y` has three: what goes right, what goes up, and the size. `by` is what a dot is, then what gives its colour."""
    x, y, size = _metrics(tile)
    entity, *series = _by(tile)
    axes = {
        "x_axis_label": x["label"],
        "y_axis_label": y["label"],
        "x_axis_title_margin": 30,
        "y_axis_title_margin": 50,
    }
    formats = {"xAxisFormat": _format(tile), "y_axis_format": FORMATS.get(tile.get("format_y", ""), _format(tile))}
    return "bubble_v2", {
        "entity": entity, "series": series[0] if series else None, "x": x, "y": y, "size": size,
        "max_bubble_size": "25", "opacity": 0.6,
        "show_legend": bool(series), "truncateXAxis": False, "y_axis_bounds": [None, None], "tooltipSizeFormat": ",.0f",
        **axes, **formats, **_LEGEND,
    }  # fmt: skip


_LEGEND = {"legendType": "scroll", "legendOrientation": "top", "color_scheme": "supersetColors"}
_KINDS: dict[str, Any] = {
    "number": _number,
    "line": _over_time("echarts_timeseries_line"),
    "area": _over_time("echarts_area"),
    "columns": _over_time("echarts_timeseries_bar"),
    "bars": _bars,
    "pie": _pie,
    "table": _table,
    "heatmap": _heatmap,
    "graph": _graph,
    "flows": _flows,
    "bubbles": _bubbles,
}


# --- dashboards -------------------------------------------------------------------------------------------------------


def _dashboard(
    slug: str, spec: Mapping[str, Any], tiles: Mapping[str, Any], found: Mapping[str, Dataset]
) -> dict[str, Any]:
    used = [found[tile["data"]] for row in spec["rows"] for tile in row["tiles"]]
    filters = [_filter(slug, name, used) for name in spec.get("filters", [])]
    return {
        "dashboard_title": spec["title"],
        "description": spec["about"],
        "slug": slug,
        "uuid": _id("dashboard", slug),
        "position": dict(_position(spec, tiles)),
        "metadata": {
            "native_filter_configuration": filters,
            "filter_bar_orientation": "HORIZONTAL",
            "cross_filters_enabled": True,
            "refresh_frequency": 0,
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "default_filters": "{}",
        },
        "published": True,
        "is_managed_externally": True,
        "version": "1.0.0",
    }


def _filter(slug: str, name: str, used: list[Dataset]) -> dict[str, Any]:
    common = {
        "id": f"NATIVE_FILTER-{_id('filter', slug, name)}",
        "name": name.replace("_", " ").capitalize().replace("Rfm", "RFM"),
        "type": "NATIVE_FILTER",
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "description": "",
    }
    if name == "date":
        return {**common, "filterType": "filter_time", "targets": [{}], "controlValues": {}}
    target = next((d for d in used if name in d.columns), None)
    if target is None:
        raise SpecError(f"{slug}: no tile's data set has the column {name} to filter by")
    return {
        **common,
        "filterType": "filter_select",
        "targets": [{"datasetUuid": target.id, "column": {"name": name}}],
        "controlValues": {"multiSelect": True, "enableEmptyFilter": False, "defaultToFirstItem": False},
    }


def _position(spec: Mapping[str, Any], tiles: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Superset's tree of rows and tiles; above them what the dashboard is about."""
    yield "DASHBOARD_VERSION_KEY", "v2"
    rows = ["ROW-0", *(f"ROW-{n}" for n in range(1, len(spec["rows"]) + 1))]
    yield "ROOT_ID", {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]}
    yield "GRID_ID", {"type": "GRID", "id": "GRID_ID", "children": rows, "parents": ["ROOT_ID"]}
    yield "HEADER_ID", {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": spec["title"]}}
    yield "ROW-0", _row("ROW-0", ["MARKDOWN-0"])
    about = {"code": spec["about"], "width": _COLUMNS, "height": 8}
    yield "MARKDOWN-0", _piece("MARKDOWN", "MARKDOWN-0", "ROW-0", about)
    number = 0
    for row, said in zip(rows[1:], spec["rows"], strict=True):
        names = []
        for tile in said["tiles"]:
            number += 1
            name, chart = f"CHART-{number}", tiles[tile["title"]]
            names.append(name)
            width = tile.get("width", _COLUMNS // len(said["tiles"]))
            meta = {"chartId": number, "uuid": chart["uuid"], "sliceName": chart["slice_name"], "width": width}
            yield name, _piece("CHART", name, row, meta | {"height": said.get("height", 40)})
        yield row, _row(row, names)


def _row(name: str, children: list[str]) -> dict[str, Any]:
    meta = {"background": "BACKGROUND_TRANSPARENT"}
    return {"type": "ROW", "id": name, "children": children, "parents": ["ROOT_ID", "GRID_ID"], "meta": meta}


def _piece(kind: str, name: str, row: str, meta: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "id": name, "children": [], "parents": ["ROOT_ID", "GRID_ID", row], "meta": meta}


def _read(path: Path) -> Any:
    """A file of ours, with the lake's currency where it says {currency}."""
    return yaml.safe_load(path.read_text(encoding="utf-8").replace("{currency}", settings().currency))


def _id(*words: str) -> str:
    return str(uuid.uuid5(_IDS, "/".join(words)))
