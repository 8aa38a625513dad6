"""The filters of a request as its query says them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, ValidationError

from jishi.money import MOST_MINOR
from jishi.rules.selection import Selection
from serving.item_filter import ItemFilter

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Many = list[_Text] | None


def filter_of(
    category: Annotated[
        _Many, Query(min_length=1, max_length=100, description="only items of this category; may repeat: any of them")
    ] = None,
    brand: Annotated[
        _Many, Query(min_length=1, max_length=100, description="only items of this brand; may repeat: any of them")
    ] = None,
    price_min: Annotated[
        int | None, Query(ge=0, le=MOST_MINOR, description="lowest price, in minor units of the shop's home currency (分)")
    ] = None,
    price_max: Annotated[
        int | None, Query(ge=0, le=MOST_MINOR, description="highest price, in minor units of the shop's home currency (分)")
    ] = None,
    attribute: Annotated[
        _Many,
        Query(
            min_length=1,
            max_length=50,
            description="only items with this attribute, as `name:value`; may repeat: of one name any value, "
            "of different names all",
        ),
    ] = None,
    region: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=500,
            description="only items that are sold in this region; one whose region is unknown is sold in all",
        ),
    ] = None,
) -> ItemFilter | None:
    """The items that the list may hold; None for all. Raises RequestValidationError."""
    selection = {
        "categories": category or (),
        "brands": brand or (),
        "attributes": _attributes(attribute or []),
        "price_min_minor": price_min,
        "price_max_minor": price_max,
    }
    try:
        chosen = Selection.model_validate(selection)
    except ValidationError:  # single values are checked above
        raise _refusal("price_max", "price_max is below price_min; swap them") from None
    return None if chosen.is_empty and region is None else ItemFilter(chosen, region)


def _attributes(texts: list[str]) -> dict[str, tuple[str, ...]]:
    wanted: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, value = text.partition(":")
        if not name or not value:
            raise _refusal("attribute", f"{text!r} is no attribute; write name:value, such as colour:red")
        wanted[name] = (*wanted.get(name, ()), value)
    return wanted


def _refusal(field: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("query", field), "msg": message}])
