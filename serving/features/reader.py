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
        values, unknown = self.table.numbers(views, shop_id, keys, now_ms)
        self.counts["table"] += len(views) * len(keys) - sum(map(len, unknown.values()))
        if unknown:
            try:
                self._learn(shop_id, unknown)
            except StoreUnread:
                self._forget(values, views, keys, unknown)
                return values
            values, _ = self.table.numbers(views, shop_id, keys, now_ms)
        return values

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

    def _forget(self, values: Numbers, views: Sequence[str], keys: Sequence[str], unknown: Mapping[str, Sequence[str]]) -> None:
        """Leave what the table alone says: of an unsure key nothing."""
        for view, span in zip(views, self.table.spans(views), strict=True):
            unsure = set(unknown.get(view, ()))
            values[[key in unsure for key in keys], span] = np.nan
