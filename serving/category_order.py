"""A category's page: its items in, their order for a shopper out (商品陈列智能排序)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.requests import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from jishi.rules.selection import ItemId, Selection
from serving.access import RESPONSES, allowed_shop, persons_named
from serving.answers import RecommendationsOut
from serving.item_filter import ItemFilter
from serving.request import Request
from serving.respond import respond

ROUTES = APIRouter()
MOST_ITEMS = 1_000


class CategoryPageIn(BaseModel):
    """The items of a page and the shopper who opens it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"item_ids": ["i-1", "i-2"], "user_id": "u-7"}})

    item_ids: list[ItemId] = Field(description="the page's items, in any order", min_length=1, max_length=MOST_ITEMS)
    category: str | None = Field(None, min_length=1, max_length=500, description="the page's category, for the shop's rules")
    user_id: ItemId | None = Field(None, description="the shopper after login")
    anonymous_id: ItemId | None = Field(None, description="the shopper before login")
    personalised: bool = Field(True, description="`false`: nothing that is stored of the shopper is used")


@ROUTES.post(
    "/v1/shops/{shop_id}/category-order",
    responses=RESPONSES,
    response_model_exclude_unset=True,
    summary="Order the items of a category's page",
    tags=["recommendations"],
)
def category_order(
    http: HttpRequest, response: Response, shop_id: Annotated[str, Depends(allowed_shop)], page: CategoryPageIn
) -> RecommendationsOut:
    """Every given item that may be shown comes once, the best for this shopper first; what the release does not know yet comes
    last, in the order in which it was given."""
    given = tuple(dict.fromkeys(page.item_ids))
    persons = persons_named(page.user_id, page.anonymous_id)
    only = ItemFilter(Selection(item_ids=given))
    asked = Request(shop_id, "category", len(given), persons, only=only, category=page.category)
    return respond(http, response, asked if page.personalised else asked.of_nobody())
