"""Which items a list may hold, asked of some item numbers at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from serving.best_sellers import Standing
from serving.blend import Indices, Mask
from serving.item_filter import ItemFilter
from serving.request import Request
from serving.rules.active import ActiveRules
from serving.shelf import Shelf


@dataclass(frozen=True)
class Eligibility:
    """``hidden`` ids are kept out by the request, ``seen`` items come behind all others."""

    request: Request
    shelf: Shelf
    rules: ActiveRules | None
    hidden: set[str]
    seen: tuple[int, ...] = ()

    def behind(self, seen: Sequence[int]) -> Eligibility:
        """The same with items that come behind all others."""
        return replace(self, seen=tuple(seen))

    def shown_not(self, numbers: Indices) -> Mask:
        """Items that are hidden, or that filters or rules do not let through."""
        only = self.request.only
        mask = np.isin(numbers, self.hidden_numbers) if len(self.hidden_numbers) else np.zeros(len(numbers), dtype=np.bool_)
        if only is not None:
            mask |= ~only.mask(self.shelf.columns, self.shelf.number_of, numbers)
        return mask if self.rules is None else mask | self.rules.shown_not(numbers)

    def kept_back(self, numbers: Indices) -> Mask:
        """Items that come behind all others: what was just looked at, and what rules put last."""
        mask = np.isin(numbers, self.seen) if len(self.seen) else np.zeros(len(numbers), dtype=np.bool_)
        return mask if self.rules is None else mask | self.rules.last(numbers)

    def judge(self, numbers: Indices) -> Standing:
        """``FRESH``, ``BEHIND`` or ``OUT`` for each."""
        allowed = self.shelf.sellable[numbers] & ~self.shown_not(numbers)
        return (allowed.astype(np.int8) * 2) - (allowed & self.kept_back(numbers))

    def order(self) -> Indices:
        """An order of items by sales that has all that the filters let through."""
        return order_of(self.request.only, self.shelf)

    @cached_property
    def hidden_numbers(self) -> Indices:
        """Numbers of the hidden items that the release knows."""
        number_of = self.shelf.number_of
        return np.array([number_of[item_id] for item_id in self.hidden if item_id in number_of], dtype=np.int64)


def order_of(only: ItemFilter | None, shelf: Shelf) -> Indices:
    """An order of items by sales that has all that a filter lets through: of the named items, or of its categories or brands
    where these are few enough.
    """
    if only is None:
        return shelf.by_sales
    chosen = only.selection
    if chosen.item_ids:
        return _sorted(shelf, [np.array([shelf.number_of[i] for i in chosen.item_ids if i in shelf.number_of], dtype=np.int64)])
    parts = [
        [postings.with_value(code) for value in values if (code := column.code_of(value)) is not None]
        for values, column, postings in (
            (chosen.categories, shelf.columns.category, shelf.by_category),
            (chosen.brands, shelf.columns.brand, shelf.by_brand),
        )
        if values
    ]
    if not parts:
        return shelf.by_sales
    fewest = min(parts, key=lambda part: sum(map(len, part)))
    if len(fewest) > 1 and 8 * sum(map(len, fewest)) > shelf.size:  # the shop's order comes by enough of them
        return shelf.by_sales
    return fewest[0] if len(fewest) == 1 else _sorted(shelf, fewest)


def _sorted(shelf: Shelf, parts: list[Indices]) -> Indices:
    numbers = np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
    return numbers[np.argsort(-shelf.popularity[numbers], kind="stable")]
