"""Compile feature definitions to Flink SQL: one query a view, each giving ``message_key`` and ``message`` of the feature topic.

No feature is named here. A windowed view counts good events per entity in HOP windows, aligned to the epoch and half-open; its
value is known from the window's end plus the allowed lateness and holds for one slide. A ``last_n`` view follows each event at
once. A quiet entity gives no window, so readers fall back to the default once a value has expired.
"""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs.intervals import interval
from jishi.features import ENTITY_COLUMN, Feature


def view_query(view: str, features: Sequence[Feature], *, allowed_lateness_s: int) -> str:
    """Query over ``events`` that gives the messages of one view.

    Raises ValueError when the view mixes what one record cannot carry.
    """
    kinds = {feature.aggregation for feature in features}
    if kinds == {"count"}:
        return _window_query(view, features, allowed_lateness_s)
    if kinds == {"last_n"} and len(features) == 1:
        return _last_n_query(view, features[0])
    names = ", ".join(feature.name for feature in features)
    raise ValueError(f"view {view}: a last_n feature changes with its own events and needs a view of its own, found {names}")


def _window_query(view: str, features: Sequence[Feature], allowed_lateness_s: int) -> str:
    entity = ENTITY_COLUMN[features[0].entity]
    types = sorted({event_type for feature in features for event_type in feature.event_types})
    counts = ",\n    ".join(
        f"COUNT(*) FILTER (WHERE type IN {_in_list(feature.event_types)}) AS `{feature.name}`" for feature in features
    )
    known_ms = f"window_end_ms + {allowed_lateness_s * 1000}"
    return f"""\
SELECT {_message(view, known_ms, f"{known_ms} + {_slide(features) * 1000}", [f.name for f in features])}
FROM (
  SELECT shop_id, `{entity}` AS entity_id, 1000 * EXTRACT(EPOCH FROM window_end) AS window_end_ms,
    {counts}
  FROM TABLE(HOP(
    ({_good_events(entity, types, "occurred_at")}),
    DESCRIPTOR(occurred_at), {interval(_slide(features) * 1000)}, {interval(_size(features) * 1000)}))
  GROUP BY shop_id, `{entity}`, window_start, window_end
)"""


def _last_n_query(view: str, feature: Feature) -> str:
    assert feature.n is not None  # checked by the declaration
    entity = ENTITY_COLUMN[feature.entity]
    good = _good_events(entity, sorted(feature.event_types), "received_at_ms", f"`{feature.column}`", "decided_at")
    return f"""\
SELECT {_message(view, "received_at_ms", "CAST(NULL AS BIGINT)", [feature.name])}
FROM (
  SELECT shop_id, `{entity}` AS entity_id, received_at_ms,
    ARRAY_REVERSE(ARRAY_AGG(`{feature.column}`) OVER (
      PARTITION BY shop_id, `{entity}` ORDER BY decided_at ROWS BETWEEN {feature.n - 1} PRECEDING AND CURRENT ROW
    )) AS `{feature.name}`
  FROM ({good} AND `{feature.column}` IS NOT NULL)
)"""


def _good_events(entity: str, types: Sequence[str], *columns: str) -> str:
    chosen = ", ".join(dict.fromkeys(("shop_id", f"`{entity}`", "type", *columns)))
    return f"SELECT {chosen} FROM events WHERE fate = 'good' AND type IN {_in_list(types)} AND `{entity}` IS NOT NULL"


def _message(view: str, as_of_ms: str, valid_until_ms: str, names: Sequence[str]) -> str:
    values = ", ".join(f"KEY '{name}' VALUE `{name}`" for name in names)
    return f"""\
'{view}|' || shop_id || '|' || entity_id AS message_key,
  JSON_OBJECT(
    KEY 'view' VALUE '{view}', KEY 'shop_id' VALUE shop_id, KEY 'entity_id' VALUE entity_id,
    KEY 'as_of_ms' VALUE {as_of_ms}, KEY 'valid_until_ms' VALUE {valid_until_ms},
    KEY 'values' VALUE JSON_OBJECT({values})
  ) AS message"""


def _slide(features: Sequence[Feature]) -> int:
    slide = features[0].slide_s
    assert slide is not None  # checked by the declaration
    return slide


def _size(features: Sequence[Feature]) -> int:
    size = features[0].size_s
    assert size is not None  # checked by the declaration
    return size


def _in_list(values: Sequence[str]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"
