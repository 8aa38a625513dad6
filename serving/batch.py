"""Lists for many shoppers in one call, as mailings need them."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.requests import Request as HttpRequest
from pydantic import BaseModel, ConfigDict, Field

from jishi.rules.selection import ItemId
from serving.access import RESPONSES, allowed_shop, engine_of, persons_named
from serving.answers import RecommendationsOut, answer_out
from serving.request import Request

ROUTES = APIRouter()
MOST_SHOPPERS = 100


class ShopperIn(BaseModel):
    """A shopper; at least one id."""

    model_config = ConfigDict(extra="forbid")

    user_id: ItemId | None = Field(None, description="the shopper after login")
    anonymous_id: ItemId | None = Field(None, description="the shopper before login")


class BatchIn(BaseModel):
    """Who gets a list, and how long it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"shoppers": [{"user_id": "u-7"}], "limit": 8}})

    shoppers: list[ShopperIn] = Field(description="who gets a list", min_length=1, max_length=MOST_SHOPPERS)
    limit: int = Field(20, ge=1, le=50, description="most items in the answer")
    exclude_item_ids: list[ItemId] = Field(default_factory=list, max_length=100, description="items that no list may hold")
    exclude_purchased: bool | None = Field(None, description="`true`: nothing that a shopper is known to have bought")


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
    responses=RESPONSES,
    response_model_exclude_unset=True,
    summary="Recommend items to many shoppers",
    tags=["recommendations"],
)
def batch(http: HttpRequest, shop_id: Annotated[str, Depends(allowed_shop)], asked: BatchIn) -> BatchOut:
    """Each list is the one of placement `home`, made, logged and answered as if it had been asked for alone."""
    lists = []
    for shopper in asked.shoppers:
        request_id, persons = uuid.uuid4().hex, persons_named(shopper.user_id, shopper.anonymous_id)
        excluded = tuple(asked.exclude_item_ids)
        request = Request(shop_id, "home", asked.limit, persons, excludes_purchased=asked.exclude_purchased, excluded=excluded)
        answer = engine_of(http).answer(request, request_id)
        lists.append(
            ShoppersListOut(
                request_id=request_id,
                user_id=shopper.user_id,
                anonymous_id=shopper.anonymous_id,
                recommendations=answer_out(shop_id, "home", answer),
            )
        )
    return BatchOut(lists=lists)
