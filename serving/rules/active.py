"""The rules that hold for one request, joined with the shop as it is now: what they hide, put last, weigh and arrange.

They act in this order: hidden and outside a hard band or cap, out; scores weighed (boost, margin, age of stock); buried and
outside a soft band or cap, last; spread by category and brand; the share of new items; pins. What may be shown at all is the
guard's, which no rule can overrule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from jishi.placements import Placement
from jishi.rules.rule_set import Boost, Bury, FrequencyCap, Hide, MarginWeight, Outside, PriceBand, Rule
from serving.blend import NONE, Indices, Mask, Vector
from serving.candidates import ListCandidates
from serving.catalogue import Catalogue, Item
from serving.columns import UNKNOWN
from serving.rules.impressions import Impressions
from serving.rules.shop_rules import ShopRules
from serving.rules.together import OfItems, RulesTogether, Weighing
from serving.shelf import Shelf

_DAY_MS = 86_400_000
_MOST_WEIGHT = 1e30  # a score of it is still a 32-bit number
POOL = 4  # lists are spread over as many times their length


@dataclass(frozen=True)
class Touch:
    """What a rule did to one item of a list: ``effect`` is ``x1.5``, ``last``, ``slot 2``, ``new`` or ``7 to 3``."""

    rule: str
    kind: str
    effect: str


@dataclass(frozen=True)
class ListContext:
    """What rules ask about a request. ``page`` is the page's item, ``page_category`` its category or that of the page;
    ``today`` the day in the shop.
    """

    placement: Placement
    persons: Sequence[str]
    page: Item | None
    page_category: str | None
    today: date
    now_ms: int


@dataclass
class ActiveRules:
    """The rules that hold for a request of a shop."""

    shop: ShopRules
    together: RulesTogether
    context: ListContext
    shelf: Shelf
    catalogue: Catalogue
    impressions: Impressions
    moved: dict[str, list[Touch]] = field(default_factory=dict)
    _ignored_within: dict[int, Counter[str]] = field(default_factory=dict)
    _factors: dict[str, Vector] = field(default_factory=dict)

    @classmethod
    def of(
        cls, shop: ShopRules, context: ListContext, shelf: Shelf, catalogue: Catalogue, impressions: Impressions
    ) -> ActiveRules | None:
        """None where no rule holds."""
        together = shop.together(context.placement, context.page_category, context.today)
        return None if together is None else cls(shop, together, context, shelf, catalogue, impressions)

    @property
    def on(self) -> Sequence[Rule]:
        """The rules, in the shop's order."""
        return self.together.on

    @cached_property
    def always_out(self) -> Mask:
        """Items (items,) that no list may hold, whatever the page and the person; nobody may change it."""
        return self.shop.mask_of(self.together.always_out, self.shelf)

    @cached_property
    def always_last(self) -> Mask:
        """Items (items,) that come after all others, whatever the page and the person; nobody may change it."""
        return self.shop.mask_of(self.together.always_last, self.shelf)

    def capped(self, outside: Outside) -> list[int]:
        """Items that the person was shown as often as a cap allows, of the caps that put such items there."""
        number_of, caps = self.shelf.number_of, self.together.caps[outside]
        ids = {item_id for rule in caps for item_id, count in self._ignored(rule).items() if count >= rule.shown}
        return [number for item_id in ids if (number := number_of.get(item_id)) is not None]

    @property
    def asks_page(self) -> bool:
        """Whether a rule goes by the page's item."""
        return bool(self.together.bands_of_page)

    def out_for_page(self, numbers: Indices) -> Mask:
        """Which of the items a rule about the page's item keeps out."""
        return self._outside_bands(numbers, "out")

    def last_for_page(self, numbers: Indices) -> Mask:
        """Which of the items a rule about the page's item puts last."""
        return self._outside_bands(numbers, "last")

    def last(self, numbers: Indices) -> Mask:
        """Which of the items come after all others."""
        return self.always_last[numbers] | np.isin(numbers, self.capped("last")) | self.last_for_page(numbers)

    def weigh(self, candidates: ListCandidates) -> None:
        """Multiply the scores by the factors of all rules, which together are at most ``_MOST_WEIGHT``."""
        if not self.together.weighing:
            return
        weight = np.ones(len(candidates))
        for rule in self.together.weighing:
            factor = self._factors[rule.name] = self._factor(rule, candidates.numbers)
            weight = np.minimum(np.maximum(weight * factor, 1 / _MOST_WEIGHT), _MOST_WEIGHT)
        candidates.score = (candidates.score * weight).astype(np.float32)

    def _factor(self, rule: Weighing, numbers: Indices) -> Vector:
        """What a rule multiplies the score of each item by."""
        if isinstance(rule, Boost):
            lifted = self._meant(rule).take(numbers)
            return np.array([1, rule.factor], dtype=np.float32).take(lifted)
        sellable, columns = self.shelf.sellable[numbers], self.shelf.columns
        if isinstance(rule, MarginWeight):
            return _centred(columns.margin[numbers], rule.weight, sellable)
        age = (self.context.now_ms - columns.stocked_at_ms[numbers]) / (rule.full_days * _DAY_MS)
        return _centred(np.clip(age, 0, 1), rule.weight, sellable)

    def hidden_by(self, item: Item) -> str | None:
        """The rule that keeps an item out of the list, as the catalogue knows it now."""
        for rule in self.together.hides:
            if isinstance(rule, Hide) and self.shop.filter_of(rule).takes(item):
                return rule.name
            if isinstance(rule, PriceBand) and not self._is_in_band(rule, item.home_price_minor):
                return rule.name
            if isinstance(rule, FrequencyCap) and self._ignored(rule)[item.item_id] >= rule.shown:
                return rule.name
        return None

    def put_last_by(self, item: Item) -> str | None:
        """The rule that puts an item after all others."""
        rules, of_shop = self.together.puts_last, self.together.always_last
        number = self.shelf.number_of.get(item.item_id) if rules else None
        if number is None or (len(rules) == len(of_shop) and not self.always_last[number]):
            return None
        for rule in rules:
            is_last = (
                (isinstance(rule, Bury) and self._meant(rule)[number])
                or (isinstance(rule, PriceBand) and not self._is_in_band(rule, self._price_of(number)))
                or (isinstance(rule, FrequencyCap) and self._ignored(rule)[item.item_id] >= rule.shown)
            )
            if is_last:
                return rule.name
        return None

    @property
    def ignored_within(self) -> dict[int, Counter[str]]:
        """By number of days: how often each item was shown to the person and not clicked, as far as rules asked."""
        return self._ignored_within

    @property
    def pinned(self) -> set[str]:
        """Ids of the items of the list that stand where a pin put them."""
        return {item_id for item_id, touches in self.moved.items() if any(touch.kind == "pin" for touch in touches)}

    @property
    def boosted(self) -> list[Indices]:
        """The items of each rule that lifts some, best seller first: they are candidates though no source may name them."""
        return [self.shop.by_sales(rule, self.shelf) for rule in self.together.boosts]

    def pool(self, limit: int) -> int:
        """How many of the best items the arrangement of a list of ``limit`` chooses from."""
        return POOL * limit if self.together.diversities else limit

    def touches(self, items: Sequence[Item], places: Sequence[int], kept_back: Mask) -> list[list[Touch]]:
        """What the rules did to each of some items of the list. ``places``: theirs among the candidates, or ``NONE``;
        ``kept_back`` (n,): candidates that come after all others.
        """
        kinds, touches = self.together.kinds, []
        for item, place in zip(items, places, strict=True):
            of_item = []
            if place != NONE:
                for name, factors in self._factors.items():
                    if (factor := factors[place]) != 1:
                        of_item.append(Touch(name, kinds[name], f"x{float(factor):.4g}"))
            last = self.put_last_by(item) if place == NONE or kept_back[place] else None
            if last is not None:
                of_item.append(Touch(last, kinds[last], "last"))
            touches.append(of_item + self.moved.get(item.item_id, []))
        return touches

    def note(self, item: Item, rule: Rule, effect: str) -> None:
        """Remember what the arrangement did."""
        self.moved.setdefault(item.item_id, []).append(Touch(rule.name, rule.kind, effect))

    def _meant(self, rule: OfItems) -> Mask:
        return self.shop.mask_of([rule], self.shelf)

    def _price_of(self, number: int) -> int | None:
        price = int(self.shelf.columns.price[number])
        return None if price == UNKNOWN else price

    def _outside_bands(self, numbers: Indices, outside: Outside) -> Mask:
        mask = np.zeros(len(numbers), dtype=np.bool_)
        for rule in self.together.bands_of_page:
            if rule.outside == outside:
                low, high = self._bounds(rule)
                price = self.shelf.columns.price[numbers]
                mask |= (price != UNKNOWN) & ((price < low) | (price > high))
        return mask

    def _bounds(self, rule: PriceBand) -> tuple[float, float]:
        page = None if self.context.page is None else self.context.page.home_price_minor
        low, high = float(rule.min_minor or 0), float("inf") if rule.max_minor is None else float(rule.max_minor)
        if page and rule.min_times is not None:  # of what costs nothing no multiple says anything
            low = max(low, page * rule.min_times)
        if page and rule.max_times is not None:
            high = min(high, page * rule.max_times)
        return low, high

    def _is_in_band(self, rule: PriceBand, price_minor: int | None) -> bool:
        low, high = self._bounds(rule)
        return price_minor is None or low <= price_minor <= high

    def _ignored(self, rule: FrequencyCap) -> Counter[str]:
        if rule.days not in self._ignored_within:
            since_ms = self.context.now_ms - rule.days * _DAY_MS
            self._ignored_within[rule.days] = self.impressions.ignored(self.context.persons, since_ms)
        return self._ignored_within[rule.days]


def _centred(values: npt.NDArray[Any], weight: float, sellable: Mask) -> Vector:
    """exp(weight · (value − mean of the candidates that may be sold)); 1 where the value is not known."""
    known = values[sellable & ~np.isnan(values)]
    mean = known.mean() if len(known) else 0.0
    return np.exp(np.nan_to_num((values - mean) * weight)).astype(np.float32)
