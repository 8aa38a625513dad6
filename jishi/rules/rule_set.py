"""What a shop may set about its lists: one class a kind of rule, and the set that is in use as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from jishi.contract.fields import MinorUnits
from jishi.placements import Placement
from jishi.rules.selection import NormalItemId, Selection, Value

MOST_RULES = 200
Outside = Literal["last", "out"]


class Scope(BaseModel):
    """What every rule has: a name, and where and when it holds; what is left out limits nothing.

    ``page_categories``: of the page's item, or of the category's own page. Dates are days of the shop's zone, both inclusive.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    placements: tuple[Placement, ...] = ()
    page_categories: tuple[Value, ...] = Field((), max_length=100)
    from_date: date | None = None
    until_date: date | None = None

    @model_validator(mode="after")
    def _dates_are_a_span(self) -> Scope:
        """The first day is not after the last one."""
        if self.from_date is not None and self.until_date is not None and self.from_date > self.until_date:
            raise ValueError(f"from_date ({self.from_date}) is after until_date ({self.until_date}); swap them")
        return self

    def holds(self, placement: Placement, page_category: str | None, today: date) -> bool:
        """Whether the rule counts for a list; ``today`` is the day in the shop, ``page_category`` None where there is none."""
        is_there = not self.placements or placement in self.placements
        is_on_page = not self.page_categories or page_category in self.page_categories
        has_begun = self.from_date is None or self.from_date <= today
        return is_there and is_on_page and has_begun and (self.until_date is None or today <= self.until_date)

    def meets(self, other: Scope) -> bool:
        """Whether both can hold for one list."""
        places, others = set(self.placements), set(other.placements)
        pages, other_pages = set(self.page_categories), set(other.page_categories)
        begins = max(self.from_date or date.min, other.from_date or date.min)
        ends = min(self.until_date or date.max, other.until_date or date.max)
        is_there = not places or not others or bool(places & others)
        return is_there and (not pages or not other_pages or bool(pages & other_pages)) and begins <= ends


class _OfItems(Scope):
    """A rule about a choice of items."""

    items: Selection

    @field_validator("items")
    @classmethod
    def _names_some(cls, items: Selection) -> Selection:
        """A rule about every item would be none."""
        if items.is_empty:
            raise ValueError("names no item; give item_ids, categories, brands, attributes or a price")
        return items


class Boost(_OfItems):
    """The score of these items is multiplied by ``factor``."""

    kind: Literal["boost"] = "boost"
    factor: float = Field(gt=1, le=100)


class Bury(_OfItems):
    """These items come after all others."""

    kind: Literal["bury"] = "bury"


class Hide(_OfItems):
    """These items are in no list."""

    kind: Literal["hide"] = "hide"


class Pin(Scope):
    """An item stands at ``slot`` (from 1), if it may be shown at all; in a shorter list at the end."""

    kind: Literal["pin"] = "pin"
    item_id: NormalItemId
    slot: int = Field(ge=1, le=100)


class Diversity(Scope):
    """Items of a category or brand that the list has already count for less, up to ``1 - strength`` of their score."""

    kind: Literal["diversity"] = "diversity"
    by: Literal["category", "brand"] = "category"
    strength: float = Field(0.5, gt=0, le=0.95)


class PriceBand(Scope):
    """Items whose price lies outside of the band come last, or are left out.

    Bounds are amounts in minor units of the home currency, or multiples of the price of the page's item. An item whose price
    is not known lies in every band.
    """

    kind: Literal["price_band"] = "price_band"
    min_minor: MinorUnits | None = None
    max_minor: MinorUnits | None = None
    min_times: float | None = Field(None, ge=0, le=1000)
    max_times: float | None = Field(None, gt=0, le=1000)
    outside: Outside = "last"

    @model_validator(mode="after")
    def _is_a_band(self) -> PriceBand:
        """At least one bound, and the lower one not above the upper one."""
        pairs = {"minor": (self.min_minor, self.max_minor), "times": (self.min_times, self.max_times)}
        if all(low is None and high is None for low, high in pairs.values()):
            raise ValueError("has no bound; give min_minor, max_minor, min_times or max_times")
        for unit, (low, high) in pairs.items():
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{unit} ({low}) is above max_{unit} ({high}); swap them")
        return self


class FrequencyCap(Scope):
    """What a person was shown ``shown`` times within ``days`` and never clicked comes last, or is left out."""

    kind: Literal["frequency_cap"] = "frequency_cap"
    shown: int = Field(ge=1, le=100)
    days: int = Field(1, ge=1, le=7)
    outside: Outside = "last"


class MarginWeight(Scope):
    """Items that leave the shop more of their price than usual count for more; those whose cost is unknown stay as they are."""

    kind: Literal["margin"] = "margin"
    weight: float = Field(ge=-5, le=5)


class StockAgeWeight(Scope):
    """Items that have lain longer than usual since they came into stock count for more (less with a ``weight`` below 0).

    ``full_days``: an older age counts as this one. Items without a known day stay as they are.
    """

    kind: Literal["stock_age"] = "stock_age"
    weight: float = Field(ge=-5, le=5)
    full_days: int = Field(180, ge=1, le=3650)


class NewItems(Scope):
    """At least this ``share`` of a list are items that the release has no sales of yet, as far as there are such."""

    kind: Literal["new_items"] = "new_items"
    share: float = Field(gt=0, le=0.5)


_Kind = TypeVar("_Kind", bound=Scope)
Rule = Boost | Bury | Hide | Pin | Diversity | PriceBand | FrequencyCap | MarginWeight | StockAgeWeight | NewItems
KINDS: dict[str, type[Scope]] = {
    **{"boost": Boost, "bury": Bury, "hide": Hide, "pin": Pin, "diversity": Diversity, "price_band": PriceBand},
    **{"frequency_cap": FrequencyCap, "margin": MarginWeight, "stock_age": StockAgeWeight, "new_items": NewItems},
}


class RuleSet(BaseModel):
    """All rules of a shop. They act in the order of their kinds (docs/serving.md), whatever their order here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Annotated[Rule, Field(discriminator="kind")], ...] = Field((), max_length=MOST_RULES)

    @model_validator(mode="after")
    def _do_not_clash(self) -> RuleSet:
        """Names are unique, and two pins neither want one slot nor one item in one list."""
        for one, other in combinations(self.rules, 2):
            if one.name == other.name:
                raise ValueError(f"two rules have the name {one.name!r}; give each its own")
        for one, other in combinations(self.of_kind(Pin), 2):
            if one.meets(other) and one.slot == other.slot:
                raise ValueError(f"{one.name!r} and {other.name!r} pin to slot {one.slot} of one list; choose another slot")
            if one.meets(other) and one.item_id == other.item_id:
                raise ValueError(f"{one.name!r} and {other.name!r} pin {one.item_id!r} twice in one list; drop one")
        return self

    def stated(self) -> list[dict[str, Any]]:
        """The rules as plain values, without what is default."""
        return [rule.model_dump(mode="json", exclude_defaults=True) | {"kind": rule.kind} for rule in self.rules]

    def of_kind(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """The rules of one kind."""
        return (rule for rule in self.rules if isinstance(rule, kind))
