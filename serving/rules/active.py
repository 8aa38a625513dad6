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
from jishi.rules.rule_set import (
    Boost,
    Bury,
    Diversity,
    FrequencyCap,
    Hide,
    MarginWeight,
    NewItems,
    Pin,
    PriceBand,
    Rule,
    StockAgeWeight,
)
from serving.blend import NONE, Indices, Mask, Vector
from serving.candidates import Candidates
from serving.catalogue import Catalogue, Item
from serving.columns import UNKNOWN
from serving.item_filter import ItemFilter
from serving.rules.impressions import Impressions
from serving.rules.shop_rules import OfItems, ShopRules
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
    """The rules ``on`` for a request of a shop."""

    shop: ShopRules
    on: list[Rule]
    context: ListContext
    shelf: Shelf
    catalogue: Catalogue
    impressions: Impressions
    moved: dict[str, list[Touch]] = field(default_factory=dict)
    _ignored_within: dict[int, Counter[str]] = field(default_factory=dict)
    _weighed: Candidates | None = None
    _factors: dict[str, Vector] = field(default_factory=dict)

    @classmethod
    def of(
        cls, shop: ShopRules, context: ListContext, shelf: Shelf, catalogue: Catalogue, impressions: Impressions
    ) -> ActiveRules | None:
        """None where no rule holds."""
        on = [r for r in shop.rules.rules if r.holds(context.placement, context.page_category, context.today)]
        return cls(shop, on, context, shelf, catalogue, impressions) if on else None

    def shown_not(self, numbers: Indices) -> Mask:
        """Which of the items no list may hold."""
        mask = np.zeros(len(numbers), dtype=np.bool_)
        for rule in self.on:
            if isinstance(rule, Hide):
                mask |= self._meant(rule, numbers)
            elif isinstance(rule, PriceBand | FrequencyCap) and rule.outside == "out":
                mask |= self._outside(rule, numbers)
        return mask

    def last(self, numbers: Indices) -> Mask:
        """Which of the items come after all others."""
        mask = np.zeros(len(numbers), dtype=np.bool_)
        for rule in self.on:
            if isinstance(rule, Bury):
                mask |= self._meant(rule, numbers)
            elif isinstance(rule, PriceBand | FrequencyCap) and rule.outside == "last":
                mask |= self._outside(rule, numbers)
        return mask

    def weigh(self, candidates: Candidates) -> None:
        """Multiply the scores by the factors of all rules, which together are at most ``_MOST_WEIGHT``."""
        numbers, weight = candidates.numbers, np.ones(len(candidates))
        sellable = self.shelf.sellable[numbers]
        self._weighed = candidates
        for rule in self.on:
            if isinstance(rule, Boost):
                factor = np.where(self._meant(rule, numbers), np.float32(rule.factor), np.float32(1))
            elif isinstance(rule, MarginWeight):
                factor = _centred(self.shelf.columns.margin[numbers], rule.weight, sellable)
            elif isinstance(rule, StockAgeWeight):
                age = (self.context.now_ms - self.shelf.columns.stocked_at_ms[numbers]) / (rule.full_days * _DAY_MS)
                factor = _centred(np.clip(age, 0, 1), rule.weight, sellable)
            else:
                continue
            self._factors[rule.name] = factor
            weight = np.clip(weight * factor, 1 / _MOST_WEIGHT, _MOST_WEIGHT)
        if self._factors:
            candidates.score = (candidates.score * weight).astype(np.float32)

    def hidden_by(self, item: Item) -> str | None:
        """The rule that keeps an item out of the list, as the catalogue knows it now."""
        for rule in self.on:
            if isinstance(rule, Hide) and self.shop.filter_of(rule).takes(item):
                return rule.name
            if isinstance(rule, PriceBand) and rule.outside == "out" and not self._is_in_band(rule, item.home_price_minor):
                return rule.name
            if isinstance(rule, FrequencyCap) and rule.outside == "out" and self._ignored(rule)[item.item_id] >= rule.shown:
                return rule.name
        return None

    def put_last_by(self, item: Item) -> str | None:
        """The rule that puts an item after all others."""
        number = self.shelf.number_of.get(item.item_id)
        if number is None or not self._puts_last:
            return None
        numbers = np.array([number])
        for rule in self._puts_last:
            if (self._meant(rule, numbers) if isinstance(rule, Bury) else self._outside(rule, numbers))[0]:
                return rule.name
        return None

    @cached_property
    def _puts_last(self) -> list[Bury | PriceBand | FrequencyCap]:
        return [
            rule
            for rule in self.on
            if isinstance(rule, Bury) or (isinstance(rule, PriceBand | FrequencyCap) and rule.outside == "last")
        ]

    @property
    def ignored_within(self) -> dict[int, Counter[str]]:
        """By number of days: how often each item was shown to the person and not clicked, as far as rules asked."""
        return self._ignored_within

    @property
    def diversities(self) -> list[Diversity]:
        """The rules that spread a list."""
        return [rule for rule in self.on if isinstance(rule, Diversity)]

    @property
    def pins(self) -> list[Pin]:
        """Pins by slot."""
        return sorted((rule for rule in self.on if isinstance(rule, Pin)), key=lambda pin: pin.slot)

    @property
    def pinned(self) -> set[str]:
        """Ids of the items of the list that stand where a pin put them."""
        return {item_id for item_id, touches in self.moved.items() if any(touch.kind == "pin" for touch in touches)}

    @property
    def boosted(self) -> list[ItemFilter]:
        """The items of each rule that lifts some: they are candidates though no source may name them."""
        return [self.shop.filter_of(rule) for rule in self.on if isinstance(rule, Boost) and rule.factor > 1]

    @property
    def wants_new(self) -> bool:
        """Whether a rule asks for a share of new items."""
        return any(isinstance(rule, NewItems) for rule in self.on)

    def pool(self, limit: int) -> int:
        """How many of the best items the arrangement of a list of ``limit`` chooses from."""
        return POOL * limit if self.diversities else limit

    def touches(self, item: Item) -> list[Touch]:
        """What the rules did to an item of the list."""
        place = NONE if self._weighed is None else self._weighed.place(self.shelf.number_of.get(item.item_id))
        factors = {} if place == NONE else {name: float(factor[place]) for name, factor in self._factors.items()}
        touches = [
            Touch(rule.name, rule.kind, f"x{factors[rule.name]:.4g}") for rule in self.on if factors.get(rule.name, 1.0) != 1
        ]
        last = self.put_last_by(item)
        if last is not None:
            touches.append(Touch(last, next(rule.kind for rule in self.on if rule.name == last), "last"))
        return touches + self.moved.get(item.item_id, [])

    def note(self, item: Item, rule: Rule, effect: str) -> None:
        """Remember what the arrangement did."""
        self.moved.setdefault(item.item_id, []).append(Touch(rule.name, rule.kind, effect))

    def _meant(self, rule: OfItems, numbers: Indices) -> Mask:
        return self.shop.filter_of(rule).mask(self.shelf.columns, self.shelf.number_of, numbers)

    def _outside(self, rule: PriceBand | FrequencyCap, numbers: Indices) -> Mask:
        if isinstance(rule, PriceBand):
            low, high = self._bounds(rule)
            price = self.shelf.columns.price[numbers]
            return np.asarray((price != UNKNOWN) & ((price < low) | (price > high)))
        shown = [self.shelf.number_of.get(item_id) for item_id, count in self._ignored(rule).items() if count >= rule.shown]
        return np.isin(numbers, [number for number in shown if number is not None])

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
