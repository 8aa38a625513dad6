"""The SQLite store whose writes are monotonic: an older value never replaces a newer one, in whatever order they arrive.

Feast's own SQLite store upserts without looking at the time and keeps whole seconds only. This one adds two columns,
``event_us`` and ``tie`` (``feature_repo.monotonic``), and the database itself compares them in the upsert, so that several
processes, retries and replays end in the same row. An equal value is refused as well: it is the same one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.sqlite import SqliteOnlineStore, SqliteOnlineStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import RepoConfig

from feature_repo.monotonic import Row, StoredValues, WriteCounts, epoch_us, instant, place, table_name

TYPE = "feature_repo.online_store.MonotonicSqliteOnlineStore"
BUSY_TIMEOUT_S = 10.0


class MonotonicSqliteOnlineStoreConfig(SqliteOnlineStoreConfig):
    """Configuration of the store: ``path`` of the SQLite file."""

    type: Literal["feature_repo.online_store.MonotonicSqliteOnlineStore"] = TYPE  # type: ignore[assignment]


class MonotonicSqliteOnlineStore(SqliteOnlineStore):
    """SQLite store of Feast with guarded writes; ``counts`` adds up what this process wrote and what was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = WriteCounts()
        self.lake_version: int | None = None

    def _get_conn(self, config: RepoConfig) -> sqlite3.Connection:
        if self._conn is None:
            path = Path(self._get_db_path(config))
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path,
                timeout=BUSY_TIMEOUT_S,
                detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES,
                check_same_thread=False,
            )
            # Readers never wait for the writer; a crash of the machine may lose the last commits, which Kafka gives again.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._conn = connection
        return self._conn

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make the tables that are missing and drop those of views that are gone."""
        connection = self._get_conn(config)
        with connection:
            for view in tables_to_keep:
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table_name(config, view)} (entity_key BLOB, feature_name TEXT, value BLOB, "
                    "value_text TEXT, vector_value BLOB, event_ts timestamp, created_ts timestamp, event_us INTEGER NOT NULL, "
                    "tie INTEGER NOT NULL, PRIMARY KEY (entity_key, feature_name)) WITHOUT ROWID"
                )
            for view in tables_to_delete:
                connection.execute(f"DROP TABLE IF EXISTS {table_name(config, view)}")

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write what is newer than the store's value, in one transaction."""
        connection = self._get_conn(config)
        statement = (
            f"INSERT INTO {table_name(config, table)} (entity_key, feature_name, value, event_ts, created_ts, event_us, tie) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value, "
            "event_ts = excluded.event_ts, created_ts = excluded.created_ts, event_us = excluded.event_us, tie = excluded.tie "
            "WHERE (excluded.event_us, excluded.tie) > (event_us, tie)"
        )
        version = config.entity_key_serialization_version
        written = 0
        with connection:
            # Lock before the first row: a transaction that becomes a writer later may fail at once instead of waiting.
            connection.execute("BEGIN IMMEDIATE")
            for entity_key, values, event_at, created_at in data:
                key = serialize_entity_key(entity_key, entity_key_serialization_version=version)
                event_us, tie = place(values, event_at, created_at, self.lake_version)
                created_us = epoch_us(created_at) if created_at is not None else 0
                times = (event_us // 1_000_000, created_us // 1_000_000, event_us, tie)
                rows = [(key, name, value.SerializeToString(), *times) for name, value in values.items()]
                if connection.executemany(statement, rows).rowcount > 0:
                    written += 1
        self.counts.add(len(data), written, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKeyProto],
        requested_features: list[str] | None = None,
    ) -> list[StoredValues]:
        """Time and features of each entity, in the order asked; exact times, where Feast's own read tells whole seconds."""
        version = config.entity_key_serialization_version
        keys = [serialize_entity_key(key, entity_key_serialization_version=version) for key in entity_keys]
        marks = ", ".join("?" for _ in keys)
        statement = (
            f"SELECT entity_key, feature_name, value, event_us FROM {table_name(config, table)} WHERE entity_key IN ({marks})"
        )
        rows: dict[bytes, tuple[datetime, dict[str, ValueProto]]] = {}
        for key, name, value, event_us in self._get_conn(config).execute(statement, keys):
            rows.setdefault(key, (instant(event_us), {}))[1][name] = ValueProto.FromString(value)
        return [rows.get(key, (None, None)) for key in keys]

    def expire(self, config: RepoConfig, table: FeatureView, before: datetime) -> int:
        """Delete the rows of a view whose own time lies before an instant; how many entities lost theirs."""
        connection = self._get_conn(config)
        name, old = table_name(config, table), epoch_us(before)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            [[count]] = connection.execute(f"SELECT count(DISTINCT entity_key) FROM {name} WHERE event_us < ?", [old])
            connection.execute(f"DELETE FROM {name} WHERE event_us < ?", [old])
        return int(count)

    def count_keys(self, config: RepoConfig, table: FeatureView) -> int:
        """Entities that the store holds of one view."""
        [[count]] = self._get_conn(config).execute(f"SELECT count(DISTINCT entity_key) FROM {table_name(config, table)}")
        return int(count)
