"""Rows of feature views in memory, each the newest that this process knows of its key, by the store's own rule.

The topic feeds the table while it is read; what the topic does not say comes from the store, once, and is believed for
``BELIEVED_S``. A row of the topic is as good as the store's where it is whole by itself (a window); one that sums up history is
only after it was merged with the store's. Nothing is believed of live views while the topic is not followed.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from jishi.features.newest import KeptRow, newest
from serving.features.views import READABLE, ReadView, holds

MOST_ROWS = 200_000  # of all shops; with some ten values each about 200 MB
BELIEVED_S = 600.0
Numbers = npt.NDArray[np.float64]
_Key = tuple[str, str]  # view, entity id


@dataclass(slots=True)
class _Entry:
    row: KeptRow | None = None
    numbers: Numbers | None = None
    read_at: float | None = None  # when the store was last read
    is_of_topic: bool = False


_NO_ROWS: OrderedDict[_Key, _Entry] = OrderedDict()


class FeatureTable:
    """The newest rows by shop, view and key; of the shop with the most rows those go first that were neither asked for nor
    written for longest. Reads and writes may come from any thread.
    """

    def __init__(
        self,
        views: Mapping[str, ReadView] = READABLE,
        most_rows: int = MOST_ROWS,
        now_s: Callable[[], float] = time.monotonic,
        is_following: Callable[[], bool] = lambda: False,
    ) -> None:
        self.views = views
        self.is_following = is_following
        self._most_rows, self._now_s = most_rows, now_s
        self._shops: dict[str, OrderedDict[_Key, _Entry]] = {}
        self._rows = 0
        self._spans: dict[tuple[str, ...], list[slice]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return self._rows

    def put(self, view: str, shop_id: str, entity_id: str, row: KeptRow) -> bool:
        """Take over a row of the topic; whether it was news."""
        with self._lock:
            entry = self._entry(shop_id, (view, entity_id))
            entry.is_of_topic = True
            return self._merge(self.views[view], entry, row)

    def put_stored(self, view: str, shop_id: str, rows: Mapping[str, KeptRow | None], asked_at: float) -> None:
        """Take over what the store holds of some keys, None for nothing, as it was asked for at ``asked_at`` (``now_s``)."""
        read_view = self.views[view]
        with self._lock:
            for entity_id, row in rows.items():
                entry = self._entry(shop_id, (view, entity_id))
                entry.read_at = asked_at
                if row is not None:
                    self._merge(read_view, entry, row)

    def look(self, view: str, shop_id: str, entity_ids: Sequence[str]) -> tuple[list[KeptRow | None], list[str]]:
        """The row of each key, None where it has none, and the keys of which only the store can tell."""
        read_view, now_s = self.views[view], self._now_s()
        is_fed = read_view.is_live and self.is_following()
        with self._lock:
            shop = self._shops.get(shop_id) or _NO_ROWS
            entries = [_newest_use(shop, (view, entity_id)) for entity_id in entity_ids]
            looked = zip(entity_ids, entries, strict=True)
            unknown = [key for key, entry in looked if entry is None or not _is_sure(read_view, entry, now_s, is_fed=is_fed)]
            return [None if entry is None else entry.row for entry in entries], unknown

    def numbers(
        self, views: Sequence[str], shop_id: str, entity_ids: Sequence[str], now_ms: int
    ) -> tuple[Numbers, dict[str, list[str]]]:
        """Keys × ``numbers`` of the views, one view after the other: values that hold at ``now_ms``; NaN for those that do not
        and for unknown ones. By view, where there are any, the keys of which only the store can tell.
        """
        spans = self.spans(views)
        values = np.empty((len(entity_ids), spans[-1].stop if spans else 0))
        values.fill(np.nan)
        unknown: dict[str, list[str]] = {}
        now_s, is_following = self._now_s(), self.is_following()
        with self._lock:
            shop = self._shops.get(shop_id) or _NO_ROWS
            for view, span in zip(views, spans, strict=True):
                read_view = self.views[view]
                is_fed = read_view.is_live and is_following
                for place, entity_id in enumerate(entity_ids):
                    entry = _newest_use(shop, (view, entity_id))
                    if entry is None or not _is_sure(read_view, entry, now_s, is_fed=is_fed):
                        unknown.setdefault(view, []).append(entity_id)
                    if entry is not None and entry.row is not None and holds(entry.row.valid_until_ms, now_ms):
                        values[place, span] = entry.numbers
        return values, unknown

    def spans(self, views: Sequence[str]) -> list[slice]:
        """Where the columns of each view stand among the ``numbers`` of all."""
        known = self._spans.get(key := tuple(views))
        if known is None:
            ends = list(accumulate(len(self.views[view].numbers) for view in views))
            known = self._spans[key] = [slice(first, end) for first, end in zip([0, *ends], ends, strict=False)]
        return known

    def _entry(self, shop_id: str, key: _Key) -> _Entry:
        shop = self._shops.setdefault(shop_id, OrderedDict())
        entry = shop.get(key)
        if entry is None:
            entry = shop[key] = _Entry()
            self._rows += 1
            if self._rows > self._most_rows:
                self._drop()
        shop.move_to_end(key)
        return entry

    def _drop(self) -> None:
        """Make room for some more rows at once: looking for the largest shop is not for every row."""
        while self._rows > self._most_rows - self._most_rows // 100:
            largest = max(self._shops.values(), key=len)
            largest.popitem(last=False)
            self._rows -= 1

    @staticmethod
    def _merge(view: ReadView, entry: _Entry, row: KeptRow) -> bool:
        # A daily row comes from the store alone, which keeps the newest itself.
        kept = newest(view.members, entry.row, row) if view.members else row
        if kept is None:
            return False
        entry.row, entry.numbers = kept, np.array([_number(kept.values.get(name)) for name in view.numbers])
        return True


def _newest_use(shop: OrderedDict[_Key, _Entry], key: _Key) -> _Entry | None:
    """The entry of a key, which goes last from now on."""
    entry = shop.get(key)
    if entry is not None:
        shop.move_to_end(key)
    return entry


def _is_sure(view: ReadView, entry: _Entry, now_s: float, *, is_fed: bool) -> bool:
    if view.is_live and not is_fed:
        return False
    if is_fed and entry.is_of_topic and not view.is_merged:
        return True
    return entry.read_at is not None and now_s - entry.read_at < BELIEVED_S


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
