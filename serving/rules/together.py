"""Rules that hold together, sorted by what they do: worked out once for all requests that the same rules hold for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

from jishi.rules.rule_set import (
    Boost,
    Bury,
    Diversity,
    FrequencyCap,
    Hide,
    MarginWeight,
    NewItems,
    Outside,
    Pin,
    PriceBand,
    Rule,
    StockAgeWeight,
)
from serving.catalogue import Item

OfItems = Boost | Bury | Hide
OfShop = OfItems | PriceBand  # rules whose items do not depend on the request; a band only where ``is_of_page`` does not hold
Weighing = Boost | MarginWeight | StockAgeWeight


def is_of_page(rule: PriceBand) -> bool:
    """Whether a band is measured by the price of the page's item."""
    return rule.min_times is not None or rule.max_times is not None


@dataclass(frozen=True)
class RulesTogether:
    """The rules ``on``, in the shop's order; ``takes`` says by name whether a rule about items is about one."""

    on: Sequence[Rule]
    takes: Mapping[str, Callable[[Item], bool]]

    @cached_property
    def hides(self) -> list[Hide | PriceBand | FrequencyCap]:
        """Those that keep items out."""
        return [rule for rule in self.on if isinstance(rule, Hide) or _is_bound(rule, "out")]

    @cached_property
    def hiding(self) -> list[tuple[Hide | PriceBand | FrequencyCap, Callable[[Item], bool] | None]]:
        """The same, each with what says whether it keeps an item out; None where that goes by the request, too."""
        return [(rule, self.takes[rule.name] if isinstance(rule, Hide) else None) for rule in self.hides]

    @cached_property
    def puts_last(self) -> list[Bury | PriceBand | FrequencyCap]:
        """Those that put items after all others."""
        return [rule for rule in self.on if isinstance(rule, Bury) or _is_bound(rule, "last")]

    @cached_property
    def always_out(self) -> list[OfShop]:
        """Those of ``hides`` that go neither by the page nor by the person."""
        return [rule for rule in self.hides if _is_of_shop(rule)]

    @cached_property
    def always_last(self) -> list[OfShop]:
        """Those of ``puts_last`` that go neither by the page nor by the person."""
        return [rule for rule in self.puts_last if _is_of_shop(rule)]

    @cached_property
    def caps(self) -> dict[Outside, list[FrequencyCap]]:
        """Those about what a person was shown, by where they put it."""
        caps = [rule for rule in self.on if isinstance(rule, FrequencyCap)]
        return {
            "last": [rule for rule in caps if rule.outside == "last"],
            "out": [rule for rule in caps if rule.outside == "out"],
        }

    @cached_property
    def bands_of_page(self) -> list[PriceBand]:
        """Those that go by the page's item."""
        return [rule for rule in self.on if isinstance(rule, PriceBand) and is_of_page(rule)]

    @cached_property
    def weighing(self) -> list[Weighing]:
        """Those that multiply scores."""
        return [rule for rule in self.on if isinstance(rule, Boost | MarginWeight | StockAgeWeight)]

    @cached_property
    def boosts(self) -> list[Boost]:
        """Those that lift some items."""
        return [rule for rule in self.on if isinstance(rule, Boost) and rule.factor > 1]

    @cached_property
    def diversities(self) -> list[Diversity]:
        """Those that spread a list."""
        return [rule for rule in self.on if isinstance(rule, Diversity)]

    @cached_property
    def new_items(self) -> NewItems | None:
        """The one that asks for the largest share of new items."""
        asking = [rule for rule in self.on if isinstance(rule, NewItems)]
        return max(asking, key=lambda rule: rule.share, default=None)

    @cached_property
    def pins(self) -> list[Pin]:
        """Pins by slot."""
        return sorted((rule for rule in self.on if isinstance(rule, Pin)), key=lambda pin: pin.slot)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Kinds by name."""
        return {rule.name: rule.kind for rule in self.on}


def _is_bound(rule: Rule, outside: Outside) -> TypeGuard[PriceBand | FrequencyCap]:
    return isinstance(rule, PriceBand | FrequencyCap) and rule.outside == outside


def _is_of_shop(rule: Rule) -> TypeGuard[OfShop]:
    return isinstance(rule, Hide | Bury) or (isinstance(rule, PriceBand) and not is_of_page(rule))
