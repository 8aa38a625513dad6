"""A category's page: its items in, their order for a shopper out (商品陈列智能排序)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.requests import Request as HttpRequest
from fastapi.responses import Response
from pydantic import ConfigDict, Field

from jishi.rules.selection import ItemId
from serving.access import LIST_RESPONSES, allowed_shop, persons_named
from serving.answers import RecommendationsOut
from serving.list_bodies import ListsIn
from serving.request import Request
from serving.respond import respond

ROUTES = APIRouter()
MOST_ITEMS = 1_000


class CategoryPageIn(ListsIn):
    """The items of a page and the shopper who opens it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"item_ids": ["i-1", "i-2"], "user_id": "u-7"}})

    item_ids: list[ItemId] = Field(description="the page's items, in any order", min_length=1, max_length=MOST_ITEMS)
    category: str | None = Field(None, min_length=1, max_length=500, description="the page's category, for the shop's rules")
    user_id: ItemId | None = Field(None, description="the shopper after login")
    anonymous_id: ItemId | None = Field(None, description="the shopper before login")
    limit: int | None = Field(None, ge=1, le=MOST_ITEMS, description="most items in the answer; left out: all of the page")


@ROUTES.post(
    "/v1/shops/{shop_id}/category-order",
    responses=LIST_RESPONSES,
    response_model_exclude_unset=True,
    summary="Order the items of a category's page",
    tags=["recommendations"],
)
def category_order(
    http: HttpRequest, response: Response, shop_id: Annotated[str, Depends(allowed_shop)], page: CategoryPageIn
) -> RecommendationsOut:
    """Every given item that may be shown comes once, the best for this shopper first; what the release does not know yet comes
    last, in the order in which it was given."""
    asked = Request(
        shop_id,
        "category",
        page.limit or len(page.item_ids),
        persons_named(page.user_id, page.anonymous_id),
        excludes_purchased=page.exclude_purchased,
        only=page.filter(item_ids=tuple(dict.fromkeys(page.item_ids))),
        excluded=tuple(page.exclude_item_ids),
        category=page.category,
        visit=page.visit(page.region),
    )
    return respond(http, response, asked if page.personalised else asked.of_nobody(), explains=page.explain == "full")
