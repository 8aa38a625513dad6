"""Which settings the running parts were started with, so that changed ones are noticed and the parts concerned start again.

Values are kept as hashes: some are secrets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from pathlib import Path

from jishi.files import write_json
from jishi.paths import Paths
from jishi.settings import Settings

_TASKS = ("airflow-scheduler", "airflow-dags", "airflow-api")
# Beginnings of the names of settings that some parts alone read; every other setting concerns every part.
_READERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("collector_max_", ("collector",)),
    ("collector_events_per_s", ("collector",)),
    ("collector_recent_ids", ("collector",)),
    ("wal_", ("collector", "forwarder")),
    ("checkpoint_interval_ms", ("flink",)),
    ("flink_jvm", ("flink",)),
    ("stream_parallelism", ("flink",)),
    ("served_", ("serving",)),
    ("traces", ("collector", "forwarder", "serving")),
    ("storefront_", ("serving",)),
    ("smtp_", ("portal", *_TASKS)),
    ("webhook_", ("portal", *_TASKS)),
    ("spark_", _TASKS),
    ("shop_group_size", _TASKS),
    ("lake_keep_hours", _TASKS),
    ("lake_versions", _TASKS),
    ("lake_live_commits", _TASKS),
    ("lake_orphan_hours", _TASKS),
    ("online_parity_", _TASKS),
)


def note(settings: Settings, paths: Paths) -> None:
    """Remember the settings that parts are started with from now on."""
    write_json(_file(paths), _hashes(settings))


def changed(settings: Settings, paths: Paths) -> list[str]:
    """Names of settings that are others than those that the parts were started with; none where nothing was noted."""
    try:
        noted = json.loads(_file(paths).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    now = _hashes(settings)
    return sorted(name for name in now.keys() | noted.keys() if now.get(name) != noted.get(name))


def concerned(names: Iterable[str], parts: Collection[str]) -> set[str]:
    """Of these parts, those that read one of the settings."""
    result: set[str] = set()
    for name in names:
        readers = next((each for beginning, each in _READERS if name.startswith(beginning)), parts)
        result |= set(readers) & set(parts)
    return result


def _file(paths: Paths) -> Path:
    return paths.run / "settings.json"


def _hashes(settings: Settings) -> dict[str, str]:
    values = settings.model_dump(exclude={"var", "envs"})
    return {name: hashlib.sha256(repr(value).encode()).hexdigest()[:16] for name, value in values.items()}
