"""Open and apply the feature store: configuration comes from the settings, nothing is fetched from a network.

``apply`` leaves ``feature_store.yaml`` beside the registry: with it any process, serving first of all, opens the same store
through Feast without importing this package itself.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from feast import FeatureStore, FeatureView
from feast.repo_config import RepoConfig

from feature_repo import online_store, postgres_store, redis_store, registry_store
from feature_repo.definitions import ENTITIES, PROJECT, SHOP, daily_views, services, streamed_views
from feature_repo.exports import export_daily
from feature_repo.monotonic import MonotonicOnlineStore
from jishi.files import write_atomically
from jishi.lake.reading import LakeVersion
from jishi.paths import Paths
from jishi.settings import Settings

CONFIG_FILE = "feature_store.yaml"
# Feast turns a table of several Arrow chunks into rows by its first chunk only, unless it gets a batch size.
MATERIALIZE_BATCH_ROWS = 5_000


class FeatureStoreNotApplied(RuntimeError):
    """The registry does not exist yet."""


@dataclass(frozen=True)
class Applied:
    """What ``apply`` registered."""

    streamed: list[str]
    daily: list[str]


def config_values(settings: Settings, paths: Paths) -> dict[str, Any]:
    """Feast's configuration as plain values; what ``feature_store.yaml`` holds."""
    online: dict[str, dict[str, Any]] = {
        "sqlite": {"type": online_store.TYPE, "path": str(paths.features / "online.db")},
        "redis": {"type": redis_store.TYPE, "connection_string": redis_store.connection_string(settings)},
        "postgresql": {
            "type": postgres_store.TYPE,
            "url": settings.postgres_url,
            "sslmode": settings.postgres_sslmode,
            "ca_file": settings.postgres_ca_file,
        },
    }
    return {
        "project": PROJECT,
        "provider": "local",
        "registry": {
            "registry_type": "file",
            "registry_store_type": registry_store.TYPE,
            "path": str(paths.features / "registry.db"),
            "cache_ttl_seconds": 60,
        },
        "online_store": online[settings.online_store],
        "offline_store": {"type": "duckdb"},
        "entity_key_serialization_version": 3,
        "materialization": {"online_write_batch_size": MATERIALIZE_BATCH_ROWS},
    }


def open_store(settings: Settings, paths: Paths) -> FeatureStore:
    """The feature store. Raises FeatureStoreNotApplied with the command that makes the registry."""
    if not (paths.features / "registry.db").exists():
        raise FeatureStoreNotApplied(f"no feature registry in {paths.features}; run: python -m feature_repo apply")
    return FeatureStore(config=_config(settings, paths))


def apply(settings: Settings, paths: Paths, lake: LakeVersion) -> Applied:
    """Register entities, views and services, and make the online tables; idempotent.

    Daily views appear once their lake table is published, and then read it as it is in this version.
    """
    paths.features.mkdir(parents=True, exist_ok=True)
    streamed, daily = streamed_views(paths), daily_views(export_daily(paths, lake))
    with registry_lock(paths):
        store = FeatureStore(config=_config(settings, paths))
        store.apply([SHOP, *ENTITIES.values(), *streamed, *daily, *services(streamed, daily)])
    values = config_values(settings, paths)
    # It holds the address of the online store, with a password where there is one.
    write_atomically(paths.features / CONFIG_FILE, yaml.safe_dump(values, sort_keys=False), mode=0o600)
    return Applied([view.name for view in streamed], [view.name for view in daily])


def online_store_of(store: FeatureStore) -> MonotonicOnlineStore:
    """The guarded online store below Feast. Raises TypeError for a store without guarded writes."""
    online_store = store._get_provider().online_store
    if not isinstance(online_store, MonotonicOnlineStore):
        raise TypeError(
            f"{type(online_store).__name__} does not refuse older values; JISHI_ONLINE_STORE names the stores that do"
        )
    return online_store


def view_of(store: FeatureStore, name: str) -> FeatureView:
    """A registered view. Raises feast's FeatureViewNotFoundException."""
    return store.get_feature_view(name)


def _config(settings: Settings, paths: Paths) -> RepoConfig:
    return RepoConfig(repo_path=paths.features, **config_values(settings, paths))


@contextmanager
def registry_lock(paths: Paths) -> Iterator[None]:
    """One writer of the registry at a time: Feast reads, changes and writes the whole file."""
    with (paths.features / ".registry.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
