"""Compile feature definitions to Flink SQL: one query a view, each giving ``message_key`` and ``message`` of the feature topic.

No feature is named here. A windowed view aggregates good acts per entity in HOP windows, aligned to the epoch and half-open;
its value is known from the window's end plus the allowed lateness and holds for one slide. For a window that ended some time
ago acts are aggregated to slides first, and a window up to now takes its old slides. A quiet entity gives no window, so readers
fall back to the default once a value has expired. Running views have a module of their own; derived features have no query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flink_jobs.act_queries import acts_query, in_list
from flink_jobs.intervals import interval
from flink_jobs.message_sql import condition, entity_id, json_text, message
from flink_jobs.running_queries import running_query
from jishi.features import ENTITY_KEYS, FEATURES, Feature
from jishi.features.zones import NO_ZONES, Zones
from jishi.money import MOST_SUM


def view_query(
    view: str,
    features: Sequence[Feature],
    *,
    allowed_lateness_s: int,
    declared: Iterable[Feature] = FEATURES,
    zones: Zones = NO_ZONES,
) -> str:
    """Query over ``events`` that gives the messages of one view; running features share state with others ``declared``.

    Raises ValueError when the view mixes what one record cannot carry.
    """
    if not any(feature.is_running for feature in features):
        return _window_query(view, features, allowed_lateness_s, zones)
    if len(features) == 1 or features[1].times_of == features[0].name:
        return running_query(view, features, declared)
    names = ", ".join(feature.name for feature in features)
    raise ValueError(f"view {view}: a running feature changes with its own events and needs a view of its own, found {names}")


def _window_query(view: str, features: Sequence[Feature], allowed_lateness_s: int, zones: Zones) -> str:
    known_ms = f"window_end_ms + {allowed_lateness_s * 1000}"
    json_values = {feature.name: _json(feature) for feature in features}
    windows = _ago(features, zones) if features[0].offset_s else _hop(features, zones)
    return f"""\
SELECT {message(view, known_ms, f"{known_ms} + {features[0].slide * 1000}", json_values)}
FROM (
  {windows}
)"""


def _hop(parts: Sequence[Feature], zones: Zones) -> str:
    """Aggregates of one entity over windows of one size, with ``window_end_ms``."""
    columns = ["shop_id", f"{entity_id(parts[0])} AS entity_id", "1000 * EXTRACT(EPOCH FROM window_end) AS window_end_ms"]
    aggregates = ",\n    ".join(
        f"{_capped(sql) if name in _wide(part) else sql} AS `{name}`"
        for part in parts
        for name, sql in _aggregates(part).items()
    )
    return f"""\
SELECT {", ".join(columns)},
    {aggregates}
  FROM TABLE(HOP(
    ({_source(parts, zones)}),
    DESCRIPTOR(occurred_at), {interval(parts[0].slide * 1000)}, {interval(parts[0].size * 1000)}))
  GROUP BY {", ".join(_group(parts[0]))}"""


def _ago(parts: Sequence[Feature], zones: Zones) -> str:
    """Counts and sums over windows that ended ``offset_s`` ago, put together from slides, of which there are few to copy."""
    feature = parts[0]
    keys = [f"`{key}`" for key in ENTITY_KEYS[feature.entity]]
    of_slide = ", ".join(f"{sql} AS `{name}`" for part in parts for name, sql in _aggregates(part).items())
    columns = ["shop_id", f"{entity_id(feature)} AS entity_id", "1000 * EXTRACT(EPOCH FROM window_end) AS window_end_ms"]
    for part in parts:
        old = f"CAST(slide_at AS TIMESTAMP(3)) < window_end - {interval(part.offset_s * 1000)}"
        total = f"SUM(`{part.name}`) FILTER (WHERE {old})"
        columns.append(f"COALESCE({_capped(total) if _wide(part) else total}, 0) AS `{part.name}`")
    slide = interval(feature.slide * 1000)
    return f"""\
SELECT {", ".join(columns)}
  FROM TABLE(HOP((
      SELECT {", ".join(["shop_id", *keys, "window_time AS slide_at", of_slide])}
      FROM TABLE(TUMBLE(
        ({_source(parts, zones)}),
        DESCRIPTOR(occurred_at), {slide}))
      GROUP BY {", ".join([*_group(feature), "window_time"])}
    ), DESCRIPTOR(slide_at), {slide}, {interval((feature.size + feature.offset_s) * 1000)}))
  GROUP BY {", ".join(_group(feature))}"""


def _source(parts: Sequence[Feature], zones: Zones) -> str:
    kinds = sorted({kind for part in parts for kind in part.acts})
    columns = [column for part in parts for column in (part.column, *(where.column for where in part.where)) if column]
    return acts_query(kinds, ENTITY_KEYS[parts[0].entity], list(dict.fromkeys(columns)), ["occurred_at"], zones)


def _group(feature: Feature) -> list[str]:
    return ["shop_id", *(f"`{key}`" for key in ENTITY_KEYS[feature.entity]), "window_start", "window_end"]


def _aggregates(part: Feature) -> dict[str, str]:
    """Integer aggregates over one window that a feature is made of, by the name under which they travel."""
    taken = f"FILTER (WHERE {' AND '.join([f'type IN {in_list(part.acts)}', *(condition(where) for where in part.where)])})"
    column = f"`{part.column}`"
    if part.aggregation == "count":
        return {part.name: f"COUNT(*) {taken}"}
    if part.aggregation == "distinct":
        return {part.name: f"COUNT(DISTINCT {column}) {taken}"}
    if part.aggregation == "values":
        return {part.name: f"ARRAY_AGG(DISTINCT {column}) {taken[:-1]} AND {column} IS NOT NULL)"}
    if part.aggregation == "mean":
        return {
            f"{part.name}__sum__part": f"SUM({_decimal(column)}) {taken}",
            f"{part.name}__count__part": f"COUNT({column}) {taken}",
        }
    if part.aggregation == "sum":
        return {part.name: f"SUM({_decimal(column)}) {taken}"}
    function = {"min": "MIN", "max": "MAX"}[part.aggregation]
    return {part.name: f"{function}({column}) {taken}"}


def _wide(part: Feature) -> frozenset[str]:
    """Names of aggregates that 64 bits may not hold before they are cut to the bounds of the definition."""
    return frozenset({"sum": {part.name}, "mean": {f"{part.name}__sum__part"}}.get(part.aggregation, ()))


def _decimal(column: str) -> str:
    return f"CAST({column} AS DECIMAL(19, 0))"  # its sums have 38 digits


def _capped(total: str) -> str:
    """A sum within the bounds that the definition sets (jishi.features.declaration), as a 64-bit integer."""
    bound = "CAST({} AS DECIMAL(38, 0))"
    return f"CAST(LEAST({bound.format(MOST_SUM)}, GREATEST({bound.format(-MOST_SUM)}, {total})) AS BIGINT)"


def _json(feature: Feature) -> str:
    """The value of a feature as JSON."""
    if feature.aggregation == "values":
        return f"COALESCE(JSON_STRING(ARRAY_SORT(`{feature.name}`)), '[]')"
    return json_text(_value(feature))


def _value(feature: Feature) -> str:
    """The value of a feature that is a number, from the aggregates of a window."""
    default = "NULL" if feature.default is None else str(feature.default)
    name = f"`{feature.name}`"
    if feature.aggregation in ("count", "distinct"):
        return name
    if feature.aggregation == "mean":
        return _quotient(f"`{feature.name}__sum__part`", f"`{feature.name}__count__part`", default)
    return name if feature.default is None else f"COALESCE({name}, {default})"


def _quotient(above: str, below: str, default: str) -> str:
    return f"CASE WHEN {below} > 0 THEN CAST({above} AS DOUBLE) / CAST({below} AS DOUBLE) ELSE CAST({default} AS DOUBLE) END"
