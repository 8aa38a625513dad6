"""How drafted rules would work: the same request answered by the rules in use and by the draft, and what each rule meets."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from jishi.placements import Placement
from jishi.rules.complaints import BadRules, rules_of
from jishi.rules.selection import ItemId, Selection, Value
from serving.access import RESPONSES, engine_of, persons_named, shop_to_preview
from serving.answers import RecommendationsOut, answer_out
from serving.category_order import MOST_ITEMS
from serving.filter_parameters import REGION
from serving.item_filter import ItemFilter
from serving.list_bodies import VisitIn
from serving.request import Request
from serving.rules.notes import CODES, notes_of
from serving.rules.shop_rules import ShopRules

ROUTES = APIRouter()


class DraftIn(VisitIn):
    """Rules to try, and the request to try them on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "rules": [{"kind": "boost", "name": "winter", "items": {"categories": ["裙装"]}, "factor": 1.5}],
                "placement": "home",
                "limit": 10,
            }
        },
    )

    rules: list[dict[str, Any]] = Field(description="rules, as `jishi rules check` takes them", max_length=1000)
    placement: Placement = Field("home", description="where the list is shown")
    user_id: ItemId | None = Field(None, description="the shopper after login")
    anonymous_id: ItemId | None = Field(None, description="the shopper before login")
    item_id: ItemId | None = Field(None, description="the item that the page is about; needed for `item`")
    cart_item_ids: list[ItemId] = Field(default_factory=list, max_length=100, description="items in the cart")
    order_item_ids: list[ItemId] = Field(default_factory=list, max_length=100, description="items of the order just paid")
    category: Value | None = Field(None, description="the category that the page is about; needed for `category`")
    item_ids: list[ItemId] = Field(
        default_factory=list, max_length=MOST_ITEMS, description="items of the category's page; left out: those of its category"
    )
    region: Value | None = Field(None, description=REGION)
    limit: int = Field(20, ge=1, le=100, description="most items in the answer")


class RuleNoteOut(BaseModel):
    """What a drafted rule meets in the shop as it is now."""

    rule: str = Field(description="name of the rule")
    kind: str = Field(description="kind of the rule")
    code: str = Field(description="one of " + ", ".join(CODES))
    items: int = Field(description="items that may be sold and that the rule is about")
    unknown: int = Field(
        description="items that may be sold and of which the catalogue does not know what the rule asks: no effect"
    )


class PreviewOut(BaseModel):
    """The list as it is and as it would be."""

    in_use: int | None = Field(description="version of the rules in use")
    before: RecommendationsOut
    after: RecommendationsOut
    notes: list[RuleNoteOut]


@ROUTES.post(
    "/v1/shops/{shop_id}/rules/preview",
    responses=RESPONSES,
    response_model_exclude_unset=True,
    summary="Try rules before they are published",
    tags=["rules"],
)
def preview(http: HttpRequest, shop_id: Annotated[str, Depends(shop_to_preview)], draft: DraftIn) -> PreviewOut:
    """Nothing is published, logged or explored: the same request is answered by the rules in use and by the draft."""
    try:
        rules = rules_of({"rules": draft.rules})
    except BadRules as error:
        raise RequestValidationError([{"type": "value_error", "loc": ("body", "rules"), "msg": str(error)}]) from None
    tried = engine_of(http).preview(_request(shop_id, draft), ShopRules(rules))
    return PreviewOut(
        in_use=tried.in_use,
        before=answer_out(shop_id, draft.placement, tried.before, explains=True),
        after=answer_out(shop_id, draft.placement, tried.after, explains=True),
        notes=[
            RuleNoteOut(rule=note.rule, kind=note.kind, code=note.code, items=note.items, unknown=note.unknown)
            for note in notes_of(rules, tried.context, tried.shelf, tried.catalogue)
        ],
    )


def _request(shop_id: str, draft: DraftIn) -> Request:
    """The request to try the draft on. Raises RequestValidationError."""
    for placement, field, value in (("item", "item_id", draft.item_id), ("category", "category", draft.category)):
        if draft.placement == placement and value is None:
            message = f"placement {placement} needs the {placement} of the page"
            raise RequestValidationError([{"type": "missing", "loc": ("body", field), "msg": message}])
    persons = persons_named(draft.user_id, draft.anonymous_id)
    cart, paid = tuple(dict.fromkeys(draft.cart_item_ids)), tuple(dict.fromkeys(draft.order_item_ids))
    asked = Request(shop_id, draft.placement, draft.limit, persons, draft.item_id, cart, paid, visit=draft.visit(draft.region))
    if draft.placement != "category" or draft.category is None:
        return asked if draft.region is None else replace(asked, only=ItemFilter(Selection(), draft.region))
    chosen = {"item_ids": tuple(draft.item_ids)} if draft.item_ids else {"categories": (draft.category,)}
    return replace(asked, only=ItemFilter(Selection(**chosen), draft.region), category=draft.category)
