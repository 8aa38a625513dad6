"""A shop's catalogue as its storefront shows it: categories with their items, and what is new."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from serving.catalogue import Catalogue, Item

NEWEST, IN_CATEGORY, CATEGORIES = 12, 1_000, 50  # most that a page asks for
EVERY_S = 15.0  # how long an overview serves at least; whether an item may be sold is looked up at each answer
MAKING_SHARE = 0.02  # of the time, most that goes into making a large shop's


@dataclass(frozen=True)
class Overview:
    """Ids of what may be sold, by category and the newest of all, newest first; ``counts`` are of the largest categories."""

    by_category: dict[str, tuple[str, ...]]
    counts: dict[str, int]
    newest: tuple[str, ...]
    currencies: tuple[str, ...]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Overview:
        """From a catalogue as it is now; an item is as new as its stock, or where that is unknown as its last change."""
        items = sorted((item for item in list(catalogue.items.values()) if item.is_sellable), key=_age)
        members: dict[str, list[str]] = defaultdict(list)
        for item in items:
            members[item.category].append(item.item_id)
        largest = sorted(members, key=lambda category: (-len(members[category]), category))[:CATEGORIES]
        return cls(
            {category: tuple(item_ids[:IN_CATEGORY]) for category, item_ids in members.items()},
            {category: len(members[category]) for category in largest},
            tuple(item.item_id for item in items[:NEWEST]),
            tuple(sorted({item.currency for item in items})),
        )


def _age(item: Item) -> tuple[int, str]:
    """Orders items, the newest first."""
    at_ms = item.version.occurred_at_ms if item.stocked_at_ms is None else item.stocked_at_ms
    return -at_ms, item.item_id


@dataclass
class Overviews:
    """Overviews of shops, each made anew when it is asked for and ``EVERY_S`` seconds old, or older for what takes long."""

    now: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, Overview]] = field(default_factory=dict)  # until when it serves
    _lock: Lock = field(default_factory=Lock)

    def of(self, shop_id: str, catalogue: Catalogue) -> Overview:
        """The overview of a shop; an empty catalogue is looked at each time, so that the first items are there at once."""
        with self._lock:  # one makes it, the others wait
            until, overview = self._kept.get(shop_id, (0.0, None))
            began = self.now()
            if overview is None or not overview.newest or began >= until:
                overview = Overview.of(catalogue)
                self._kept[shop_id] = (began + max(EVERY_S, (self.now() - began) / MAKING_SHARE), overview)
            return overview
