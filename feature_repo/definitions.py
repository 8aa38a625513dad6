"""Entities, sources, views and services of Feast, derived from ``jishi.features`` and ``jishi.features.daily``.

Every key starts with the shop: a view has the entity ``shop`` and one for each other key column (``person``; ``person`` and
``category``). A streamed view carries, beside its features, ``valid_until_ms`` (after it the defaults hold; null: until the
next value) and ``log_offset`` (position in the feature topic, which orders values of one instant).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource
from feast.data_format import ParquetFormat
from feast.labeling.label_view import LabelView
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.types import Array, Bool, FeastType, Float64, Int64, String
from feast.value_type import ValueType

from feature_repo.exports import source_folder
from jishi.features import ENTITY_KEYS, Feature, views
from jishi.features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, LOG_OFFSET, VALID_UNTIL
from jishi.features.daily import DAILY, DailyTable
from jishi.paths import Paths

PROJECT = "jishi"
LIVE_SERVICE = "live"
DAILY_SERVICE = "daily"
# Daily tables have a row a week for whoever was active in the month before; a person without a newer row has gone quiet.
DAILY_TTL = timedelta(days=7)

_Member = FeatureView | OnDemandFeatureView | LabelView | str
_TYPES: dict[str, FeastType] = {
    **{"string": String, "int32": Int64, "int64": Int64, "double": Float64, "bool": Bool},
    **{"list<string>": Array(String), "list<int64>": Array(Int64)},
}

SHOP = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING, description="A tenant; part of every key.")
# By key column; the name is the column without its ending, as in person and person_id.
_BY_COLUMN: dict[str, Entity] = {
    column: Entity(
        name=column.removesuffix("_id"),
        join_keys=[column],
        value_type=ValueType.STRING,
        description=f"One {column.removesuffix('_id').replace('_', ' ')} of one shop.",
    )
    for column in dict.fromkeys(column for keys in ENTITY_KEYS.values() for column in keys)
}
ENTITIES: dict[str, Entity] = {entity.name: entity for entity in _BY_COLUMN.values()}


def streamed_views(paths: Paths) -> list[FeatureView]:
    """One view for each view of ``jishi.features``, fed by a push source of the same name.

    Feast wants a batch source beside it, which nothing reads: backfills are lake tables (spark_jobs).
    """
    return [_streamed_view(name, members, paths) for name, members in views().items()]


def _streamed_view(name: str, members: tuple[Feature, ...], paths: Paths) -> FeatureView:
    fields = [Field(name=f.name, dtype=_TYPES[f.value_type], description=f.meaning, tags={"owner": f.owner}) for f in members]
    fields.append(Field(name=VALID_UNTIL, dtype=Int64, description="Epoch ms after which the defaults hold; null: no end."))
    fields.append(Field(name=LOG_OFFSET, dtype=Int64, description="Position of the value in the feature topic."))
    return FeatureView(
        name=name,
        entities=_entities(members[0].entity),
        schema=[*_key_fields(members[0].entity), *fields],
        source=PushSource(name=name, batch_source=_file_source(f"{name}_backfill", source_folder(paths, f"{name}_backfill"))),
        ttl=timedelta(0),
        online=True,
        description="; ".join(f.meaning for f in members),
    )


def daily_views(exported: Mapping[str, Path], tables: tuple[DailyTable, ...] = DAILY) -> list[FeatureView]:
    """One view for each daily table that has an exported file (``feature_repo.exports``)."""
    return [_daily_view(table, exported[table.view]) for table in tables if table.view in exported]


def _daily_view(table: DailyTable, file: Path) -> FeatureView:
    return FeatureView(
        name=table.view,
        entities=_entities(table.entity),
        schema=[
            *_key_fields(table.entity),
            *(Field(name=column, dtype=_TYPES[kind]) for column, kind in table.columns.items()),
        ],
        source=_file_source(table.view, file),
        ttl=DAILY_TTL,
        online=True,
        description=table.meaning,
    )


def _entities(entity: str) -> list[Entity]:
    return [SHOP, *(_BY_COLUMN[column] for column in ENTITY_KEYS[entity])]


def _key_fields(entity: str) -> list[Field]:
    return [Field(name="shop_id", dtype=String), *(Field(name=column, dtype=String) for column in ENTITY_KEYS[entity])]


def _file_source(name: str, path: Path) -> FileSource:
    return FileSource(
        name=name,
        path=str(path),
        file_format=ParquetFormat(),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED_TIMESTAMP,
    )


def services(streamed: list[FeatureView], daily: list[FeatureView]) -> list[FeatureService]:
    """``live`` for serving: every streamed view of a person; ``daily`` for training: every daily view that there is."""
    of_person: list[_Member] = [view for view in streamed if view.entities == [SHOP.name, ENTITIES["person"].name]]
    feature_services = [
        FeatureService(name=LIVE_SERVICE, features=of_person, description="What is known of a person this minute.")
    ]
    if daily:
        of_day: list[_Member] = [*daily]
        feature_services.append(
            FeatureService(name=DAILY_SERVICE, features=of_day, description="Point-in-time training features.")
        )
    return feature_services
