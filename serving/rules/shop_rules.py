"""The rules of a shop that are in use, with what of them is the same for every request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from jishi.placements import Placement
from jishi.rules.rule_set import FrequencyCap, PriceBand, RuleSet
from jishi.rules.versions import RuleVersion, RuleVersions
from serving.blend import Indices, Mask
from serving.catalogue import Item
from serving.columns import UNKNOWN
from serving.item_filter import ItemFilter
from serving.rules.together import OfItems, OfShop, RulesTogether
from serving.shelf import Shelf

_MOST_MASKS = 64  # sets of rules that hold together, of which masks are kept
_MOST_PLACES = 1_000  # placements, categories of pages and days whose rules are kept


@dataclass
class ShopRules:
    """A rule set; ``version`` None for a draft. Which items rules are about is kept, and follows the catalogue item by item."""

    rules: RuleSet
    version: int | None = None
    _filters: dict[str, ItemFilter] = field(default_factory=dict)
    _masks: dict[tuple[str, ...], tuple[Shelf, int, Mask]] = field(default_factory=dict)
    _orders: dict[tuple[str, ...], Indices] = field(default_factory=dict)
    _together: dict[tuple[Placement, str | None, date], RulesTogether] = field(default_factory=dict)
    _takes: dict[str, Callable[[Item], bool]] = field(default_factory=dict)
    _asks_category: bool = False

    def __post_init__(self) -> None:
        """A filter for each rule about items."""
        self._filters = {rule.name: ItemFilter(rule.items) for rule in self.rules.rules if isinstance(rule, OfItems)}
        self._takes = {name: chosen.takes for name, chosen in self._filters.items()}
        self._asks_category = any(rule.page_categories for rule in self.rules.rules)

    def together(self, placement: Placement, page_category: str | None, today: date) -> RulesTogether | None:
        """The rules that hold there and then; None where none does."""
        where = placement, page_category if self._asks_category else None, today
        known = self._together.get(where)
        if known is None:
            if len(self._together) >= _MOST_PLACES:
                self._together.clear()
            on = [rule for rule in self.rules.rules if rule.holds(placement, page_category, today)]
            known = self._together[where] = RulesTogether(on, self._takes)
        return known if known.on else None

    def mask_of(self, rules: Sequence[OfShop], shelf: Shelf) -> Mask:
        """Items (items,) of a release that any of the rules is about, or that are outside of its band; nobody may change it."""
        if not rules:
            return shelf.none
        names = tuple([rule.name for rule in rules])
        known, changes = self._masks.get(names), shelf.columns.changes
        if known is not None and known[0] is shelf and known[1] == changes:
            return known[2]
        changed = None if known is None or known[0] is not shelf else shelf.changed_since(known[1])
        if known is not None and changed is not None:
            if len(changed):
                now = self._about(rules, shelf, changed)
                if not np.array_equal(known[2][changed], now):
                    self._orders.pop(names, None)
                known[2][changed] = now
                self._masks[names] = (shelf, changes, known[2])
            return known[2]
        if len(self._masks) >= _MOST_MASKS:
            self._masks.clear()
        self._orders.pop(names, None)
        mask = self._about(rules, shelf, np.arange(shelf.size))
        self._masks[names] = (shelf, changes, mask)
        return mask

    def by_sales(self, rule: OfItems, shelf: Shelf) -> Indices:
        """The items that the rule is about, best seller first."""
        mask = self.mask_of([rule], shelf)
        order = self._orders.get((rule.name,))
        if order is None:
            order = self._orders[(rule.name,)] = shelf.by_sales[mask[shelf.by_sales]]
        return order

    def _about(self, rules: Sequence[OfShop], shelf: Shelf, numbers: Indices) -> Mask:
        mask = np.zeros(len(numbers), dtype=np.bool_)
        for rule in rules:
            if isinstance(rule, PriceBand):
                price = shelf.columns.price[numbers]
                low, high = rule.min_minor or 0, np.inf if rule.max_minor is None else rule.max_minor
                mask |= (price != UNKNOWN) & ((price < low) | (price > high))
            else:
                mask |= self._filters[rule.name].mask(shelf.columns, shelf.number_of, numbers)
        return mask


@dataclass
class RulesInUse:
    """The newest version of a shop's rules that could be read, and why a newer one could not."""

    in_use: ShopRules | None = None
    problem: str | None = None
    _seen: tuple[int, int, int] | None = None
    _read: RuleVersion | None = None

    @property
    def version(self) -> int | None:
        """The version in use."""
        return None if self.in_use is None else self.in_use.version

    @property
    def count_impressions(self) -> bool:
        """Whether a rule asks what a person was shown."""
        return self.in_use is not None and any(True for _ in self.in_use.rules.of_kind(FrequencyCap))

    def look(self, versions: RuleVersions) -> None:
        """Take over a newer version, if there is one; one that cannot be read leaves the last good one."""
        try:
            seen = versions.seen()
            if seen == self._seen:
                return
            read, self.problem = versions.in_use()
        except OSError as error:  # of this shop's folder: every other shop is looked at after it
            self._seen, self.problem = None, f"the folder of the rules cannot be read: {error}"
            return
        if read is not None and (self._read is None or read.facts.version > self._read.facts.version):
            self.in_use, self._read = ShopRules(read.rules, read.facts.version), read
        self._seen = seen
