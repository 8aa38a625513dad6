"""Feature values of a request: from the table in memory, and from the online store where the table cannot tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from jishi.features.newest import KeptRow
from serving.features.online_store import OnlineReader, Rows, StoreUnread
from serving.features.table import FeatureTable, Numbers


@dataclass
class FeatureReader:
    """Joins table and store. ``counts`` are keys that the table knew, keys that were read from the store, and keys of which
    nothing could be told because the store was not read.
    """

    table: FeatureTable = field(default_factory=FeatureTable)
    store: OnlineReader = field(default_factory=OnlineReader)
    now_s: Callable[[], float] = time.monotonic
    counts: dict[str, int] = field(default_factory=lambda: {"table": 0, "store": 0, "untold": 0})

    def rows(self, view: str, shop_id: str, keys: Sequence[str]) -> list[KeptRow | None]:
        """The row of each key, None for one that has none. Raises StoreUnread where the store would have to tell of one."""
        rows, unknown = self.table.look(view, shop_id, keys)
        if unknown:
            self._learn(shop_id, {view: unknown})
            rows, _ = self.table.look(view, shop_id, keys)
        self.counts["table"] += len(keys) - len(unknown)
        return rows

    def numbers(self, views: Sequence[str], shop_id: str, keys: Sequence[str], now_ms: int) -> Numbers:
        """Keys × numeric features of the views, in their order: values that hold at ``now_ms``, NaN for all others.

        Where the store cannot be read, what it would have told is NaN too.
        """
        looked = {view: self.table.numbers(view, shop_id, keys, now_ms) for view in views}
        missing = {view: unknown for view, (_, unknown) in looked.items() if unknown}
        self.counts["table"] += len(views) * len(keys) - sum(map(len, missing.values()))
        if missing:
            try:
                self._learn(shop_id, missing)
            except StoreUnread:
                return self._without(looked, keys)
            looked |= {view: self.table.numbers(view, shop_id, keys, now_ms) for view in missing}
        return np.concatenate([values for values, _ in looked.values()], axis=1)

    def _learn(self, shop_id: str, unknown: Mapping[str, Sequence[str]]) -> None:
        """Bring what the store holds of keys into the table. Raises StoreUnread."""
        asked_at, count = self.now_s(), sum(map(len, unknown.values()))
        wanted = [(self.table.views[view], list(dict.fromkeys(keys))) for view, keys in unknown.items()]
        try:
            self.store.read(shop_id, wanted, lambda rows: self._keep(shop_id, rows, asked_at))
        except StoreUnread:
            self.counts["untold"] += count
            raise
        self.counts["store"] += count

    def _keep(self, shop_id: str, by_view: Rows, asked_at: float) -> None:
        for view, rows in by_view.items():
            self.table.put_stored(view, shop_id, rows, asked_at)

    @staticmethod
    def _without(looked: Mapping[str, tuple[Numbers, list[str]]], keys: Sequence[str]) -> Numbers:
        """What the table alone says: of an unsure key nothing."""
        blocks = []
        for values, unknown in looked.values():
            unsure = set(unknown)
            values[[key in unsure for key in keys]] = np.nan
            blocks.append(values)
        return np.concatenate(blocks, axis=1)
