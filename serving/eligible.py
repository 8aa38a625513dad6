"""Which items a list may hold, asked of some item numbers at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.best_sellers import walk, walk_plain
from serving.blend import Indices, Mask
from serving.item_filter import ItemFilter
from serving.request import Request
from serving.rules.active import ActiveRules
from serving.shelf import Shelf
from serving.standing import Bars, Standings, kept_out, masks, standings


class Eligibility:
    """``hidden`` ids are kept out by the request, ``seen`` items come behind all others.

    ``bars`` are all that keeps items out; None where a filter or a rule about the page does, too.
    """

    def __init__(self, request: Request, shelf: Shelf, rules: ActiveRules | None, hidden: set[str]) -> None:
        self.request, self.shelf, self.rules, self.hidden = request, shelf, rules, hidden
        number_of = shelf.number_of
        barred = [number for item_id in hidden if (number := number_of.get(item_id)) is not None]
        self._last: list[int] = []
        if rules is None:
            self._of_shop = shelf.sellable, shelf.none, shelf.none
        else:
            self._of_shop = shelf.sellable, rules.always_out, rules.always_last
            self._last = rules.capped("last")
            barred += rules.capped("out")
        self._barred = _sorted_numbers(barred)
        self._use(())

    def behind(self, seen: Sequence[int]) -> Eligibility:
        """The same with items that come behind all others."""
        if not seen:
            return self
        later = Eligibility.__new__(Eligibility)
        vars(later).update(vars(self))
        later._use(seen)
        return later

    def _use(self, seen: Sequence[int]) -> None:
        self._bars = Bars(*self._of_shop, self._barred, _sorted_numbers([*seen, *self._last]))
        asks_more = self.request.only is not None or (self.rules is not None and self.rules.asks_page)
        self.bars = None if asks_more else self._bars

    def shown_not(self, numbers: Indices) -> Mask:
        """Items that are hidden, or that filters or rules do not let through."""
        if self.bars is not None:
            return np.asarray(kept_out(self.bars.out, self.bars.hidden, numbers))
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


def _sorted_numbers(numbers: Sequence[int]) -> Indices:
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
