"""Items of a shop that are new, and items that cost less than usual: orders made once with the shelf, that follow the catalogue
item by item, so that a request reads the first few of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.candidates.usual_prices import UsualPrices
from serving.blend import Indices, Vector
from serving.catalogue import Item

NEW_DAYS, LEAST_CUT = 28.0, 0.05
OFFERED = ("new", "on_sale")  # sources, and the codes of their reasons
MOST = 2_000  # of each order
_DAY_MS = 86_400_000


class ItemOrder:
    """The items of most ``worth`` (items,), which changes below it: whoever changes it says so by ``put``."""

    def __init__(self, worth: np.ndarray) -> None:
        self.worth = worth
        self._members = dict.fromkeys(_best(worth, np.flatnonzero(np.nan_to_num(worth) > 0)).tolist())
        self._changes = 0
        self._sorted: tuple[int, Indices] = (-1, np.empty(0, dtype=np.int32))

    def put(self, number: int) -> None:
        """Take over the changed worth of an item."""
        self._members.pop(number, None)
        if self.worth[number] > 0:
            self._members[number] = None
        if len(self._members) > 2 * MOST:
            self._members = dict.fromkeys(_best(self.worth, np.array(list(self._members))).tolist())
        self._changes += 1

    @property
    def first(self) -> Indices:
        """Their numbers, best first."""
        changes, (done, numbers) = self._changes, self._sorted
        if changes != done:
            numbers = _best(self.worth, np.array(list(self._members), dtype=np.int32))
            self._sorted = changes, numbers
        return numbers

    def between(self, low: float, high: float) -> Indices:
        """Those whose worth is above ``low`` and at most ``high``."""
        numbers = self.first
        start, end = np.searchsorted(-self.worth[numbers], [-high, -low])
        if start > MOST // 2:  # those above leave others no place
            return _best(self.worth, np.flatnonzero((self.worth > low) & (self.worth <= high)))
        return numbers[start:end]


def _best(worth: np.ndarray, numbers: np.ndarray) -> Indices:
    return numbers[np.argsort(-worth[numbers], kind="stable")][:MOST].astype(np.int32)


@dataclass
class Offers:
    """The orders of a shelf, and by item (items,) the share of its usual price that it is cheaper now."""

    new: ItemOrder
    on_sale: ItemOrder
    cut: Vector
    usual: UsualPrices | None

    @classmethod
    def of(cls, items: Sequence[Item | None], stocked_at_ms: np.ndarray, usual: UsualPrices | None) -> Offers:
        """Of the items by number; None for one that the catalogue does not know."""
        cut = np.zeros(len(items), dtype=np.float32)
        if usual is not None:
            for number, item in enumerate(items):
                if item is not None:
                    cut[number] = _cut(usual, number, item)
        return cls(ItemOrder(stocked_at_ms), ItemOrder(cut), cut, usual)

    def new_at(self, now_ms: int) -> Indices:
        """The newest items first, without those that come later and those that are new no more."""
        return self.new.between(now_ms - NEW_DAYS * _DAY_MS, now_ms)

    def refresh(self, number: int, item: Item, stocked_before_ms: float) -> None:
        """Take over a changed item."""
        if item.stocked_at_ms != stocked_before_ms:
            self.new.put(number)
        if self.usual is not None:
            self.cut[number] = _cut(self.usual, number, item)
            self.on_sale.put(number)


def newness(stocked_at_ms: np.ndarray, now_ms: int) -> Vector:
    """1 for what came into stock just now, 0 after four weeks, for what is not there yet and what is unknown."""
    age = (now_ms - stocked_at_ms) / _DAY_MS
    return np.where((age >= 0) & (age < NEW_DAYS), 1 - age / NEW_DAYS, 0).astype(np.float32)


def _cut(usual: UsualPrices, number: int, item: Item) -> float:
    cut = usual.cut(number, item.unit_price_minor, item.currency)
    return cut if cut >= LEAST_CUT else 0.0
