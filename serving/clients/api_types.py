"""Shapes of requests and answers, made by python -m serving.clients.types from the OpenAPI document; do not edit."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class RecommendationsQuery(TypedDict):
    """What a list may be asked by."""

    user_id: NotRequired[str | None]
    anonymous_id: NotRequired[str | None]
    item_id: NotRequired[str | None]
    cart_item_id: NotRequired[list[str] | None]
    order_id: NotRequired[str | None]
    order_item_id: NotRequired[list[str] | None]
    exclude_purchased: NotRequired[bool | None]
    exclude_item_id: NotRequired[list[str] | None]
    personalised: NotRequired[bool]
    channel: NotRequired[str | None]
    device: NotRequired[str | None]
    explain: NotRequired[Literal["none", "full"]]
    why_not: NotRequired[str | None]
    placement: NotRequired[Literal["home", "item", "cart", "after_payment", "search_empty"]]
    limit: NotRequired[int]
    category: NotRequired[list[str] | None]
    brand: NotRequired[list[str] | None]
    price_min: NotRequired[int | None]
    price_max: NotRequired[int | None]
    attribute: NotRequired[list[str] | None]
    region: NotRequired[str | None]


class BatchBody(TypedDict):
    """Who gets a list, and how long it is."""

    channel: NotRequired[str | None]
    device: NotRequired[str | None]
    brand: NotRequired[list[str]]
    price_min: NotRequired[int | None]
    price_max: NotRequired[int | None]
    attribute: NotRequired[list[str]]
    region: NotRequired[str | None]
    exclude_item_ids: NotRequired[list[str]]
    exclude_purchased: NotRequired[bool | None]
    personalised: NotRequired[bool]
    explain: NotRequired[Literal["none", "full"]]
    shoppers: list[ShopperBody]
    placement: NotRequired[Literal["home", "item", "cart", "after_payment", "search_empty"]]
    category: NotRequired[list[str]]
    limit: NotRequired[int]


class BatchAnswer(TypedDict):
    """A list for each shopper, in the order in which they were given."""

    lists: list[ShoppersListAnswer]


class CategoryPageBody(TypedDict):
    """The items of a page and the shopper who opens it."""

    channel: NotRequired[str | None]
    device: NotRequired[str | None]
    brand: NotRequired[list[str]]
    price_min: NotRequired[int | None]
    price_max: NotRequired[int | None]
    attribute: NotRequired[list[str]]
    region: NotRequired[str | None]
    exclude_item_ids: NotRequired[list[str]]
    exclude_purchased: NotRequired[bool | None]
    personalised: NotRequired[bool]
    explain: NotRequired[Literal["none", "full"]]
    item_ids: list[str]
    category: NotRequired[str | None]
    user_id: NotRequired[str | None]
    anonymous_id: NotRequired[str | None]
    limit: NotRequired[int | None]


class ItemExplainAnswer(TypedDict):
    """Which sources brought an item, and which rules touched it."""

    sources: dict[str, float]
    rules: list[TouchAnswer]
    features: NotRequired[dict[str, float] | None]


class ItemAnswer(TypedDict):
    """One recommended item, in stock and active when the answer was made."""

    item_id: str
    title: str
    title_en: str | None
    category: str
    unit_price_minor: int
    currency: str
    score: float
    reason: ReasonAnswer
    explain: NotRequired[ItemExplainAnswer | None]


class LastItemAnswer(TypedDict):
    """An item that the shopper acted on, as the online store had it."""

    item_id: str
    age_s: float


class ListExplainAnswer(TypedDict):
    """What the list as a whole was made from."""

    last_items: list[LastItemAnswer]
    rules: list[str]
    visit: NotRequired[dict[str, str] | None]


class ReasonAnswer(TypedDict):
    """Why the item is in the list: the source that gave it most."""

    code: str
    zh: str
    en: str
    because_item_id: NotRequired[str | None]


class RecommendationsAnswer(TypedDict):
    """A list of recommendations, best first; it may be shorter than asked when the shop has no more to sell."""

    shop_id: str
    placement: Literal["home", "item", "cart", "after_payment", "search_empty", "category"]
    served_by: Literal["personalised", "item_based", "segment", "popular", "bundled"]
    model: str
    model_version: str
    items: list[ItemAnswer]
    rules_version: NotRequired[int | None]
    explain: NotRequired[ListExplainAnswer | None]
    why_not: NotRequired[WhyNotAnswer | None]


class ShopperBody(TypedDict):
    """A shopper, and what the list is about."""

    user_id: NotRequired[str | None]
    anonymous_id: NotRequired[str | None]
    item_id: NotRequired[str | None]
    cart_item_ids: NotRequired[list[str]]
    order_id: NotRequired[str | None]
    order_item_ids: NotRequired[list[str]]


class ShoppersListAnswer(TypedDict):
    """The list of one shopper."""

    request_id: str
    user_id: str | None
    anonymous_id: str | None
    recommendations: RecommendationsAnswer


class TouchAnswer(TypedDict):
    """What a rule of the shop did to an item."""

    rule: str
    kind: str
    effect: str


class WhyNotAnswer(TypedDict):
    """Why an item is not in the list."""

    item_id: str
    code: str
    zh: str
    en: str
    rule: str | None
    rank: int | None
