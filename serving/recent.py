"""The person's last items from the online store, through Feast, in a time budget: a slow store costs a rung, not an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jishi import feast_import
from jishi.features import ENTITY_COLUMN, FEATURES, Feature

LAST_ITEMS: Feature = next(feature for feature in FEATURES if feature.name == "last_items")
BUDGET_S = 0.15
# The next value of a window may arrive a little after the old one ran out.
GRACE_MS = 5_000
_VALID_UNTIL = "valid_until_ms"


class OnlineFeatures(Protocol):
    """The part of ``feast.FeatureStore`` that serving uses."""

    def get_online_features(self, features: Any, entity_rows: Any, full_feature_names: bool = False) -> Any:
        """Values by feature and row."""


@dataclass
class StoreHealth:
    """How reads of the online store went; ``problem`` is the last failure while it lasts."""

    reads: dict[str, int] = field(default_factory=lambda: {"found": 0, "empty": 0, "slow": 0, "failed": 0, "not_open": 0})
    problem: str | None = "the feature store is not there yet"


class Recent:
    """Reads last items on one thread of its own, so that a read that hangs holds up nobody but itself."""

    def __init__(self, budget_s: float = BUDGET_S, now_ms: Callable[[], int] = lambda: int(time.time() * 1000)) -> None:
        self.health = StoreHealth()
        self._budget_s = budget_s
        self._now_ms = now_ms
        self._store: OnlineFeatures | None = None
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="online-store")
        self._hanging: Future[Any] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a store to read."""
        return self._store is not None

    def use(self, store: OnlineFeatures) -> None:
        """Read from this store from now on."""
        self._store = store
        self.health.problem = None

    def last_items(self, shop_id: str, persons: Sequence[str]) -> list[str]:
        """Ids of the last items, newest first, of the first of ``persons`` that has any; empty when the store cannot say."""
        if not persons:
            return []
        if self._store is None:
            return self._without("not_open", self.health.problem)
        if self._hanging is not None and not self._hanging.done():
            return self._without("slow", self.health.problem)
        self._hanging = None
        read = self._reader.submit(self._read, self._store, shop_id, list(persons))
        try:
            error = read.exception(timeout=self._budget_s)
        except FutureTimeout:
            self._hanging = read
            return self._without("slow", f"a read took longer than {self._budget_s} s")
        if error is not None:
            return self._without("failed", f"{type(error).__name__}: {error}")
        self.health.problem = None
        items = read.result()
        self.health.reads["found" if items else "empty"] += 1
        return items

    def _without(self, outcome: str, problem: str | None) -> list[str]:
        self.health.reads[outcome] += 1
        self.health.problem = problem
        return []

    def _read(self, store: OnlineFeatures, shop_id: str, persons: list[str]) -> list[str]:
        view = LAST_ITEMS.view
        told = store.get_online_features(
            features=[f"{view}:{LAST_ITEMS.name}", f"{view}:{_VALID_UNTIL}"],
            entity_rows=[{"shop_id": shop_id, ENTITY_COLUMN[LAST_ITEMS.entity]: person} for person in persons],
        ).to_dict()
        for items, valid_until_ms in zip(told[LAST_ITEMS.name], told[_VALID_UNTIL], strict=True):
            if items and holds(valid_until_ms, self._now_ms()):
                return [str(item) for item in items]
        return []


def holds(valid_until_ms: int | None, now_ms: int) -> bool:
    """Whether a value still holds at ``now_ms``, with a little grace; a value without an end holds until the next one."""
    return valid_until_ms is None or now_ms < valid_until_ms + GRACE_MS


def open_feature_store(features_folder: Path) -> OnlineFeatures | None:
    """The store that ``python -m feature_repo apply`` described in ``feature_store.yaml``, or None before that."""
    file = features_folder / "feature_store.yaml"
    if not file.exists() or not (features_folder / "registry.db").exists():
        return None
    # Importing Feast takes seconds: only when there is something to read.
    feast_import.prepare()
    from feast import FeatureStore

    store: OnlineFeatures = FeatureStore(repo_path=str(features_folder), fs_yaml_file=file)
    return store
