"""Every real-time feature, declared once. Adding one is one declaration here and no other edit."""

from __future__ import annotations

from jishi.features.definition import Feature

_HOUR = 3600
_SLIDE = 60

FEATURES: tuple[Feature, ...] = (
    Feature(
        name="last_items",
        meaning="The last 20 items that the person viewed, put into the cart or clicked among recommendations; newest first.",
        entity="person",
        event_types=("item_viewed", "item_added_to_cart", "recommendation_clicked"),
        aggregation="last_n",
        n=20,
        default=(),
    ),
    Feature(
        name="person_views_1h",
        meaning="Item pages that the person opened in the last hour.",
        entity="person",
        event_types=("item_viewed",),
        aggregation="count",
        size_s=_HOUR,
        slide_s=_SLIDE,
    ),
    Feature(
        name="person_carts_1h",
        meaning="Times that the person put something into the cart in the last hour.",
        entity="person",
        event_types=("item_added_to_cart",),
        aggregation="count",
        size_s=_HOUR,
        slide_s=_SLIDE,
    ),
    Feature(
        name="item_views_1h",
        meaning="Times that the item's page was opened in the last hour.",
        entity="item",
        event_types=("item_viewed",),
        aggregation="count",
        size_s=_HOUR,
        slide_s=_SLIDE,
    ),
    Feature(
        name="item_carts_1h",
        meaning="Times that the item was put into a cart in the last hour.",
        entity="item",
        event_types=("item_added_to_cart",),
        aggregation="count",
        size_s=_HOUR,
        slide_s=_SLIDE,
    ),
)


def views() -> dict[str, tuple[Feature, ...]]:
    """Features by view, in the order of declaration."""
    grouped: dict[str, list[Feature]] = {}
    for feature in FEATURES:
        grouped.setdefault(feature.view, []).append(feature)
    return {name: tuple(members) for name, members in grouped.items()}
