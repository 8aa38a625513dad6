"""The last rung: a shop without a release is answered from its own catalogue, what was sold lately first, then the newest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from models.algorithms.sparse_sums import NOTHING, Sums
from serving.blend import Indices, Mask, Vector
from serving.catalogue import Catalogue, Item
from serving.event_loop import leave_event_loop
from serving.shelf import Shelf, join_catalogue

BUNDLED = "bundled"  # the model's name in answers
NO_VERSION = "none"
EVERY_S = 15.0  # how long a shelf serves; the guard looks at the live catalogue all the same
MOST_TRIED = 1_000  # best sellers on the shelf of a shop with a release, whose lists only try this rung


@dataclass(frozen=True)
class BundledModel:
    """A release that knows the items of a catalogue, what of them was sold, and nothing else."""

    item_ids: list[str]
    popularity: Vector
    version: str = NO_VERSION
    placement_notes: Mapping[str, str] = field(default_factory=dict)
    newcomers: None = None
    usual_prices: None = None
    quotas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sold_placements: frozenset[str] = frozenset()

    @classmethod
    def of(cls, of_shop: Iterable[Item], sold: Mapping[str, int]) -> BundledModel:
        """From items and the number of orders of each; of equally sold ones the one that changed last is first."""
        items = sorted(of_shop, key=lambda item: (item.version, item.item_id))
        newer = (np.arange(len(items)) + 1) / (len(items) + 1)  # less than one order
        counts = np.array([float(sold.get(item.item_id, 0)) for item in items])
        return cls([item.item_id for item in items], (counts + newer).astype(np.float32))

    @property
    def is_bought_again(self) -> Mask:
        """Nothing is known of rhythms."""
        return np.zeros(len(self.item_ids), dtype=np.bool_)

    def purchases(self, person_id: str) -> Indices:
        """None are known."""
        return np.empty(0, dtype=np.int64)

    def newcomers_near(self, person_id: str) -> None:
        """None are known."""

    def ranker(self, name: str) -> None:
        """No model."""

    def placement(self, name: str) -> None:
        """No placement has a model."""

    def taste(self, person_id: str) -> None:
        """No taste is known."""

    def similar(self, causes: Sequence[tuple[int, float]], most: int) -> Sums:
        """No item is near another."""
        return NOTHING


@dataclass
class BundledShelves:
    """Shelves of shops without a release, made anew every ``EVERY_S`` seconds in which they are asked for: by one request, on a
    thread, while others get the last one.
    """

    now: Callable[[], float] = time.monotonic
    _shelves: dict[tuple[str, int | None], tuple[float, Shelf]] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    def of(
        self, shop_id: str, catalogue: Catalogue, sold: Callable[[str], Counter[str]], most: int | None = None
    ) -> Shelf | None:
        """The shelf of a shop; None while it has no items. ``sold`` counts the orders of each item of a shop. With ``most``
        only so many of those that sold best.

        Raises serving.event_loop.NeedsThread.
        """
        if not catalogue.items:
            return None
        last = self._shelves.get((shop_id, most))
        if last is not None and (self._is_new(last) or self._making.locked()):
            return last[1]
        leave_event_loop()
        with self._making:
            last = self._shelves.get((shop_id, most))
            if last is None or not self._is_new(last):
                counts = sold(shop_id)
                best = counts if most is None else dict(counts.most_common(most))
                items = catalogue.items.values() if most is None else filter(None, map(catalogue.get, best))
                shelf = join_catalogue(BundledModel.of(items, best), catalogue)
                last = self._shelves[shop_id, most] = (self.now(), shelf)
            return last[1]

    def _is_new(self, last: tuple[float, Shelf]) -> bool:
        return self.now() - last[0] < EVERY_S
