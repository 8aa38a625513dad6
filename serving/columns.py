"""What a choice of items goes by, as arrays over a release's item numbers; they follow the catalogue item by item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.blend import Indices, Mask
from serving.catalogue import Item

UNKNOWN = -1  # price
MOST_CHANGED = 50_000  # of the numbers of changed items, so many newest are remembered


class Coded:
    """One value an item, kept once each: ``codes`` (items,) point into ``values``; None for what is not known."""

    def __init__(self, values: Iterable[Hashable]) -> None:
        self.values: list[Any] = []
        self._code_of: dict[Hashable, int] = {}
        self.codes: npt.NDArray[np.int32] = np.fromiter((self._code(value) for value in values), dtype=np.int32)

    def put(self, number: int, value: Hashable) -> None:
        """Another value of one item."""
        self.codes[number] = self._code(value)

    def where(self, holds: Callable[[Any], bool], numbers: Indices | None = None) -> Mask:
        """Which of these items (None: all of them) have such a value; each different value is asked about once."""
        codes = self.codes if numbers is None else self.codes[numbers]
        if len(codes) > len(
            self.values
        ):  # a value that is new since comes at the end, and is asked about with its item's change
            table = np.fromiter((holds(value) for value in self.values), dtype=np.bool_)
            return table.take(codes, mode="clip") if len(table) else np.zeros(len(codes), dtype=np.bool_)
        kinds, inverse = np.unique(codes, return_inverse=True)
        return np.fromiter((holds(self.values[kind]) for kind in kinds.tolist()), dtype=np.bool_, count=len(kinds))[inverse]

    def code_of(self, value: Hashable) -> int | None:
        """The code of a value that some item has or had."""
        return self._code_of.get(value)

    def _code(self, value: Hashable) -> int:
        code = self._code_of.get(value)
        if code is None:
            code = self._code_of[value] = len(self.values)
            self.values.append(value)
        return code


@dataclass
class Columns:
    """Categories, brands, regions, attributes and home prices (minor units, ``UNKNOWN`` where there is none) of the items.

    ``margin``: share of the price that is not cost, −1 to 1; ``stocked_at_ms``: when an item came into stock; NaN for unknown.
    ``changes`` counts the items taken over, ``changed`` are the numbers of the newest.
    """

    category: Coded
    brand: Coded
    region: Coded
    attributes: Coded
    price: npt.NDArray[np.int64]
    margin: npt.NDArray[np.float32]
    stocked_at_ms: npt.NDArray[np.float64]
    changes: int = 0
    changed: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, items: list[Item | None]) -> Columns:
        """Columns of the items by number; None for one that the catalogue does not know."""
        return cls(
            category=Coded(None if item is None else item.category for item in items),
            brand=Coded(None if item is None else item.brand for item in items),
            region=Coded(None if item is None else item.region for item in items),
            attributes=Coded(() if item is None else item.attributes for item in items),
            # One by one: numpy would keep other threads waiting while it reads a list of a million.
            price=np.fromiter((UNKNOWN if item is None else _price(item) for item in items), np.int64, len(items)),
            margin=np.fromiter((np.nan if item is None else _margin(item) for item in items), np.float32, len(items)),
            stocked_at_ms=np.fromiter(
                (np.nan if item is None else _stocked_at(item) for item in items), np.float64, len(items)
            ),
        )

    def put(self, number: int, item: Item) -> None:
        """Take over a changed item."""
        self.category.put(number, item.category)
        self.brand.put(number, item.brand)
        self.region.put(number, item.region)
        self.attributes.put(number, item.attributes)
        self.price[number] = _price(item)
        self.margin[number] = _margin(item)
        self.stocked_at_ms[number] = _stocked_at(item)
        if len(self.changed) >= 2 * MOST_CHANGED:
            self.changed = self.changed[-MOST_CHANGED:]
        self.changed.append(number)
        self.changes += 1


def _price(item: Item) -> int:
    return UNKNOWN if item.home_price_minor is None else item.home_price_minor


def _margin(item: Item) -> float:
    if item.unit_cost_minor is None or item.unit_price_minor <= 0:
        return float("nan")
    return max(-1.0, 1 - item.unit_cost_minor / item.unit_price_minor)


def _stocked_at(item: Item) -> float:
    return float("nan") if item.stocked_at_ms is None else float(item.stocked_at_ms)
