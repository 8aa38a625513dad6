"""Whether items belong to a choice: one at a time by the live catalogue, or all of a release at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jishi.rules.selection import Selection
from serving.blend import Indices, Mask
from serving.catalogue import Attributes, Item
from serving.columns import UNKNOWN, Columns


@dataclass(frozen=True)
class ItemFilter:
    """A selection, and a ``region`` in which items must be sold; one that names no region is sold in all."""

    selection: Selection
    region: str | None = None

    @property
    def stated(self) -> dict[str, object]:
        """The conditions that are given, as they are logged."""
        region = {} if self.region is None else {"region": self.region}
        return self.selection.model_dump(mode="json", exclude_defaults=True) | region

    @cached_property
    def takes(self) -> Callable[[Item], bool]:
        """Says whether an item belongs to the choice as the catalogue knows it now."""
        conditions = self._conditions
        return conditions[0] if len(conditions) == 1 else lambda item: all([holds(item) for holds in conditions])

    def mask(self, columns: Columns, number_of: Mapping[str, int], numbers: Indices | None = None) -> Mask:
        """Which of these items of a release (None: all of them) belong to the choice."""
        chosen = self.selection
        mask = np.ones(len(columns.price) if numbers is None else len(numbers), dtype=np.bool_)
        if chosen.item_ids:
            wanted = [number_of[item_id] for item_id in chosen.item_ids if item_id in number_of]
            mask &= np.isin(np.arange(len(mask)) if numbers is None else numbers, wanted)
        if chosen.categories:
            mask &= columns.category.where(self._categories.__contains__, numbers)
        if chosen.brands:
            mask &= columns.brand.where(self._brands.__contains__, numbers)
        if chosen.attributes:
            mask &= columns.attributes.where(self._has_attributes, numbers)
        if self.region is not None:
            mask &= columns.region.where(self._is_sold_there, numbers)
        if chosen.price_min_minor is not None or chosen.price_max_minor is not None:
            price = columns.price if numbers is None else columns.price[numbers]
            low, high = chosen.price_min_minor or 0, chosen.price_max_minor
            mask &= (price != UNKNOWN) & (price >= low) & (price <= (price if high is None else high))
        return mask

    @cached_property
    def _conditions(self) -> list[Callable[[Item], bool]]:
        """Those that are given."""
        chosen, conditions = self.selection, list[Callable[[Item], bool]]()
        if chosen.item_ids:
            item_ids = frozenset(chosen.item_ids)
            conditions.append(lambda item: item.item_id in item_ids)
        if chosen.categories:
            categories = self._categories
            conditions.append(lambda item: item.category in categories)
        if chosen.brands:
            brands = self._brands
            conditions.append(lambda item: item.brand in brands)
        if chosen.attributes:
            conditions.append(lambda item: self._has_attributes(item.attributes))
        if self.region is not None:
            conditions.append(lambda item: self._is_sold_there(item.region))
        if chosen.price_min_minor is not None or chosen.price_max_minor is not None:
            conditions.append(lambda item: self._has_price(item.home_price_minor))
        return conditions

    @cached_property
    def _categories(self) -> frozenset[str]:
        return frozenset(self.selection.categories)

    @cached_property
    def _brands(self) -> frozenset[str]:
        return frozenset(self.selection.brands)

    def _has_attributes(self, attributes: Attributes) -> bool:
        named = dict(attributes)
        return all(named.get(name) in values for name, values in self.selection.attributes.items())

    def _is_sold_there(self, region: str | None) -> bool:
        return self.region is None or region is None or region == self.region

    def _has_price(self, price_minor: int | None) -> bool:
        low, high = self.selection.price_min_minor, self.selection.price_max_minor
        return price_minor is not None and (low is None or price_minor >= low) and (high is None or price_minor <= high)
