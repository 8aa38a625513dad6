"""Lists for many shoppers in one call, as mailings need them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from jishi.placements import ListPlacement
from jishi.rules.selection import ItemId, Value
from serving.access import allowed_shop, engine_of, persons_named, responses
from serving.answers import RecommendationsOut, answer_out
from serving.filter_parameters import CATEGORY
from serving.item_filter import ItemFilter
from serving.list_bodies import ListsIn
from serving.list_route import new_request_id
from serving.request import Request

ROUTES = APIRouter()
MOST_SHOPPERS = 100


class ShopperIn(BaseModel):
    """A shopper, and what the list is about."""

    model_config = ConfigDict(extra="forbid")

    user_id: ItemId | None = Field(None, description="the shopper after login")
    anonymous_id: ItemId | None = Field(None, description="the shopper before login")
    item_id: ItemId | None = Field(None, description="the item that the list is about; needed for `item`")
    cart_item_ids: list[ItemId] = Field(default_factory=list, max_length=100, description="items in the cart")
    order_id: ItemId | None = Field(None, description="the order just paid, for `after_payment`")
    order_item_ids: list[ItemId] = Field(default_factory=list, max_length=100, description="items of the order just paid")


class BatchIn(ListsIn):
    """Who gets a list, and how long it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"shoppers": [{"user_id": "u-7"}], "limit": 8}})

    shoppers: list[ShopperIn] = Field(description="who gets a list", min_length=1, max_length=MOST_SHOPPERS)
    placement: ListPlacement = Field("home", description="which question the lists answer; `cart`: of a cart left behind")
    category: list[Value] = Field(default_factory=list, max_length=100, description=CATEGORY)
    limit: int = Field(20, ge=1, le=50, description="most items in the answer")


class ShoppersListOut(BaseModel):
    """The list of one shopper."""

    request_id: str = Field(description="send it back in `recommendation_shown` and `recommendation_clicked`")
    user_id: str | None = Field(description="the shopper after login")
    anonymous_id: str | None = Field(description="the shopper before login")
    recommendations: RecommendationsOut


class BatchOut(BaseModel):
    """A list for each shopper, in the order in which they were given."""

    lists: list[ShoppersListOut]


@ROUTES.post(
    "/v1/shops/{shop_id}/recommendations/batch",
    responses=responses("id of this call; each list has its own"),
    response_model_exclude_unset=True,
    summary="Recommend items to many shoppers",
    tags=["recommendations"],
)
def batch(http: HttpRequest, shop_id: Annotated[str, Depends(allowed_shop)], asked: BatchIn) -> BatchOut:
    """Each list is made, logged and answered as if asked for alone, under its id; the header has that of the call."""
    if asked.placement == "item" and any(shopper.item_id is None for shopper in asked.shoppers):
        message = "placement item needs the item_id of each shopper"
        raise RequestValidationError([{"type": "missing", "loc": ("body", "shoppers"), "msg": message}])
    only = asked.filter(category=asked.category)
    return BatchOut(lists=[_list(http, shop_id, asked, shopper, only) for shopper in asked.shoppers])


def _list(http: HttpRequest, shop_id: str, asked: BatchIn, shopper: ShopperIn, only: ItemFilter | None) -> ShoppersListOut:
    request_id = new_request_id()
    request = Request(
        shop_id,
        asked.placement,
        asked.limit,
        persons_named(shopper.user_id, shopper.anonymous_id),
        shopper.item_id,
        tuple(dict.fromkeys(shopper.cart_item_ids)),
        tuple(dict.fromkeys(shopper.order_item_ids)),
        asked.exclude_purchased,
        only=only,
        excluded=tuple(asked.exclude_item_ids),
        visit=asked.visit(asked.region),
    )
    answer = engine_of(http).answer(request if asked.personalised else request.of_nobody(), request_id, shopper.order_id)
    return ShoppersListOut(
        request_id=request_id,
        user_id=shopper.user_id,
        anonymous_id=shopper.anonymous_id,
        recommendations=answer_out(shop_id, asked.placement, answer, explains=asked.explain == "full"),
    )
