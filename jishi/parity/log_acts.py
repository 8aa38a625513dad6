"""Good acts of a few entities, from the part of bronze that went through the event log: all that the online store can know.

Imported history is left out: it goes straight to bronze, so that neither Flink nor the store ever saw it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from jishi.features import Feature
from jishi.features.act import ACT_KINDS, FromRecord
from jishi.features.entity import ENTITY_KEYS, entity_of, key_values
from jishi.features.oracle import Act, good_acts
from jishi.features.registry import operands
from jishi.settings import Settings
from jishi.tables import BRONZE_EVENTS

if TYPE_CHECKING:
    import duckdb

_OF_LOG = "log_offset IS NOT NULL"


def known_until_ms(lake: duckdb.DuckDBPyConnection) -> int | None:
    """Epoch ms of the newest event of the log in bronze; None when there is none."""
    [(newest,)] = lake.execute(f"SELECT max(received_at_ms) FROM bronze_events WHERE {_OF_LOG}").fetchall()
    return None if newest is None else int(newest)


def acts_of_entities(
    lake: duckdb.DuckDBPyConnection, settings: Settings, shop_id: str, feature: Feature, entity_ids: Collection[str]
) -> dict[str, list[Act]]:
    """By entity, the acts that a feature counts, in the order of the log; an entity without any has an empty list."""
    condition, parameters = _concerns(feature, entity_ids)
    columns = list(BRONZE_EVENTS.columns)
    # A fate needs every delivery of the event, whoever it names.
    rows = lake.execute(
        f"SELECT DISTINCT {', '.join(columns)} FROM bronze_events WHERE shop_id = ? AND {_OF_LOG} AND event_id IN "
        f"(SELECT event_id FROM bronze_events WHERE shop_id = ? AND {_OF_LOG} AND ({condition})) "
        "ORDER BY received_at_ms, log_partition, log_offset",
        [shop_id, shop_id, *parameters],
    ).fetchall()
    log: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    acts = good_acts(log, allowed_lateness_s=settings.allowed_lateness_s, future_tolerance_s=settings.future_tolerance_s)
    found: dict[str, list[Act]] = {entity_id: [] for entity_id in entity_ids}
    parts = operands(feature)
    for act in acts:
        entity_id = entity_of(feature.entity, act)
        if entity_id in found and any(part.takes(act) for part in parts):
            found[entity_id].append(act)
    return found


def _concerns(feature: Feature, entity_ids: Collection[str]) -> tuple[str, list[Any]]:
    """Which records may hold an act of the entities, as SQL. Where a key is not a column of the record, all of the type may."""
    keys = ENTITY_KEYS[feature.entity]
    wanted = [key_values(feature.entity, entity_id) for entity_id in entity_ids]
    conditions, parameters = [], []
    for kind in (ACT_KINDS[name] for part in operands(feature) for name in part.acts):
        named = [key for key in keys if isinstance(kind.columns.get(key), FromRecord)]
        conditions.append(" AND ".join(["type = ?", *(f'"{key}" IN (SELECT unnest(?))' for key in named)]))
        parameters += [kind.event_type, *(sorted({values[key] for values in wanted}) for key in named)]
    return " OR ".join(f"({condition})" for condition in conditions), parameters
