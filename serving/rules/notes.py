"""What each rule meets in a shop as it is now, so that one without effect is seen before it is published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jishi.rules.rule_set import Boost, Bury, Hide, MarginWeight, NewItems, Pin, PriceBand, Rule, RuleSet, StockAgeWeight
from serving.blend import Mask
from serving.catalogue import Catalogue
from serving.columns import UNKNOWN
from serving.item_filter import ItemFilter
from serving.rules.active import ListContext
from serving.shelf import Shelf

CODES = ("ok", "does_not_hold_here", "no_item", "not_sellable", "nothing_known")


@dataclass(frozen=True)
class RuleNote:
    """``code`` says whether the rule can do anything; ``items`` of those that may be sold it is about; of ``unknown`` others
    the catalogue does not know what it asks.
    """

    rule: str
    kind: str
    code: str
    items: int
    unknown: int = 0


def notes_of(rules: RuleSet, context: ListContext, shelf: Shelf, catalogue: Catalogue) -> list[RuleNote]:
    """A note on each rule."""
    return [_note(rule, context, shelf, catalogue) for rule in rules.rules]


def _note(rule: Rule, context: ListContext, shelf: Shelf, catalogue: Catalogue) -> RuleNote:
    code, items, unknown = _met(rule, shelf, catalogue)
    if not rule.holds(context.placement, context.page_category, context.today):
        code = "does_not_hold_here"
    return RuleNote(rule.name, rule.kind, code, items, unknown)


def _met(rule: Rule, shelf: Shelf, catalogue: Catalogue) -> tuple[str, int, int]:
    sellable, columns = shelf.sellable, shelf.columns
    match rule:
        case Boost() | Bury() | Hide():
            count = _count(ItemFilter(rule.items).mask(columns, shelf.number_of) & sellable)
            return ("ok" if count else "no_item"), count, 0
        case Pin():
            item = catalogue.get(rule.item_id)
            code = "no_item" if item is None else "ok" if item.is_sellable else "not_sellable"
            return code, int(code == "ok"), 0
        case MarginWeight():
            return _known(~np.isnan(columns.margin), sellable)
        case StockAgeWeight():
            return _known(~np.isnan(columns.stocked_at_ms), sellable)
        case PriceBand():
            return _known(columns.price != UNKNOWN, sellable)
        case NewItems():
            newcomers = shelf.model.newcomers
            count = 0 if newcomers is None else _count(sellable[newcomers.items])
            return ("ok" if count else "no_item"), count, 0
        case _:
            if getattr(rule, "by", None) == "brand":
                return _known(columns.brand.where(lambda brand: brand is not None), sellable)
            return "ok", _count(sellable), 0


def _known(is_known: Mask, sellable: Mask) -> tuple[str, int, int]:
    known, unknown = _count(is_known & sellable), _count(~is_known & sellable)
    return ("ok" if known else "nothing_known"), known, unknown


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))
