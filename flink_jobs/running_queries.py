"""Compile running features to Flink SQL: values that follow each event of an entity at once.

All running features of an entity share two OVER aggregates, which Flink computes once for all their views: the first counts the
acts of each feature and keeps the earliest, the second holds the last n values in n slots, which are written in turn. So the
state of a key is bounded, and nothing is ever taken out of it: ``ARRAY_AGG`` over the last n rows keeps the rows, searches them
for the oldest and copies the list with every event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flink_jobs.act_queries import acts_query, in_list
from flink_jobs.message_sql import condition, entity_id, json_text, message, quoted
from jishi.features import ENTITY_KEYS, Feature
from jishi.features.act import ACT_KINDS


def running_query(view: str, feature: Feature, declared: Iterable[Feature]) -> str:
    """Query over ``events`` that gives the messages of one running feature; ``declared`` are all features that there are."""
    json_values = {feature.name: _value(feature)}
    return f"""\
SELECT {message(view, "received_at_ms", "CAST(NULL AS BIGINT)", json_values)}
FROM (
  SELECT *, {entity_id(feature)} AS entity_id
  FROM {_states(_together(feature, declared))}
  WHERE {_is_taken(feature)}
)"""


def _together(feature: Feature, declared: Iterable[Feature]) -> list[Feature]:
    """The features that share their state with this one."""
    if feature.aggregation == "last" or not _is_of_whole_events(feature):
        return [feature]
    rows = [
        other
        for other in declared
        if other.aggregation in ("last_n", "first_seen") and other.entity == feature.entity and _is_of_whole_events(other)
    ]
    return rows if feature in rows else [feature]


def _is_of_whole_events(feature: Feature) -> bool:
    return all(ACT_KINDS[kind].is_whole_event for kind in feature.acts)


def _states(features: Sequence[Feature]) -> str:
    """Acts of some of the features, with the state of each feature after the act."""
    keys = ENTITY_KEYS[features[0].entity]
    kinds = sorted({kind for feature in features for kind in feature.acts})
    columns = [name for feature in features for name in (_column(feature), *(where.column for where in feature.where))]
    acts = acts_query(kinds, keys, list(dict.fromkeys(columns)), ["received_at_ms", "decided_at"])
    by_key = ", ".join(["shop_id", *(f"`{key}`" for key in keys)])
    over = f"OVER (PARTITION BY {by_key} ORDER BY decided_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    first = [f"{_kept(feature)} {over} AS `{feature.name}__kept`" for feature in features if feature.aggregation != "last"]
    slots = [
        f"LAST_VALUE(CASE WHEN {_is_taken(feature)} AND MOD(`{feature.name}__kept`, {feature.n}) = {slot} "
        f"THEN {_element(feature)} END) {over} AS `{feature.name}__{slot}`"
        for feature in features
        for slot in range(feature.n or 0)
    ]
    states = f"({acts})"
    for aggregates in (first, slots):
        if aggregates:
            states = "\n    ".join(["(SELECT *,", ",\n    ".join(aggregates), f"FROM {states})"])
    return states


def _kept(feature: Feature) -> str:
    """What the first aggregate keeps: the number of acts, or the earliest instant."""
    if feature.aggregation == "last_n":
        return f"COUNT(CASE WHEN {_is_taken(feature)} THEN 1 END)"
    return f"MIN(CASE WHEN {_is_taken(feature)} THEN `{_column(feature)}` END)"


def _value(feature: Feature) -> str:
    """The feature's value as JSON. Of the slots, which are put down twice, newest first, those from the newest on."""
    if feature.aggregation == "last":
        return _element(feature)
    if feature.aggregation == "first_seen":
        return json_text(f"`{feature.name}__kept`")
    assert feature.n is not None  # checked by the declaration
    slots = [f"`{feature.name}__{slot}`" for slot in reversed(range(feature.n))]
    newest = f"{feature.n} - MOD(`{feature.name}__kept`, {feature.n})"
    chosen = f"ARRAY_SLICE(ARRAY[{', '.join([*slots, *slots])}], {newest}, {newest} + {feature.n - 1})"
    return f"'[' || ARRAY_JOIN({chosen}, ',') || ']'"


def _element(feature: Feature) -> str:
    column = f"`{_column(feature)}`"
    return quoted(column) if "string" in feature.value_type else json_text(column)


def _is_taken(feature: Feature) -> str:
    conditions = [condition(where) for where in feature.where]
    return " AND ".join([f"type IN {in_list(feature.acts)}", f"`{_column(feature)}` IS NOT NULL", *conditions])


def _column(feature: Feature) -> str:
    return feature.column or "occurred_at_ms"
