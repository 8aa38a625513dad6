"""Features of a whole shop, and of a person within one category."""

from __future__ import annotations

from jishi.features.declared.windows import DAY, MONTH
from jishi.features.definition import Feature, Where

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
        meaning="Different persons who opened an item page or searched in the last 24 hours.",
        entity="shop",
        aggregation="distinct",
        acts=("item_viewed", "search_performed"),
        column="person_id",
        owner="merchants",
        **DAY,
    ),
    Feature(
        name="shop_buyers_24h",
        meaning="Different persons who paid an order in the last 24 hours.",
        entity="shop",
        aggregation="distinct",
        acts=("order_paid",),
        column="person_id",
        owner="merchants",
        **DAY,
    ),
    Feature(
        name="shop_conversion_24h",
        meaning="Persons who paid for each person who visited, in the last 24 hours.",
        entity="shop",
        aggregation="ratio",
        numerator="shop_buyers_24h",
        denominator="shop_visitors_24h",
        default=0.0,
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
