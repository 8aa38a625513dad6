"""The PostgreSQL store whose writes are monotonic: the server compares the places of two values in the upsert itself.

Feast's own PostgreSQL store upserts without looking at the time, and its driver is under the LGPL. Here a view is a table with
a row for each entity: its key, its place (``event_us`` and ``tie`` of ``feature_repo.monotonic``), and all its features as one
value. A batch is one statement for each time that an entity occurs in it (usually once), with its rows in the order of their
keys, so that writers that meet wait for each other and never deadlock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from operator import itemgetter
from ssl import create_default_context
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from feast import Entity, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Map
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from pg8000.native import Connection, InterfaceError

from feature_repo.monotonic import Row, StoredValues, WriteCounts, epoch_us, instant, place, table_name

TYPE = "feature_repo.postgres_store.MonotonicPostgresOnlineStore"
# A server that does not answer is an error after this time, not a process that hangs.
TIMEOUT_S = 10.0
_LONGEST_NAME = 63  # bytes; PostgreSQL cuts a longer one without a word


class MonotonicPostgresOnlineStoreConfig(FeastConfigBaseModel):
    """Configuration of the store: ``url`` is ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``."""

    type: Literal["feature_repo.postgres_store.MonotonicPostgresOnlineStore"] = TYPE  # type: ignore[assignment]
    url: str
    sslmode: Literal["prefer", "verify-full"] = "prefer"
    ca_file: str = ""


class MonotonicPostgresOnlineStore(OnlineStore):
    """PostgreSQL store with guarded writes; ``counts`` adds up what this process wrote and what was refused.

    Each call has a connection to itself, one that an earlier call left or a new one; after an error it is closed.
    """

    def __init__(self) -> None:
        self.counts = WriteCounts()
        self.lake_version: int | None = None
        self._idle: list[Connection] = []

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
        with self._connection(config) as connection:
            for view in tables_to_keep:
                connection.run(
                    f"CREATE TABLE IF NOT EXISTS {_table(config, view)} "
                    "(entity_key bytea PRIMARY KEY, event_us bigint NOT NULL, tie bigint NOT NULL, features bytea NOT NULL)"
                )
            for view in tables_to_delete:
                connection.run(f"DROP TABLE IF EXISTS {_table(config, view)}")

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Drop the tables of the views."""
        self.update(config, tables, [], entities, [], partial=False)

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write what is newer than the store's value; a statement is all there or not at all."""
        statement = (
            f"INSERT INTO {_table(config, table)} AS held (entity_key, event_us, tie, features) "
            "SELECT * FROM unnest(CAST(:keys AS bytea[]), CAST(:event_us AS bigint[]), CAST(:ties AS bigint[]), "
            "CAST(:features AS bytea[])) ON CONFLICT (entity_key) DO UPDATE SET event_us = excluded.event_us, "
            "tie = excluded.tie, features = excluded.features "
            "WHERE (excluded.event_us, excluded.tie) > (held.event_us, held.tie)"
        )
        written = 0
        with self._connection(config) as connection:
            for by_key in _rounds(config, data):
                keys, rows = list(by_key), list(by_key.values())
                places = [place(values, event_at, created_at, self.lake_version) for _, values, event_at, created_at in rows]
                connection.run(
                    statement,
                    keys=keys,
                    event_us=[event_us for event_us, _ in places],
                    ties=[tie for _, tie in places],
                    features=[Map(val=values).SerializeToString() for _, values, _, _ in rows],
                )
                written += connection.row_count
        self.counts.add(len(data), written, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKeyProto],
        requested_features: list[str] | None = None,
    ) -> list[StoredValues]:
        """Time and features of each entity, in the order asked; (None, None) for one that is not there."""
        keys = [_key(config, key) for key in entity_keys]
        statement = f"SELECT entity_key, event_us, features FROM {_table(config, table)} WHERE entity_key = ANY(:keys)"
        with self._connection(config) as connection:
            rows = {key: _read(event_us, features) for key, event_us, features in connection.run(statement, keys=keys)}
        return [rows.get(key, (None, None)) for key in keys]

    def expire(self, config: RepoConfig, table: FeatureView, before: datetime) -> int:
        """Delete the rows of a view whose own time lies before an instant; how many entities lost theirs."""
        with self._connection(config) as connection:
            connection.run(f"DELETE FROM {_table(config, table)} WHERE event_us < :before", before=epoch_us(before))
            return int(connection.row_count)

    def count_keys(self, config: RepoConfig, table: FeatureView) -> int:
        """Entities that the store holds of one view."""
        with self._connection(config) as connection:
            [[count]] = connection.run(f"SELECT count(*) FROM {_table(config, table)}")
        return int(count)

    @contextmanager
    def _connection(self, config: RepoConfig) -> Iterator[Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _connect(config.online_store)
        try:
            yield connection
        except BaseException as error:
            with suppress(InterfaceError, OSError):  # of a connection that is gone; the first error says why
                connection.close()
            if isinstance(error, InterfaceError | OSError):
                self._idle = []  # they are lost, too
            if isinstance(error, OSError):  # the same loss, seen by the socket before the driver
                raise InterfaceError(f"connection lost: {error}") from error
            raise
        self._idle.append(connection)


def _connect(store: MonotonicPostgresOnlineStoreConfig) -> Connection:
    parts = urlsplit(store.url)
    database = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("postgresql", "postgres") or not (parts.hostname and parts.username and database):
        raise ValueError("JISHI_POSTGRES_URL: must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return Connection(
        unquote(parts.username),
        host=parts.hostname,
        port=parts.port or 5432,
        database=database,
        password=unquote(parts.password) if parts.password is not None else None,
        ssl_context=None if store.sslmode == "prefer" else create_default_context(cafile=store.ca_file or None),
        timeout=TIMEOUT_S,
        application_name="jishi",
    )


def _rounds(config: RepoConfig, data: Sequence[Row]) -> list[dict[bytes, Row]]:
    """Rows by key, in the order of keys. The n-th row of a key is in the n-th round: a statement may touch a key once."""
    rounds: list[dict[bytes, Row]] = []
    met: Counter[bytes] = Counter()
    for key, row in sorted(((_key(config, row[0]), row) for row in data), key=itemgetter(0)):
        if met[key] == len(rounds):
            rounds.append({})
        rounds[met[key]][key] = row
        met[key] += 1
    return rounds


def _key(config: RepoConfig, key: EntityKeyProto) -> bytes:
    return serialize_entity_key(key, entity_key_serialization_version=config.entity_key_serialization_version)


def _read(event_us: int, features: bytes) -> StoredValues:
    return instant(event_us), dict(Map.FromString(features).val)


def _table(config: RepoConfig, view: FeatureView) -> str:
    name = table_name(config, view)
    if len(name.encode()) > _LONGEST_NAME + len('""'):
        raise ValueError(f"{name}: a table of PostgreSQL has a name of at most {_LONGEST_NAME} bytes; shorten the view's")
    return name
