"""Features of a whole shop, and of a person within one category.

Visitors and buyers are the ids that events name by themselves (``jishi.identity.named_person``): a person who looks before
logging in is a device and a user, so two. The shop's persons are counted in the marts, which know the links.
"""

from __future__ import annotations

from jishi.features.declared.windows import A_DAY_S, DAY, MONTH, QUARTER_DAY, Window
from jishi.features.definition import Feature, Where


def _count(name: str, meaning: str, act: str, window: Window, *, offset_s: int = 0, column: str | None = None) -> Feature:
    """A count of the whole shop, or a sum of ``column``: part of what an item's or a person's ratio is smoothed towards."""
    return Feature(
        name=name,
        meaning=meaning,
        entity="shop",
        aggregation="sum" if column else "count",
        acts=(act,),
        column=column,
        offset_s=offset_s,
        is_live=window != MONTH,
        **window,
    )


def _ratio(name: str, meaning: str, numerator: str, denominator: str, window: Window, *, is_share: bool = False) -> Feature:
    """A ratio of the whole shop, towards which others are smoothed."""
    return Feature(
        name=name,
        meaning=meaning,
        entity="shop",
        aggregation="ratio",
        numerator=numerator,
        denominator=denominator,
        is_share=is_share,
        default=None,
        is_live=window != MONTH,
        **window,
    )


PRIORS: tuple[Feature, ...] = (
    _count("shop_carts_24h", "Times that an item was put into a cart in the last 24 hours.", "item_added_to_cart", DAY),
    _count("shop_lines_paid_24h", "Order lines that were paid in the last 24 hours.", "line_paid", DAY),
    _count("shop_items_recommended_24h", "Items shown among recommendations in the last 24 hours.", "item_recommended", DAY),
    _count(
        "shop_recommendation_clicks_24h",
        "Items clicked among recommendations in the last 24 hours.",
        "recommendation_clicked",
        DAY,
    ),
    _ratio(
        "shop_add_rate_24h",
        "Times put into a cart for each page view, in the last 24 hours.",
        "shop_carts_24h",
        "shop_views_24h",
        DAY,
    ),
    _ratio(
        "shop_pay_rate_24h",
        "Paid order lines for each page view, in the last 24 hours.",
        "shop_lines_paid_24h",
        "shop_views_24h",
        DAY,
    ),
    _ratio(
        "shop_click_rate_24h",
        "Clicks among recommendations for each item shown, in the last 24 hours.",
        "shop_recommendation_clicks_24h",
        "shop_items_recommended_24h",
        DAY,
    ),
    _count("shop_views_6h", "Item pages opened in the last 6 hours.", "item_viewed", QUARTER_DAY),
    _count(
        "shop_views_6h_day_before",
        "Item pages opened in the same 6 hours of the day before.",
        "item_viewed",
        QUARTER_DAY,
        offset_s=A_DAY_S,
    ),
    _ratio(
        "shop_trend_6h",
        "Page views of the last 6 hours for each one in the same 6 hours of the day before.",
        "shop_views_6h",
        "shop_views_6h_day_before",
        QUARTER_DAY,
    ),
    _count("shop_units_30d", "Units that were paid in the last 30 days.", "line_paid", MONTH, column="quantity"),
    _count(
        "shop_units_returned_30d",
        "Units that were reported as given back in the last 30 days, also more than were paid.",
        "line_refunded",
        MONTH,
        column="quantity",
    ),
    _ratio(
        "shop_return_rate_30d",
        "Units given back for each unit paid, in the last 30 days.",
        "shop_units_returned_30d",
        "shop_units_30d",
        MONTH,
        is_share=True,
    ),
)

SHOP: tuple[Feature, ...] = (
    Feature(
        name="shop_views_24h",
        meaning="Item pages opened in the shop in the last 24 hours.",
        entity="shop",
        aggregation="count",
        acts=("item_viewed",),
        owner="merchants",
        **DAY,
    ),
    Feature(
        name="shop_visitors_24h",
        meaning="Different users and devices that opened an item page or searched in the last 24 hours.",
        entity="shop",
        aggregation="distinct",
        acts=("item_viewed", "search_performed"),
        column="person_id",
        owner="merchants",
        **DAY,
    ),
    Feature(
        name="shop_buyers_24h",
        meaning="Different users and devices that paid an order in the last 24 hours.",
        entity="shop",
        aggregation="distinct",
        acts=("order_paid",),
        column="person_id",
        owner="merchants",
        **DAY,
    ),
    Feature(
        name="shop_conversion_24h",
        meaning="Users and devices that paid for each one that visited, in the last 24 hours.",
        entity="shop",
        aggregation="ratio",
        numerator="shop_buyers_24h",
        denominator="shop_visitors_24h",
        default=None,
        owner="merchants",
        **DAY,
    ),
    Feature(
        name="shop_paid_minor_24h",
        meaning="What was paid in the last 24 hours, shipping included, discounts taken off, in minor units.",
        entity="shop",
        aggregation="sum",
        acts=("order_paid", "line_paid"),
        column="amount_minor",
        unit="home_minor",
        owner="merchants",
        **DAY,
    ),
)

PERSON_CATEGORY: tuple[Feature, ...] = (
    Feature(
        name="person_category_views_24h",
        meaning="Item pages of the category that the person opened in the last 24 hours.",
        entity="person_category",
        aggregation="count",
        acts=("item_viewed",),
        **DAY,
    ),
    Feature(
        name="person_category_carts_24h",
        meaning="Times that the person put something of the category into the cart in the last 24 hours.",
        entity="person_category",
        aggregation="count",
        acts=("item_added_to_cart",),
        **DAY,
    ),
    Feature(
        name="person_category_units_30d",
        meaning="Units of the category that the person paid for in the last 30 days.",
        entity="person_category",
        aggregation="sum",
        acts=("line_paid",),
        column="quantity",
        is_live=False,
        **MONTH,
    ),
    Feature(
        name="person_category_bulk_lines_30d",
        meaning="Order lines of the category with at least 3 units that the person paid for in the last 30 days.",
        entity="person_category",
        aggregation="count",
        acts=("line_paid",),
        where=(Where("quantity", at_least=3),),
        is_live=False,
        **MONTH,
    ),
)
