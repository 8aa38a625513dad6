"""The filters of a request, as its query or its body says them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, ValidationError

from jishi.money import MOST_MINOR
from jishi.rules.selection import Selection
from serving.item_filter import ItemFilter

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Many = list[_Text] | None


CATEGORY = "only items of this category; may repeat: any of them"
BRAND = "only items of this brand; may repeat: any of them"
PRICE_MIN = "lowest price, in minor units of the shop's home currency (分)"
PRICE_MAX = "highest price, in minor units of the shop's home currency (分)"
ATTRIBUTE = "only items with this attribute, as `name:value`; may repeat: of one name any value, of different names all"
REGION = "only items that are sold in this region; one whose region is unknown is sold in all"
EXCLUDE_PURCHASED = (
    "`true`: nothing that the shopper is known to have bought; `false`: no item is left out for that; "
    "left out: what was paid within 30 minutes is, unless it is soon bought again"
)
CHANNEL = "by what the visit came, as `context.channel` of its events says it"
DEVICE = "on what, as `context.device` of its events says it"
EXPLAIN = "`full`: sources, rules and features of the list and of each item"


def filter_of(
    category: Annotated[_Many, Query(min_length=1, max_length=100, description=CATEGORY)] = None,
    brand: Annotated[_Many, Query(min_length=1, max_length=100, description=BRAND)] = None,
    price_min: Annotated[int | None, Query(ge=0, le=MOST_MINOR, description=PRICE_MIN)] = None,
    price_max: Annotated[int | None, Query(ge=0, le=MOST_MINOR, description=PRICE_MAX)] = None,
    attribute: Annotated[_Many, Query(min_length=1, max_length=50, description=ATTRIBUTE)] = None,
    region: Annotated[str | None, Query(min_length=1, max_length=500, description=REGION)] = None,
) -> ItemFilter | None:
    """The items that the list may hold; None for all. Raises RequestValidationError."""
    return chosen_filter(
        category=category, brand=brand, price_min=price_min, price_max=price_max, attribute=attribute, region=region
    )


def chosen_filter(
    *,
    item_ids: Sequence[str] = (),
    category: Sequence[str] | None = None,
    brand: Sequence[str] | None = None,
    price_min: int | None = None,
    price_max: int | None = None,
    attribute: Sequence[str] | None = None,
    region: str | None = None,
) -> ItemFilter | None:
    """The filter of single values that are checked already; None where all items are meant. Raises RequestValidationError."""
    selection = {
        "item_ids": item_ids,
        "categories": category or (),
        "brands": brand or (),
        "attributes": _attributes(attribute or ()),
        "price_min_minor": price_min,
        "price_max_minor": price_max,
    }
    try:
        chosen = Selection.model_validate(selection)
    except ValidationError:  # of single values nothing is wrong any more
        raise _refusal("price_max", "price_max is below price_min; swap them") from None
    return None if chosen.is_empty and region is None else ItemFilter(chosen, region)


def _attributes(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    wanted: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, value = text.partition(":")
        if not name or not value:
            raise _refusal("attribute", f"{text!r} is no attribute; write name:value, such as colour:red")
        wanted[name] = (*wanted.get(name, ()), value)
    return wanted


def _refusal(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("query", field), "msg": message}])
