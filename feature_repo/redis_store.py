"""The Redis store whose writes are monotonic, on one Redis server (or one primary with replicas; not on a Redis cluster).

Feast's own Redis store reads the old time, compares and writes in three steps, between which another writer may come, and it
drops a value that shares its instant with the one before. Here a script does all three inside the server, which runs one script
at a time, so that several processes, retries and replays end in the same row. An equal value is refused too: it is the same.

Beside what Feast keeps (one hash an entity, so that its own reads work), each view has a field ``_place:<view>`` in the hash:
``event_us`` and ``tie`` of ``feature_repo.monotonic`` as digits of fixed width, because Redis' Lua knows no 64-bit integers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from feast import FeatureView, utils
from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig, _versioned_fv_name
from feast.repo_config import RepoConfig
from google.protobuf.timestamp_pb2 import Timestamp

from feature_repo.monotonic import Row, WriteCounts, epoch_us, place
from jishi.settings import Settings

TYPE = "feature_repo.redis_store.MonotonicRedisOnlineStore"
_WRITE_WHEN_NEWER = """\
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and held >= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
"""
_DELETE_WHEN_OLDER = """\
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held or held >= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], unpack(ARGV, 3))
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
"""
_EXPIRED_AT_ONCE = 1_000  # keys in one round to the server
_BIAS = 2**63  # makes every 64-bit integer a non-negative one, so that digits sort as numbers do


def connection_string(settings: Settings) -> str:
    """Where and how Feast connects to Redis. Raises ValueError for what its form cannot say."""
    options: dict[str, str] = {}
    if settings.redis_security == "tls":
        options |= {"ssl": "true", "ssl_check_hostname": "true"}
        options |= {"ssl_ca_certs": settings.redis_ca_file} if settings.redis_ca_file else {}
    if settings.redis_password:
        # Feast reads values as JSON where they are: a quoted one stays text also when it looks like a number.
        options["password"] = json.dumps(settings.redis_password)
    for name, value in options.items():
        if "," in value:
            raise ValueError(f"the value of Redis' {name} has a comma, which Feast takes for the end of it; choose another")
    return ",".join([settings.redis_url, *(f"{name}={value}" for name, value in options.items())])


class MonotonicRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """Configuration of the store: ``connection_string`` is HOST:PORT with Feast's options."""

    type: Literal["feature_repo.redis_store.MonotonicRedisOnlineStore"] = TYPE  # type: ignore[assignment]


class MonotonicRedisOnlineStore(RedisOnlineStore):
    """Redis store of Feast with guarded writes; ``counts`` adds up what this process wrote and what was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = WriteCounts()
        self.lake_version: int | None = None

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write what is newer than the store's value; each row is one step of the server."""
        client: Any = self._get_client(config.online_store)
        script = client.register_script(_WRITE_WHEN_NEWER)
        view = _versioned_fv_name(table, config)
        with client.pipeline(transaction=False) as pipe:
            for entity_key, values, event_at, created_at in data:
                key = _redis_key(config.project, entity_key, config.entity_key_serialization_version)
                at = Timestamp()
                at.FromDatetime(utils.make_tzaware(event_at))
                fields: list[Any] = [f"_place:{view}", _digits(*place(values, event_at, created_at, self.lake_version))]
                fields += [f"_ts:{view}", at.SerializeToString()]
                for name, value in values.items():
                    fields += [_mmh3(f"{view}:{name}"), value.SerializeToString()]
                script(keys=[key], args=fields, client=pipe)
            written = sum(pipe.execute())
        self.counts.add(len(data), written, progress)

    def delete_table(self, config: RepoConfig, table: FeatureView) -> None:
        """Delete a view's rows, and the places that would refuse its values when it comes back."""
        super().delete_table(config, table)
        client: Any = self._get_client(config.online_store)
        field = f"_place:{_versioned_fv_name(table, config)}"
        for key in self._keys(client, config, table.join_keys):
            client.hdel(key, field)

    def expire(self, config: RepoConfig, table: FeatureView, before: datetime) -> int:
        """Delete a view's fields of the entities whose row is of before an instant; how many lost theirs. A hash without
        fields is no longer there.
        """
        client: Any = self._get_client(config.online_store)
        script = client.register_script(_DELETE_WHEN_OLDER)
        view = _versioned_fv_name(table, config)
        names = [f"_ts:{view}", *(_mmh3(f"{view}:{field.name}") for field in table.features)]
        arguments = [f"_place:{view}", _digits(epoch_us(before), -_BIAS), *names]
        expired = 0
        keys = self._keys(client, config, table.join_keys)
        for start in range(0, len(keys), _EXPIRED_AT_ONCE):
            with client.pipeline(transaction=False) as pipe:
                for key in keys[start : start + _EXPIRED_AT_ONCE]:
                    script(keys=[key], args=arguments, client=pipe)
                expired += sum(pipe.execute())
        return expired

    def count_keys(self, config: RepoConfig, table: FeatureView) -> int:
        """Entities that the store holds of one view."""
        client: Any = self._get_client(config.online_store)
        field = f"_place:{_versioned_fv_name(table, config)}"
        return sum(bool(client.hexists(key, field)) for key in self._keys(client, config, table.join_keys))

    @staticmethod
    def _keys(client: Any, config: RepoConfig, join_keys: Sequence[str]) -> list[bytes]:
        prefix = serialize_entity_key_prefix(list(join_keys), config.entity_key_serialization_version)
        return list(client.scan_iter(b"".join([prefix, b"*", config.project.encode()])))


def _digits(event_us: int, tie: int) -> str:
    return f"{event_us + _BIAS:020d}:{tie + _BIAS:020d}"
