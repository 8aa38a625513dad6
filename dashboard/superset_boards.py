"""The boards: what ``board/`` says in short, written out as Superset's importer wants it, in a layout for each kind of reader.

Each board becomes three dashboards over the same charts: the analyst's, who chooses a shop; the merchant's, which the portal
embeds and whose shop is the guest token's rule; and the merchant's on a phone, as Superset's grid never narrows its columns.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid5

import yaml

from dashboard.chart_types import query_context, written_out

BOARD = Path(__file__).with_name("board")
COLUMN_NAMES = Path(__file__).parent / "portal" / "columns.csv"
MARTS_URI_PLACEHOLDER = "duckdb:///MARTS"
Layout = Literal["analyst", "merchant", "phone"]
_EMBEDDED: tuple[Layout, ...] = ("merchant", "phone")
_COLUMNS = 12  # of Superset's grid
_PHONE_HEIGHTS = {"big_number": 24, "table": 64}  # units of Superset's grid, 8 pixels each
# Superset opens the choice of days beside its field, which is outside of a phone's window.
_PHONE_STYLE = """
.time-range-popover { left: -12px !important; width: calc(100vw - 16px) !important; }
.time-range-popover .ant-popover-inner { overflow-x: auto; }
.time-range-popover .ant-popover-arrow { display: none !important; }
"""
# The analyst's first filter: one shop, at first the one with the newest day.
_SHOP_FILTER = {"requiredFirst": True, "sortMetric": "newest_day"}
_SHOP_CONTROLS = {"enableEmptyFilter": True, "defaultToFirstItem": True, "sortAscending": False, "multiSelect": False}


@dataclass(frozen=True)
class SupersetBoard:
    """One board of the folder; ``name`` is its file's."""

    name: str
    content: dict[str, Any]

    def uuid(self, layout: Layout) -> str:
        """The dashboard's name in Superset, and that of its embedding."""
        uuid = self.content["uuid"]
        return uuid if layout == "analyst" else str(uuid5(UUID(uuid), layout))

    @property
    def embedded(self) -> dict[str, str]:
        """The dashboards that a guest may see, by layout."""
        return {layout: self.uuid(layout) for layout in _EMBEDDED}


@cache
def boards() -> dict[str, SupersetBoard]:
    """The boards by name, in the order in which they are shown."""
    files = (BOARD / "dashboards").glob("*.yaml")
    read = [SupersetBoard(file.stem, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files]
    return {board.name: board for board in sorted(read, key=lambda board: board.content["place"])}


def board_contents(marts: Path) -> dict[str, str]:
    """The YAML files of ``board/`` as Superset's importer expects them, by path, with the database's address filled in."""
    [database] = _read("databases").values()
    database["sqlalchemy_uri"] = database["sqlalchemy_uri"].replace(MARTS_URI_PLACEHOLDER, f"duckdb:///{marts}")
    datasets, charts = _read("datasets"), _read("charts")
    contents: dict[str, Any] = {"metadata.yaml": {"version": "1.0.0"}, "databases/jishi_marts.yaml": database}
    for name, dataset in datasets.items():
        contents[f"datasets/jishi_marts/{name}.yaml"] = _dataset(name, dataset, database["uuid"])
    for name, chart in charts.items():
        contents[f"charts/{name}.yaml"] = _chart(chart, datasets[chart["dataset"]])
    for board in boards().values():
        for layout in ("analyst", *_EMBEDDED):
            contents[f"dashboards/{board.name}_{layout}.yaml"] = _dashboard(board, layout, charts, datasets)
    return {path: yaml.safe_dump(content, allow_unicode=True) for path, content in contents.items()}


def _read(kind: str) -> dict[str, dict[str, Any]]:
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((BOARD / kind).rglob("*.yaml"))}


@cache
def _labels() -> dict[str, str]:
    """What the portal calls a column, in both languages."""
    with COLUMN_NAMES.open(encoding="utf-8", newline="") as file:
        return {row["column"]: f"{row['en']} {row['zh']}" for row in csv.DictReader(file)}


def _dataset(name: str, short: dict[str, Any], database_uuid: str) -> dict[str, Any]:
    """Every column has a type and none a formula of its own."""
    is_used, labels = {"is_active": True, "groupby": True, "filterable": True}, _labels()
    columns = [
        {"column_name": column, "verbose_name": labels.get(column, column), "type": kind, "is_dttm": kind == "DATE"} | is_used
        for column, kind in short["columns"].items()
    ]
    place = {"table_name": name, "schema": "main", "database_uuid": database_uuid, "filter_select_enabled": True}
    return {"version": "1.0.0", "main_dttm_col": None} | place | short | {"columns": columns}


def _chart(short: dict[str, Any], dataset: dict[str, Any]) -> dict[str, Any]:
    params = written_out(short["viz_type"], short["params"])
    of_dataset = {"dataset_uuid": dataset["uuid"], "params": params, "query_context": query_context(params)}
    return {"version": "1.0.0", "description": ""} | {key: short[key] for key in short if key != "dataset"} | of_dataset


def _dashboard(board: SupersetBoard, layout: Layout, charts: dict[str, Any], datasets: dict[str, Any]) -> dict[str, Any]:
    title, suffix = board.content["dashboard_title"], "" if layout == "analyst" else f" ({layout})"
    filters = (
        [_filter("time", "Days 日期", "filter_time", {}, {"enableEmptyFilter": False})] if board.content["has_days"] else []
    )
    if layout == "analyst":
        target = {"column": {"name": "shop_id"}, "datasetUuid": datasets["shop_days"]["uuid"]}
        filters.insert(0, _filter("shop_id", "Shop 店铺", "filter_select", target, _SHOP_CONTROLS) | _SHOP_FILTER)
    return {
        "version": "1.0.0",
        "uuid": board.uuid(layout),
        "slug": board.content["slug"] + ("" if layout == "analyst" else f"-{layout}"),
        "dashboard_title": title + suffix,
        "description": board.content["description"],
        "published": layout == "analyst",  # the others are for the portal's pages and not in the analyst's list
        "css": _PHONE_STYLE if layout == "phone" else "",
        "position": _position(title, _rows(board, layout, charts), charts),
        "metadata": {
            "color_scheme": "supersetColors",
            "cross_filters_enabled": layout == "analyst",
            "filter_bar_orientation": "VERTICAL" if layout == "analyst" else "HORIZONTAL",
            "native_filter_configuration": filters,
        },
    }


def _rows(board: SupersetBoard, layout: Layout, charts: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of charts with their widths; on a phone each chart has a row."""
    rows: list[dict[str, Any]] = board.content["rows"]
    if layout != "phone":
        return rows
    names = [name for row in rows for name in row["charts"]]
    return [{"height": _PHONE_HEIGHTS.get(charts[name]["viz_type"], 50), "charts": {name: _COLUMNS}} for name in names]


def _position(title: str, rows: list[dict[str, Any]], charts: dict[str, Any]) -> dict[str, Any]:
    names = [f"ROW-{number}" for number in range(len(rows))]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": names, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": title}},
    }
    for name, row in zip(names, rows, strict=True):
        parents = ["ROOT_ID", "GRID_ID"]
        parts = [f"CHART-{chart}" for chart in row["charts"]]
        meta: dict[str, Any] = {"background": "BACKGROUND_TRANSPARENT"}
        position[name] = {"type": "ROW", "id": name, "children": parts, "parents": parents, "meta": meta}
        for part, (chart, width) in zip(parts, row["charts"].items(), strict=True):
            meta = {"width": width, "height": row["height"], "chartId": len(position), "uuid": charts[chart]["uuid"]}
            meta["sliceName"] = charts[chart]["slice_name"]
            position[part] = {"type": "CHART", "id": part, "children": [], "parents": [*parents, name], "meta": meta}
    return position


def _filter(name: str, title: str, kind: str, target: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"NATIVE_FILTER-{name}",
        "type": "NATIVE_FILTER",
        "name": title,
        "filterType": kind,
        "description": "",
        "targets": [target],
        "controlValues": controls,
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
    }
