"""What a choice of items goes by, as arrays over a release's item numbers; they follow the catalogue item by item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.blend import Mask
from serving.catalogue import Item

UNKNOWN = -1  # price


class Coded:
    """One value an item, kept once each: ``codes`` (items,) point into ``values``; None for what is not known."""

    def __init__(self, values: Iterable[Hashable]) -> None:
        self.values: list[Any] = []
        self._code_of: dict[Hashable, int] = {}
        self.codes: npt.NDArray[np.int32] = np.fromiter((self._code(value) for value in values), dtype=np.int32)

    def put(self, number: int, value: Hashable) -> None:
        """Another value of one item."""
        self.codes[number] = self._code(value)

    def where(self, holds: Callable[[Any], bool]) -> Mask:
        """Items (items,) whose value is such; each different value is asked about once."""
        table = np.fromiter((holds(value) for value in self.values), dtype=np.bool_)
        # A value that a writer adds meanwhile is not in the table yet: whoever shows an item asks about it once more.
        return table.take(self.codes, mode="clip") if len(table) else np.zeros(len(self.codes), dtype=np.bool_)

    def _code(self, value: Hashable) -> int:
        code = self._code_of.get(value)
        if code is None:
            code = self._code_of[value] = len(self.values)
            self.values.append(value)
        return code


@dataclass
class Columns:
    """Categories, brands, regions, attributes and home prices (minor units, ``UNKNOWN`` where there is none) of the items."""

    category: Coded
    brand: Coded
    region: Coded
    attributes: Coded
    price: npt.NDArray[np.int64]

    @classmethod
    def of(cls, items: list[Item | None]) -> Columns:
        """Columns of the items by number; None for one that the catalogue does not know."""
        return cls(
            category=Coded(None if item is None else item.category for item in items),
            brand=Coded(None if item is None else item.brand for item in items),
            region=Coded(None if item is None else item.region for item in items),
            attributes=Coded(() if item is None else item.attributes for item in items),
            price=np.array([UNKNOWN if item is None else _price(item) for item in items], dtype=np.int64),
        )

    def put(self, number: int, item: Item) -> None:
        """Take over a changed item."""
        self.category.put(number, item.category)
        self.brand.put(number, item.brand)
        self.region.put(number, item.region)
        self.attributes.put(number, item.attributes)
        self.price[number] = _price(item)


def _price(item: Item) -> int:
    return UNKNOWN if item.home_price_minor is None else item.home_price_minor
