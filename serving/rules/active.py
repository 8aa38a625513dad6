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
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from jishi.placements import Placement
from jishi.rules.rule_set import Boost, Bury, FrequencyCap, MarginWeight, Outside, PriceBand, Rule, StockAgeWeight
from serving.blend import NONE, Indices, Mask, Vector
from serving.candidates import ListCandidates
from serving.catalogue import Catalogue, Item
from serving.columns import UNKNOWN
from serving.rules.impressions import Impressions
from serving.rules.shop_rules import ShopRules
from serving.rules.together import OfItems, RulesTogether
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

    @property
    def always_out(self) -> Mask:
        """Items (items,) that no list may hold, whatever the page and the person; nobody may change it."""
        return self.shop.mask_of(self.together.always_out, self.shelf)

    @property
    def always_last(self) -> Mask:
        """Items (items,) that come after all others, whatever the page and the person; nobody may change it."""
        return self.shop.mask_of(self.together.always_last, self.shelf)

    def capped(self, outside: Outside) -> list[int]:
        """Items that the person was shown as often as a cap allows, of the caps that put such items there."""
        caps = self.together.caps[outside]
        if not caps:
            return []
        number_of = self.shelf.number_of
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
            if isinstance(rule, Boost):
                factor = _lifted(self._meant(rule), candidates.numbers, rule.factor)
            else:
                factor = self._factor(rule, candidates.numbers)
            self._factors[rule.name] = factor
            _multiply(weight, factor)
        candidates.score = _weighed(candidates.score, weight)

    def _factor(self, rule: MarginWeight | StockAgeWeight, numbers: Indices) -> Vector:
        """What a rule multiplies the score of each item by."""
        sellable, columns = self.shelf.sellable[numbers], self.shelf.columns
        if isinstance(rule, MarginWeight):
            return _centred(columns.margin[numbers], rule.weight, sellable)
        age = (self.context.now_ms - columns.stocked_at_ms[numbers]) / (rule.full_days * _DAY_MS)
        return _centred(np.clip(age, 0, 1), rule.weight, sellable)

    def hidden_by(self, item: Item) -> str | None:
        """The rule that keeps an item out of the list, as the catalogue knows it now."""
        for rule, takes in self.together.hiding:
            if takes is not None:
                if takes(item):
                    return rule.name
            elif isinstance(rule, PriceBand):
                if not self._is_in_band(rule, item.home_price_minor):
                    return rule.name
            elif isinstance(rule, FrequencyCap) and self._ignored(rule)[item.item_id] >= rule.shown:
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

    def touches(self, items: Sequence[Item], places: Sequence[int], kept_back: Mask) -> dict[int, list[Touch]]:
        """What the rules did to some items of the list: by place among these, for those that any rule touched. ``places``:
        theirs among the candidates, or ``NONE``; ``kept_back`` (n,): candidates that come after all others.
        """
        kinds, listed, touched = self.together.kinds, np.array(places, dtype=np.int64), dict[int, list[Touch]]()
        for name, factors in self._factors.items():
            weighed = _touched(factors, listed)
            for at, factor in zip(weighed.tolist(), factors[listed[weighed]].tolist(), strict=True):
                touched.setdefault(at, []).append(_weighed_by(name, kinds[name], factor))
        for at in _may_be_last(kept_back, listed).tolist():
            last = self.put_last_by(items[at])
            if last is not None:
                touched.setdefault(at, []).append(Touch(last, kinds[last], "last"))
        if self.moved:
            for at, item in enumerate(items):
                if item.item_id in self.moved:
                    touched.setdefault(at, []).extend(self.moved[item.item_id])
        return touched

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


@lru_cache(maxsize=10_000)
def _weighed_by(rule: str, kind: str, factor: float) -> Touch:
    return Touch(rule, kind, f"x{factor:.4g}")


@numba.njit(cache=True, nogil=True)
def _touched(factors: Any, listed: Any) -> Any:
    """At which of the ``listed`` places stands a factor that is not 1."""
    places, count = np.empty(len(listed), dtype=np.int64), 0
    for at in range(len(listed)):
        if listed[at] != NONE and factors[listed[at]] != 1:
            places[count] = at
            count += 1
    return places[:count]


@numba.njit(cache=True, nogil=True)
def _may_be_last(kept_back: Any, listed: Any) -> Any:
    """At which of the ``listed`` places stands an item that is kept back, or one that is no candidate."""
    places, count = np.empty(len(listed), dtype=np.int64), 0
    for at in range(len(listed)):
        if listed[at] == NONE or kept_back[listed[at]]:
            places[count] = at
            count += 1
    return places[:count]


@numba.njit(cache=True, nogil=True)
def _lifted(meant: Any, numbers: Any, factor: float) -> Any:
    """The factor of a rule for each item: 1 for those that it is not about."""
    factors = np.ones(len(numbers), dtype=np.float32)
    for place in range(len(numbers)):
        if meant[numbers[place]]:
            factors[place] = factor
    return factors


@numba.njit(cache=True, nogil=True)
def _multiply(weight: Any, factor: Any) -> None:
    """Multiply the weights of items by a rule's factors, within ``_MOST_WEIGHT``."""
    for place in range(len(weight)):
        weight[place] = min(max(weight[place] * factor[place], 1 / _MOST_WEIGHT), _MOST_WEIGHT)


@numba.njit(cache=True, nogil=True)
def _weighed(score: Any, weight: Any) -> Any:
    """Scores times weights."""
    weighed = np.empty(len(score), dtype=np.float32)
    for place in range(len(score)):
        weighed[place] = score[place] * weight[place]
    return weighed


def _centred(values: npt.NDArray[Any], weight: float, sellable: Mask) -> Vector:
    """exp(weight · (value − mean of the candidates that may be sold)); 1 where the value is not known."""
    known = values[sellable & ~np.isnan(values)]
    mean = known.mean() if len(known) else 0.0
    return np.exp(np.nan_to_num((values - mean) * weight)).astype(np.float32)
