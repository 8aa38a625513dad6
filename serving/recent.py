"""The person's recent items, from the features of the request: a slow store costs a rung, not an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jishi.features import FEATURES, Feature, operands
from jishi.features.decision import value_at
from jishi.features.newest import KeptRow
from jishi.features.served import Served
from serving.features.online_store import FeastFeatures, StoreUnread
from serving.features.reader import FeatureReader
from serving.features.views import holds
from serving.served_log import ServedLog

RECENT_ITEMS: Feature = next(feature for feature in FEATURES if feature.name == "recent_items")
[LAST_ITEMS] = operands(RECENT_ITEMS)
KNOWN_MS: Feature = next(feature for feature in FEATURES if feature.times_of == LAST_ITEMS.name)
_OUTCOMES = ("found", "empty", "slow", "busy", "failed", "not_open")


class LastAct(NamedTuple):
    """An item that a person acted upon, and how many seconds ago that became known."""

    item_id: str
    age_s: float


@dataclass
class StoreHealth:
    """How reads of the online store went; ``problem`` is the last failure while it lasts."""

    reads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES, 0))
    problem: str | None = "the feature store is not there yet"


class Recent:
    """Reads last items through ``features``; ``log`` gets a sample of the values that were used."""

    def __init__(
        self,
        features: FeatureReader | None = None,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
        log: ServedLog | None = None,
    ) -> None:
        self.features = features or FeatureReader()
        self.health = StoreHealth()
        self._log = log
        self._now_ms = now_ms

    @property
    def is_open(self) -> bool:
        """Whether there is a store to read."""
        return self.features.store.is_open

    def asks_store(self, shop_id: str, persons: Sequence[str]) -> bool:
        """Whether the last acts of these ids are not all in memory, so that the store is read for them."""
        return bool(persons) and self.is_open and bool(self.features.table.look(LAST_ITEMS.view, shop_id, persons)[1])

    def use(self, store: FeastFeatures) -> None:
        """Read from this store from now on."""
        self.features.store.use(store)
        self.health.problem = None

    def last_acts(self, shop_id: str, persons: Sequence[str]) -> list[LastAct]:
        """Different items that a person acted on last, newest first, from all ids of the person; empty when nothing can be
        told.
        """
        if not persons:
            return []
        try:
            rows = self.features.rows(LAST_ITEMS.view, shop_id, persons)
        except StoreUnread as unread:
            self.health.reads[unread.outcome] += 1
            if unread.outcome != "not_open":
                self.health.problem = str(unread)
            return []
        self.health.problem = None
        acts = self._acts(shop_id, persons, rows)
        self.health.reads["found" if acts else "empty"] += 1
        return acts

    def _acts(self, shop_id: str, persons: Sequence[str], rows: Sequence[KeptRow | None]) -> list[LastAct]:
        """The acts of all ids together."""
        now_ms, ids = self._now_ms(), []
        known_at: dict[str, int] = {}
        undated: dict[str, int] = {}
        for person, row in zip(persons, rows, strict=True):
            held = row is not None and holds(row.valid_until_ms, now_ms)
            items = [str(item) for item in row.values[LAST_ITEMS.name] or ()] if row is not None and held else []
            known_ms = list((row.values[KNOWN_MS.name] if row is not None else None) or [0] * len(items))[: len(items)]
            value_ms = row.at_us // 1000 if row is not None and items else None
            ids.append({LAST_ITEMS.name: items, KNOWN_MS.name: known_ms})
            for item_id, at_ms in zip(items, known_ms, strict=True):
                known_at[item_id] = max(at_ms, known_at.get(item_id, 0))
                # Values written by an earlier version have no times: they come after all others, and are as old as the value.
                undated[item_id] = max(value_ms or 0, undated.get(item_id, 0)) if at_ms == 0 else undated.get(item_id, 0)
            if self._log is not None and self._log.takes(shop_id, person, now_ms):
                self._log.note(Served(shop_id, person, LAST_ITEMS.name, items or None, value_ms, now_ms))
        in_order = value_at(RECENT_ITEMS, ids, now_ms)
        return [LastAct(each, max(0, now_ms - (known_at[each] or undated[each])) / 1000) for each in in_order]
