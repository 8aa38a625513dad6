"""What every guarded online store agrees on: which of two values is the newer one, and what is counted.

A value's place is ``(event_us, tie)``: epoch microseconds of the value, and what orders values of one instant. That is
``log_offset`` where the view has one (a person's clicks of one request share their instant); of a daily row the version of the
lake that it comes from, since a late history restates a day; else the created timestamp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from feast import FeatureView
from feast.infra.online_stores.helpers import compute_table_id
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import RepoConfig

from jishi.features.columns import LOG_OFFSET

Row = tuple[EntityKeyProto, dict[str, ValueProto], datetime, datetime | None]
# What a read finds of an entity: its time and its values, or neither.
StoredValues = tuple[datetime | None, dict[str, ValueProto] | None]


@dataclass
class WriteCounts:
    """Rows (one entity of one view) written, and refused because the store had the same or a newer value."""

    written: int = 0
    refused: int = 0

    def add(self, rows: int, written: int, progress: Callable[[int], Any] | None) -> None:
        """Count a batch of so many rows, and tell Feast that they are done."""
        self.written += written
        self.refused += rows - written
        if progress:
            progress(rows)


@runtime_checkable
class MonotonicOnlineStore(Protocol):
    """An online store of Feast that refuses older and equal values and counts both."""

    counts: WriteCounts
    lake_version: int | None  # what is written now comes from this version; None: from a log

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write what is newer than the store's value."""

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKeyProto],
        requested_features: list[str] | None = None,
    ) -> list[StoredValues]:
        """Time and features of each entity, in the order asked."""

    def count_keys(self, config: RepoConfig, table: FeatureView) -> int:
        """Entities that the store holds of one view."""

    def expire(self, config: RepoConfig, table: FeatureView, before: datetime) -> int:
        """Delete the rows of a view whose own time lies before an instant; how many entities lost theirs."""


def place(
    values: Mapping[str, Any], event_at: datetime, created_at: datetime | None, lake_version: int | None = None
) -> tuple[int, int]:
    """The place of a row among all values of its key; the larger one is the newer."""
    if LOG_OFFSET in values:
        return epoch_us(event_at), values[LOG_OFFSET].int64_val
    if lake_version is not None:
        return epoch_us(event_at), lake_version
    return epoch_us(event_at), epoch_us(created_at) if created_at is not None else 0


def instant(event_us: int) -> datetime:
    """The UTC instant of epoch microseconds."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event_us)


def epoch_us(instant: datetime) -> int:
    """Epoch microseconds; an instant without a zone is UTC, as everywhere in Feast."""
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def table_name(config: RepoConfig, view: FeatureView) -> str:
    """Name of a view's table in a database, quoted for SQL."""
    name = compute_table_id(config.project, view, config.registry.enable_online_feature_view_versioning)
    return '"' + name.replace('"', '""') + '"'
