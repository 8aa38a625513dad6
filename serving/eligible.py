"""Which items a list may hold, asked of some item numbers at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.best_sellers import walk, walk_plain
from serving.blend import Indices, Mask
from serving.item_filter import ItemFilter
from serving.request import Request
from serving.rules.active import ActiveRules
from serving.shelf import Shelf
from serving.standing import Bars, Standings, masks, standings


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
        later = Eligibility(self.request, self.shelf, self.rules, self.hidden, tuple(seen))
        vars(later)["_barred"] = self._barred  # which does not depend on them
        return later

    def shown_not(self, numbers: Indices) -> Mask:
        """Items that are hidden, or that filters or rules do not let through."""
        return self.masks(numbers)[1]

    def masks(self, numbers: Indices) -> tuple[Mask, Mask, Mask]:
        """Items that may be sold; that are hidden, or that filters or rules do not let through; that come behind all others:
        what was just looked at, and what rules put last.
        """
        sellable, out, behind = masks(*self._bars, numbers)
        if self.request.only is not None:
            out |= ~self.request.only.mask(self.shelf.columns, self.shelf.number_of, numbers)
        if self.rules is not None and self.rules.asks_page:
            out |= self.rules.out_for_page(numbers)
            behind |= self.rules.last_for_page(numbers)
        return sellable, out, behind

    def judge(self, numbers: Indices) -> Standings:
        """``FRESH``, ``BEHIND`` or ``OUT`` for each."""
        if self.bars is not None:
            return np.asarray(standings(*self.bars, numbers))
        sellable, out, behind = self.masks(numbers)
        allowed = sellable & ~out
        return (allowed.astype(np.int8) * 2) - (allowed & behind)

    def best_sellers(self, most: int) -> tuple[Indices, bool]:
        """Those of what may be shown; the second value says whether these are all."""
        if self.bars is not None:
            return walk_plain(self.shelf.by_sales, self.bars, most)
        return walk(order_of(self.request.only, self.shelf), self.judge, most)

    def best_of_categories(self, kinds: list[int], most: int, reach: int) -> Indices:
        """Those of each category."""
        if not kinds:
            return np.empty(0, dtype=np.int64)
        if self.bars is not None:
            return self.shelf.by_category.heads(kinds, self.bars, most, reach)
        return np.concatenate([walk(self.shelf.by_category.with_value(kind), self.judge, most, reach)[0] for kind in kinds])

    def best_of(self, order: Indices, most: int, reach: int) -> Indices:
        """Those of an order that may be shown."""
        if self.bars is not None:
            return walk_plain(order, self.bars, most, reach)[0]
        return walk(order, self.judge, most, reach)[0]

    @property
    def bars(self) -> Bars | None:
        """All that keeps items out; None where a filter or a rule about the page does, too."""
        asks_more = self.request.only is not None or (self.rules is not None and self.rules.asks_page)
        return None if asks_more else self._bars

    @cached_property
    def _bars(self) -> Bars:
        shelf, seen = self.shelf, list(self.seen)
        if self.rules is None:
            return Bars(shelf.sellable, shelf.none, shelf.none, self._barred, _sorted_numbers(seen))
        seen += self.rules.capped("last")
        out, last = self.rules.always_out, self.rules.always_last
        return Bars(shelf.sellable, out, last, self._barred, _sorted_numbers(seen))

    @cached_property
    def _barred(self) -> Indices:
        """Numbers of hidden items, and of those that a rule keeps from the person."""
        number_of = self.shelf.number_of
        hidden = [number for item_id in self.hidden if (number := number_of.get(item_id)) is not None]
        return _sorted_numbers(hidden if self.rules is None else hidden + self.rules.capped("out"))


def _sorted_numbers(numbers: list[int]) -> Indices:
    return np.array(sorted(numbers), dtype=np.int64)


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
