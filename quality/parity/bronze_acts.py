"""Records of bronze that may hold an act of a few entities, and their acts."""

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

# Imported history goes straight to bronze: neither Flink nor the online store ever saw it.
_OF_LOG = "log_offset IS NOT NULL"


def known_until_ms(lake: duckdb.DuckDBPyConnection) -> int | None:
    """Epoch ms of the newest event of the log in bronze; None when there is none."""
    [(newest,)] = lake.execute(f"SELECT max(received_at_ms) FROM bronze_all WHERE {_OF_LOG}").fetchall()
    return None if newest is None else int(newest)


def acts_of_log(
    lake: duckdb.DuckDBPyConnection, settings: Settings, shop_id: str, feature: Feature, entity_ids: Collection[str]
) -> dict[str, list[Act]]:
    """By entity, the acts of the event log that a feature counts, in the order of knowing; an empty list without any."""
    log = records_behind(lake, shop_id, feature, entity_ids, of_log=True)
    acts = good_acts(log, allowed_lateness_s=settings.allowed_lateness_s, future_tolerance_s=settings.future_tolerance_s)
    by_entity: dict[str, list[Act]] = {entity_id: [] for entity_id in entity_ids}
    parts = operands(feature)
    for act in acts:
        entity_id = entity_of(feature.entity, act)
        if entity_id in by_entity and any(part.takes(act) for part in parts):
            by_entity[entity_id].append(act)
    return by_entity


def records_behind(
    lake: duckdb.DuckDBPyConnection, shop_id: str, feature: Feature, entity_ids: Collection[str], *, of_log: bool = False
) -> list[dict[str, Any]]:
    """Records that may hold an act that the feature counts for one of the entities, in the order of knowing, with every other
    delivery of the same events, which their outcomes need. ``of_log`` leaves imported history out. Raises ValueError for an id
    that is none of the feature's entity.
    """
    condition, parameters = _may_concern(feature, entity_ids)
    columns = list(BRONZE_EVENTS.columns)
    of_shop = f"shop_id = ? AND {_OF_LOG if of_log else 'true'}"
    rows = lake.execute(
        f"SELECT DISTINCT {', '.join(columns)} FROM bronze_all WHERE {of_shop} AND event_id IN "
        f"(SELECT event_id FROM bronze_all WHERE {of_shop} AND ({condition})) "
        "ORDER BY received_at_ms, log_partition NULLS FIRST, log_offset NULLS FIRST, collector_id, seq",
        [shop_id, shop_id, *parameters],
    ).fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _may_concern(feature: Feature, entity_ids: Collection[str]) -> tuple[str, list[Any]]:
    """The records as SQL. A key that is a column of the record is compared; else the line of a single entity's record must hold
    its id, unless something in the line is escaped; else all records of the type are taken.
    """
    wanted = [key_values(feature.entity, entity_id) for entity_id in entity_ids]
    conditions: list[str] = []
    parameters: list[Any] = []
    for kind in (ACT_KINDS[name] for part in operands(feature) for name in part.acts):
        tests = ["type = ?"]
        parameters.append(kind.event_type)
        for key in ENTITY_KEYS[feature.entity]:
            if isinstance(kind.columns.get(key), FromRecord):
                tests.append(f'"{key}" IN (SELECT unnest(?))')
                parameters.append(sorted({values[key] for values in wanted}))
            elif len(wanted) == 1:
                tests.append(r"(contains(line, ?) OR contains(line, '\'))")
                parameters.append(wanted[0][key])
        conditions.append(f"({' AND '.join(tests)})")
    return " OR ".join(conditions), parameters
