"""What the charts of one type have in common, and the saved query of each chart: all that Superset lets a guest ask of it."""

from __future__ import annotations

import json
from typing import Any

_ANY = {"adhoc_filters": [], "extra_form_data": {}, "time_range": "No filter"}
_BY_DAY = {"x_axis": "day", "time_grain_sqla": "P1D", "groupby": [], "row_limit": 10000}
_LINES = {"show_legend": True, "legendOrientation": "top", "rich_tooltip": True, "x_axis_time_format": "%m-%d"}
_COLOURS = {"color_scheme": "supersetColors"}
_CURRENCY = {"symbol": "AUTO", "symbolPosition": "prefix"}
_TABLE = {"query_mode": "aggregate", "all_columns": [], "percent_metrics": [], "order_by_cols": [], "order_desc": True}
_PARAMS: dict[str, dict[str, Any]] = {
    "big_number": {
        **{"x_axis": "day", "time_grain_sqla": "P1D", "rolling_type": "None", "time_format": "%Y-%m-%d"},
        **{"show_timestamp": True, "show_trend_line": True, "start_y_axis_at_zero": True},
        **{"header_font_size": 0.4, "subheader_font_size": 0.15, "color_picker": {"r": 0, "g": 122, "b": 135, "a": 1}},
    },
    "echarts_timeseries_line": _BY_DAY | _LINES | _COLOURS,
    "echarts_timeseries_bar": _BY_DAY | _LINES | _COLOURS | {"truncateYAxis": False},
    "heatmap_v2": {
        **{"sort_x_axis": "alpha_asc", "sort_y_axis": "alpha_asc", "normalize_across": "heatmap", "row_limit": 10000},
        **{"show_values": True, "show_legend": False, "linear_color_scheme": "schemeBlues"},
        **{"left_margin": 75, "bottom_margin": "auto", "xscale_interval": -1, "yscale_interval": -1},
    },
    "table": {
        **_TABLE,
        **{"row_limit": 50, "server_page_length": 20, "show_cell_bars": True, "include_search": False},
        **{"table_timestamp_format": "%Y-%m-%d"},
    },
}


def written_out(viz_type: str, params: dict[str, Any]) -> dict[str, Any]:
    """A chart's parameters with those of its type; ``money`` names what is in the currency that a row names.

    Raises KeyError for a type that no board uses yet.
    """
    given = {name: value for name, value in params.items() if name != "money"}
    if "money" in params and viz_type == "table":
        given["column_config"] = {metric: {"currencyFormat": _CURRENCY} for metric in params["money"]}
    elif "money" in params:
        given["currency_format"] = _CURRENCY
    return _ANY | _PARAMS[viz_type] | given | {"viz_type": viz_type}


def query_context(params: dict[str, Any]) -> str:
    """The query of a chart. Superset refuses a guest each column, metric and order that is not in here or in the parameters."""
    metrics = [*params.get("metrics", ()), *([params["metric"]] if "metric" in params else ())]
    groups = params.get("groupby", ())
    groups = [groups] if isinstance(groups, str) else groups
    columns = [*([_axis(params)] if "x_axis" in params else ()), *groups, *params.get("all_columns", ())]
    order_by = [[params.get("timeseries_limit_metric", metrics[0]), False]] if metrics else []
    query = {"columns": columns, "metrics": metrics, "orderby": order_by}
    return json.dumps({"datasource": {"id": 0, "type": "table"}, "queries": [query]})


def _axis(params: dict[str, Any]) -> dict[str, Any]:
    """The axis as Superset's pages ask for it; one of words has no grain of time."""
    name = params["x_axis"]
    sql = {"columnType": "BASE_AXIS", "expressionType": "SQL", "sqlExpression": name, "label": name}
    return {"timeGrain": params["time_grain_sqla"], **sql} if name == "day" else sql
