"""The person's recent items from the online store, through Feast, in a time budget: a slow store costs a rung, not an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jishi import feast_import
from jishi.features import ENTITY_COLUMN, FEATURES, Feature, operands
from jishi.features.decision import value_at
from jishi.features.served import Served
from serving.served_log import ServedLog

RECENT_ITEMS: Feature = next(feature for feature in FEATURES if feature.name == "recent_items")
[LAST_ITEMS] = operands(RECENT_ITEMS)
KNOWN_MS: Feature = next(feature for feature in FEATURES if feature.times_of == LAST_ITEMS.name)
BUDGET_S = 0.15
# The next value of a window may arrive a little after the old one ran out.
GRACE_MS = 5_000
_VALID_UNTIL = "valid_until_ms"


class LastAct(NamedTuple):
    """An item that a person acted upon, and how many seconds ago that became known."""

    item_id: str
    age_s: float


class OnlineFeatures(Protocol):
    """The part of ``feast.FeatureStore`` that serving uses; the answer is a ``feast.online_response.OnlineResponse``."""

    def get_online_features(self, features: Any, entity_rows: Any, full_feature_names: bool = False) -> Any:
        """Values by feature and row."""


@dataclass
class StoreHealth:
    """How reads of the online store went; ``problem`` is the last failure while it lasts."""

    reads: dict[str, int] = field(default_factory=lambda: {"found": 0, "empty": 0, "slow": 0, "failed": 0, "not_open": 0})
    problem: str | None = "the feature store is not there yet"


class Recent:
    """Reads last items on one thread of its own, so that a read that hangs holds up nobody but itself.

    ``log`` gets a sample of the values that were used.
    """

    def __init__(
        self,
        budget_s: float = BUDGET_S,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
        log: ServedLog | None = None,
    ) -> None:
        self.health = StoreHealth()
        self._log = log
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

    def last_acts(self, shop_id: str, persons: Sequence[str]) -> list[LastAct]:
        """Different items that a person acted on last, newest first, from all ids of the person; empty when the store cannot
        say.
        """
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
        acts, served = read.result()
        if self._log is not None:
            for value in served:
                self._log.note(value)
        self.health.reads["found" if acts else "empty"] += 1
        return acts

    def _without(self, outcome: str, problem: str | None) -> list[LastAct]:
        self.health.reads[outcome] += 1
        self.health.problem = problem
        return []

    def _read(self, store: OnlineFeatures, shop_id: str, persons: list[str]) -> tuple[list[LastAct], list[Served]]:
        """The acts of all ids together, and the sampled values of each."""
        view = LAST_ITEMS.view
        answer = store.get_online_features(
            features=[f"{view}:{name}" for name in (LAST_ITEMS.name, KNOWN_MS.name, _VALID_UNTIL)],
            entity_rows=[{"shop_id": shop_id, ENTITY_COLUMN[LAST_ITEMS.entity]: person} for person in persons],
        )
        values, now_ms, served, ids = answer.to_dict(), self._now_ms(), [], []
        undated: dict[str, int] = {}
        columns = (values[LAST_ITEMS.name], values[KNOWN_MS.name], values[_VALID_UNTIL])
        for place, (person, items, known_ms, valid_until_ms) in enumerate(zip(persons, *columns, strict=True)):
            items_now = [str(item) for item in items] if items and holds(valid_until_ms, now_ms) else []
            # Values written by an earlier version have no times: they come after all others, and are as old as the value.
            if items_now and not known_ms:
                value_ms = _as_of_ms(answer, place)
                undated |= {item_id: max(value_ms, undated.get(item_id, 0)) for item_id in items_now}
            ids.append({LAST_ITEMS.name: items_now, KNOWN_MS.name: list(known_ms or [0] * len(items_now))})
            if self._log is not None and self._log.takes(shop_id, person, now_ms):
                as_of_ms = _as_of_ms(answer, place) if items_now else None
                served.append(Served(shop_id, person, LAST_ITEMS.name, items_now or None, as_of_ms, now_ms))
        known_at: dict[str, int] = {}
        for values in ids:
            for item_id, at_ms in zip(values[LAST_ITEMS.name], values[KNOWN_MS.name], strict=True):
                known_at[item_id] = max(at_ms, known_at.get(item_id, 0))
        in_order = value_at(RECENT_ITEMS, ids, now_ms)
        acts = [LastAct(each, max(0, now_ms - (known_at[each] or undated[each])) / 1000) for each in in_order]
        return acts, served


def holds(valid_until_ms: int | None, now_ms: int) -> bool:
    """Whether a value still holds at ``now_ms``, with a little grace; a value without an end holds until the next one."""
    return valid_until_ms is None or now_ms < valid_until_ms + GRACE_MS


def _as_of_ms(answer: Any, place: int) -> int:
    """The own time of the value of a row. Feast's ``to_dict`` would cut it to seconds."""
    column = list(answer.proto.metadata.feature_names.val).index(LAST_ITEMS.name)
    return int(answer.proto.results[column].event_timestamps[place].ToMilliseconds())


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
