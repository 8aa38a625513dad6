"""What serving would have read at past decisions: the values of the backfill tables at each instant, derived as at a request.

A row of ``features/<view>`` holds from its ``event_timestamp`` until ``valid_until_ms``; the newest one at or before a decision
counts while it holds. From there on training and serving share one function, ``jishi.features.decision.value_at``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jishi.features import ENTITY_KEYS, Feature, operands, prior_operands, views
from jishi.features.decision import value_at
from jishi.features.lake_tables import view_table
from jishi.lake import TableNotPublished
from jishi.lake.query import open_lake, view_of
from jishi.lake.reading import LakeVersion

if TYPE_CHECKING:
    import duckdb

_SINCE, _UNTIL_MS = "event_timestamp", "valid_until_ms"  # jishi.features.lake_tables


@dataclass(frozen=True)
class FeatureMoment:
    """An instant (epoch ms) at which a shop decides something: about a person, by all ids of the person, and an item."""

    shop_id: str
    at_ms: int
    persons: tuple[str, ...] = ()
    item_id: str | None = None

    def ids(self, entity: str) -> tuple[str, ...]:
        """The ids of an entity that the decision is about."""
        by_entity = {"person": self.persons, "shop": (self.shop_id,), "item": () if self.item_id is None else (self.item_id,)}
        return by_entity[entity]


# By decision, entity and id: the values that hold, and since when (epoch ms).
_Held = dict[tuple[int, str, str], tuple[dict[str, Any], dict[str, int]]]


def values_at(lake: LakeVersion, decisions: Sequence[FeatureMoment], features: Sequence[Feature]) -> list[dict[str, Any]]:
    """The features' values at each decision, by name. Features are of a person, an item or the shop.

    Raises jishi.lake.TableNotPublished when a view was not backfilled.
    """
    parts = {part.name for feature in features for part in (*operands(feature), *prior_operands(feature))}
    held: _Held = {}
    with open_lake(lake) as connection:
        for view, members in views().items():
            if parts & {member.name for member in members}:
                _require(lake, view_table(view, members).name)
                _read(connection, view, members, decisions, held)
    return [
        {feature.name: _value(feature, number, decision, held) for feature in features}
        for number, decision in enumerate(decisions)
    ]


def _require(lake: LakeVersion, table: str) -> None:
    if not lake.has(table):
        command = f"python -m spark_jobs features --view {table.partition('/')[2]}"
        raise TableNotPublished(f"table {table!r} is not in version {lake.number} of the lake; run: {command}")


def _read(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    members: Sequence[Feature],
    decisions: Sequence[FeatureMoment],
    held: _Held,
) -> None:
    import pyarrow as pa

    entity = members[0].entity
    asked = [(number, each.shop_id, name, each.at_ms) for number, each in enumerate(decisions) for name in each.ids(entity)]
    if not asked:
        return
    columns = ("decision", "shop_id", "id", "at_ms")
    connection.register("asked", pa.table(dict(zip(columns, map(list, zip(*asked, strict=True)), strict=True))))
    key = ENTITY_KEYS[entity][0] if ENTITY_KEYS[entity] else "shop_id"
    names = ", ".join(f'f."{member.name}"' for member in members)
    table = view_of(view_table(view, members).name)
    rows = connection.execute(
        f"SELECT a.decision, a.id, epoch_ms(f.{_SINCE}), {names} FROM asked AS a ASOF JOIN {table} AS f "
        f"ON a.shop_id = f.shop_id AND a.id = f.{key} AND epoch_ms(a.at_ms) >= f.{_SINCE} "
        f"WHERE f.{_UNTIL_MS} IS NULL OR a.at_ms < f.{_UNTIL_MS}"
    ).fetchall()
    for number, name, known_ms, *values in rows:
        stored, since_ms = held.setdefault((number, entity, name), ({}, {}))
        for member, value in zip(members, values, strict=True):
            if value is not None:
                stored[member.name] = value
                since_ms[member.name] = known_ms


def _value(feature: Feature, number: int, decision: FeatureMoment, held: _Held) -> Any:
    nothing: tuple[dict[str, Any], dict[str, int]] = ({}, {})
    of_ids = [held.get((number, feature.entity, name), nothing) for name in decision.ids(feature.entity)]
    of_shop, _ = held.get((number, "shop", decision.shop_id), nothing)
    known_ms = {part.name: [since_ms.get(part.name) for _, since_ms in of_ids] for part in operands(feature)}
    return value_at(feature, [stored for stored, _ in of_ids] or [{}], decision.at_ms, shop=of_shop, known_ms=known_ms)
