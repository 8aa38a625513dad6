"""Compile feature definitions to Flink SQL: one query a view, each giving ``message_key`` and ``message`` of the feature topic.

No feature is named here. A windowed view aggregates good acts per entity in HOP windows, aligned to the epoch and half-open;
its value is known from the window's end plus the allowed lateness and holds for one slide. Where ratios divide windows of two
sizes, acts are aggregated to slides first, and the shorter window takes the young slides of the longer one. A quiet entity
gives no window, so readers fall back to the default once a value has expired. Running views have a module of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flink_jobs.act_queries import acts_query, in_list
from flink_jobs.intervals import interval
from flink_jobs.message_sql import condition, entity_id, json_text, message
from flink_jobs.running_queries import running_query
from jishi.features import ENTITY_KEYS, FEATURES, Feature, operands


def view_query(
    view: str, features: Sequence[Feature], *, allowed_lateness_s: int, declared: Iterable[Feature] = FEATURES
) -> str:
    """Query over ``events`` that gives the messages of one view; ``declared`` are all features that a ratio may name.

    Raises ValueError when the view mixes what one record cannot carry.
    """
    if not any(feature.is_running for feature in features):
        return _window_query(view, features, allowed_lateness_s, tuple(declared))
    if len(features) == 1:
        return running_query(view, features[0], declared)
    names = ", ".join(feature.name for feature in features)
    raise ValueError(f"view {view}: a running feature changes with its own events and needs a view of its own, found {names}")


def _window_query(view: str, features: Sequence[Feature], allowed_lateness_s: int, declared: tuple[Feature, ...]) -> str:
    parts = list({part.name: part for feature in features for part in operands(feature, declared)}.values())
    known_ms = f"window_end_ms + {allowed_lateness_s * 1000}"
    json_values = {feature.name: json_text(_value(feature)) for feature in features}
    windows = _two_windows(parts, features[0]) if features[0].short_size_s else _hop(parts, features[0].size)
    return f"""\
SELECT {message(view, known_ms, f"{known_ms} + {features[0].slide * 1000}", json_values)}
FROM (
  {windows}
)"""


def _hop(parts: Sequence[Feature], size_s: int) -> str:
    """Aggregates of one entity over windows of one size, with ``window_end_ms``."""
    columns = ["shop_id", f"{entity_id(parts[0])} AS entity_id", "1000 * EXTRACT(EPOCH FROM window_end) AS window_end_ms"]
    aggregates = ",\n    ".join(f"{sql} AS `{name}`" for part in parts for name, sql in _aggregates(part).items())
    return f"""\
SELECT {", ".join(columns)},
    {aggregates}
  FROM TABLE(HOP(
    ({_source(parts)}),
    DESCRIPTOR(occurred_at), {interval(parts[0].slide * 1000)}, {interval(size_s * 1000)}))
  GROUP BY {", ".join(_group(parts[0]))}"""


def _two_windows(parts: Sequence[Feature], feature: Feature) -> str:
    """Counts and sums over the feature's two windows, put together from slides, of which there are few to copy."""
    keys = [f"`{key}`" for key in ENTITY_KEYS[feature.entity]]
    of_slide = ", ".join(f"{sql} AS `{name}`" for part in parts for name, sql in _aggregates(part).items())
    columns = ["shop_id", f"{entity_id(feature)} AS entity_id", "1000 * EXTRACT(EPOCH FROM window_end) AS window_end_ms"]
    for part in parts:
        young = f"CAST(slide_at AS TIMESTAMP(3)) >= window_end - {interval(part.size * 1000)}"
        columns.append(f"SUM(`{part.name}`) FILTER (WHERE {young}) AS `{part.name}`")
    slide = interval(feature.slide * 1000)
    return f"""\
SELECT {", ".join(columns)}
  FROM TABLE(HOP((
      SELECT {", ".join(["shop_id", *keys, "window_time AS slide_at", of_slide])}
      FROM TABLE(TUMBLE(
        ({_source(parts)}),
        DESCRIPTOR(occurred_at), {slide}))
      GROUP BY {", ".join([*_group(feature), "window_time"])}
    ), DESCRIPTOR(slide_at), {slide}, {interval(feature.size * 1000)}))
  GROUP BY {", ".join(_group(feature))}"""


def _source(parts: Sequence[Feature]) -> str:
    kinds = sorted({kind for part in parts for kind in part.acts})
    columns = [column for part in parts for column in (_column(part), *(where.column for where in part.where)) if column]
    return acts_query(kinds, ENTITY_KEYS[parts[0].entity], list(dict.fromkeys(columns)), ["occurred_at"])


def _column(part: Feature) -> str | None:
    return "occurred_at_ms" if part.aggregation == "seconds_since" else part.column


def _group(feature: Feature) -> list[str]:
    return ["shop_id", *(f"`{key}`" for key in ENTITY_KEYS[feature.entity]), "window_start", "window_end"]


def _aggregates(part: Feature) -> dict[str, str]:
    """Integer aggregates over one window that a feature is made of, by the name under which they travel."""
    taken = f"FILTER (WHERE {' AND '.join([f'type IN {in_list(part.acts)}', *(condition(where) for where in part.where)])})"
    column = f"`{_column(part)}`"
    if part.aggregation == "count":
        return {part.name: f"COUNT(*) {taken}"}
    if part.aggregation == "distinct":
        return {part.name: f"COUNT(DISTINCT {column}) {taken}"}
    if part.aggregation == "mean":
        return {f"{part.name}__sum__part": f"SUM({column}) {taken}", f"{part.name}__count__part": f"COUNT({column}) {taken}"}
    function = {"sum": "SUM", "min": "MIN", "max": "MAX", "seconds_since": "MAX"}[part.aggregation]
    return {part.name: f"{function}({column}) {taken}"}


def _value(feature: Feature) -> str:
    """The value of a feature from the aggregates of a window."""
    default = "NULL" if feature.default is None else str(feature.default)
    name = f"`{feature.name}`"
    if feature.aggregation in ("count", "distinct"):
        return name
    if feature.aggregation == "ratio":
        return _quotient(f"COALESCE(`{feature.numerator}`, 0)", f"COALESCE(`{feature.denominator}`, 0)", default)
    if feature.aggregation == "mean":
        return _quotient(f"`{feature.name}__sum__part`", f"`{feature.name}__count__part`", default)
    value = f"(window_end_ms - {name}) / 1000" if feature.aggregation == "seconds_since" else name
    return value if feature.default is None else f"COALESCE({value}, {default})"


def _quotient(above: str, below: str, default: str) -> str:
    return f"CASE WHEN {below} > 0 THEN CAST({above} AS DOUBLE) / CAST({below} AS DOUBLE) ELSE CAST({default} AS DOUBLE) END"
