"""What persons of one shop were shown and did not click, as the log tells of it; only for shops whose rules ask."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

KEPT_MS = 7 * 86_400_000
MOST_IMPRESSIONS = 200_000  # of a shop; persons who were shown nothing for longest go first


@dataclass
class Impressions:
    """Written by the reader of the stream, read by requests. A click on an item starts its count anew."""

    most: int = MOST_IMPRESSIONS
    _shown: OrderedDict[str, dict[str, set[int]]] = field(default_factory=OrderedDict)
    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def show(self, persons: Iterable[str], item_ids: Iterable[str], at_ms: int) -> None:
        """Items that were seen in a list, known at ``at_ms``; the same list twice counts once."""
        items = list(item_ids)
        with self._lock:
            for person in persons:
                theirs = self._shown.setdefault(person, {})
                self._shown.move_to_end(person)
                for item_id in items:
                    times = theirs.setdefault(item_id, set())
                    self._count += at_ms not in times
                    times.add(at_ms)
            while self._count > self.most:
                _, oldest = self._shown.popitem(last=False)
                self._count -= sum(map(len, oldest.values()))

    def click(self, persons: Iterable[str], item_id: str) -> None:
        """An item that was clicked is not ignored."""
        with self._lock:
            for person in persons:
                self._count -= len(self._shown.get(person, {}).pop(item_id, ()))

    def ignored(self, persons: Iterable[str], since_ms: int) -> Counter[str]:
        """How often each item was shown to a person since then, and never clicked after; the ids are those of one person."""
        times: dict[str, set[int]] = {}
        with self._lock:
            for person in persons:
                for item_id, theirs in self._shown.get(person, {}).items():
                    times.setdefault(item_id, set()).update(each for each in theirs if each >= since_ms)
        return Counter({item_id: len(each) for item_id, each in times.items() if each})
