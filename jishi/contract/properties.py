"""Typed ``properties`` of each event type, version 1. Names are in the past tense; a released one is never edited."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from jishi.contract.bounds import check_cart, check_order, check_refund
from jishi.contract.fields import Count, Currency, EventPart, Flag, Id, Instant, MinorUnits, Positive, Text
from jishi.contract.filled import Filled


class Stamped(EventPart):
    """Properties with money in a ``currency``; stamped where that is not the shop's home currency (jishi.contract.home_money).

    No stamp: amounts are in the home currency. ``home_currency`` alone: no rate was known, the event is never added.
    """

    home_currency: Currency | None = None
    fx_rate: Text | None = None
    fx_rate_date: Text | None = None


class PageViewed(EventPart):
    """A person opened a page of the shop, of an item or not; ``path`` is its address without host and query."""

    path: Text
    title: Text | None = None


class ItemViewed(Stamped):
    """A person opened the page of an item. The price is in ``currency``, the shop's home currency if left out."""

    item_id: Id
    category: Text | None = None
    unit_price_minor: MinorUnits | None = None
    currency: Currency | None = None
    home_unit_price_minor: MinorUnits | None = None
    share_id: Id | None = None
    filled: Filled | None = None


class SearchPerformed(EventPart):
    """A person searched."""

    query: Text
    results: Count | None = None


class ItemAddedToCart(Stamped):
    """A person put an item into the cart. The price is in ``currency``, the shop's home currency if left out."""

    item_id: Id
    quantity: Positive = 1
    category: Text | None = None
    unit_price_minor: MinorUnits | None = None
    currency: Currency | None = None
    home_unit_price_minor: MinorUnits | None = None
    filled: Filled | None = None

    @model_validator(mode="after")
    def _is_bounded(self) -> ItemAddedToCart:
        check_cart(self)
        return self


class ItemRemovedFromCart(EventPart):
    """A person took an item out of the cart."""

    item_id: Id
    quantity: Positive = 1


class CheckoutStarted(Stamped):
    """A person went to the checkout."""

    cart_id: Id | None = None
    items: Count | None = None
    amount_minor: MinorUnits | None = None
    currency: Currency | None = None
    home_amount_minor: MinorUnits | None = None


class OrderLine(EventPart):
    """One line of an order.

    ``amount_minor`` is what the line cost after its discounts. Where it is left out it is
    ``quantity × unit_price_minor − discount_minor``; a shop whose unit prices are not whole minor units sends it.
    """

    item_id: Id
    quantity: Count
    unit_price_minor: MinorUnits
    discount_minor: MinorUnits = 0
    amount_minor: MinorUnits | None = None
    category: Text | None = None
    coupon_id: Id | None = None
    filled: Filled | None = None
    home_unit_price_minor: MinorUnits | None = None
    home_gross_minor: MinorUnits | None = None
    home_discount_minor: MinorUnits | None = None
    home_net_minor: MinorUnits | None = None

    @property
    def net_minor(self) -> int:
        """What the line cost after its discounts, in minor units; never below zero."""
        if self.amount_minor is not None:
            return self.amount_minor
        return self.quantity * self.unit_price_minor - self.discount_minor


class OrderPaid(Stamped):
    """An order was paid. Paid amount = Σ line net − ``discount_minor`` (of the whole order) + ``shipping_minor``.

    ``delivery_region`` is where it goes, by the shop's own names of regions; left out, it is unknown.

    No sum of it may be larger than an amount may be, and no discount larger than what it is taken from.
    """

    order_id: Id
    currency: Currency
    lines: Annotated[list[OrderLine], Field(min_length=1, max_length=2000)]
    discount_minor: MinorUnits = 0
    shipping_minor: MinorUnits = 0
    coupon_ids: list[Id] = Field(default_factory=list)
    share_id: Id | None = None
    group_buy_id: Id | None = None
    home_discount_minor: MinorUnits | None = None
    home_shipping_minor: MinorUnits | None = None
    delivery_region: Text | None = None

    @model_validator(mode="after")
    def _is_bounded(self) -> OrderPaid:
        check_order(self)
        return self


class RefundLine(EventPart):
    """One line that was given back."""

    item_id: Id
    quantity: Count
    amount_minor: MinorUnits
    home_amount_minor: MinorUnits | None = None


class OrderRefunded(Stamped):
    """Money of an order was paid back, whole or in part; an order may have several."""

    refund_id: Id
    order_id: Id
    currency: Currency
    amount_minor: MinorUnits
    lines: list[RefundLine] = Field(default_factory=list)
    reason: Text | None = None
    home_amount_minor: MinorUnits | None = None

    @model_validator(mode="after")
    def _is_bounded(self) -> OrderRefunded:
        check_refund(self)
        return self


class ItemShared(EventPart):
    """A person shared an item; ``share_id`` names the link."""

    share_id: Id
    item_id: Id
    share_channel: Text | None = None


class ShareOpened(EventPart):
    """Somebody opened a shared link."""

    share_id: Id
    item_id: Id | None = None
    shared_by: Id | None = None


class CouponClaimed(EventPart):
    """A person took a coupon."""

    coupon_id: Id
    campaign_id: Id | None = None


class CouponRedeemed(EventPart):
    """A coupon was used on an order."""

    coupon_id: Id
    order_id: Id | None = None
    item_id: Id | None = None
    campaign_id: Id | None = None
    discount_minor: MinorUnits | None = None


class GroupBuyOpened(EventPart):
    """A person opened a group buy (拼团)."""

    group_buy_id: Id
    item_id: Id
    size: Positive
    unit_price_minor: MinorUnits | None = None


class GroupBuyJoined(EventPart):
    """A person joined a group buy."""

    group_buy_id: Id
    item_id: Id
    invited_by: Id | None = None


class GroupBuyCompleted(EventPart):
    """A group buy reached its size."""

    group_buy_id: Id
    item_id: Id
    members: Positive


class BargainStarted(EventPart):
    """A person started a bargain (砍价)."""

    bargain_id: Id
    item_id: Id
    floor_price_minor: MinorUnits | None = None


class BargainHelped(EventPart):
    """A friend cut the price of a bargain."""

    bargain_id: Id
    item_id: Id
    cut_minor: MinorUnits | None = None


class RecommendationShown(EventPart):
    """A list of recommendations was seen.

    ``reasons`` has the code of why each of ``item_ids`` was in it, in their order; ``is_person_known`` says whether anything
    was known of the person. Either may be left out, and is then unknown.
    """

    request_id: Id
    placement: Text
    item_ids: Annotated[list[Id], Field(max_length=200)]
    model_version: Text | None = None
    reasons: Annotated[list[Text], Field(max_length=200)] | None = None
    is_person_known: Flag | None = None


class RecommendationClicked(EventPart):
    """A recommended item was clicked; ``position`` counts from 0."""

    request_id: Id
    placement: Text
    item_id: Id
    position: Count | None = None


class ConsentChanged(EventPart):
    """A person allowed or forbade personalised recommendations."""

    personalisation: Flag


class ItemChanged(Stamped):
    """The whole state of an item of the catalogue after a change. The person fields of the envelope stay empty.

    ``unit_cost_minor`` is what a unit costs the shop, ``stocked_at`` when the item last came into stock, ``stock`` how many
    there are; left out, they are unknown, never 0. An item whose stock nobody counts may be sold.
    """

    item_id: Id
    title: Text
    title_en: Text | None = None
    category: Text
    brand: Text | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    unit_price_minor: MinorUnits
    currency: Currency
    stock: Count | None = None
    status: Literal["active", "inactive", "blocked"] = "active"
    region: Text | None = None
    home_unit_price_minor: MinorUnits | None = None
    unit_cost_minor: MinorUnits | None = None
    stocked_at: Instant | None = None


PROPERTIES: dict[str, type[EventPart]] = {
    "item_viewed": ItemViewed,
    "search_performed": SearchPerformed,
    "item_added_to_cart": ItemAddedToCart,
    "item_removed_from_cart": ItemRemovedFromCart,
    "checkout_started": CheckoutStarted,
    "order_paid": OrderPaid,
    "order_refunded": OrderRefunded,
    "item_shared": ItemShared,
    "share_opened": ShareOpened,
    "coupon_claimed": CouponClaimed,
    "coupon_redeemed": CouponRedeemed,
    "group_buy_opened": GroupBuyOpened,
    "group_buy_joined": GroupBuyJoined,
    "group_buy_completed": GroupBuyCompleted,
    "bargain_started": BargainStarted,
    "bargain_helped": BargainHelped,
    "recommendation_shown": RecommendationShown,
    "recommendation_clicked": RecommendationClicked,
    "consent_changed": ConsentChanged,
    "item_changed": ItemChanged,
    "page_viewed": PageViewed,
}

# Types that are about the shop and not about a person: they need neither anonymous_id nor user_id.
WITHOUT_PERSON = frozenset({"item_changed", "group_buy_completed"})
