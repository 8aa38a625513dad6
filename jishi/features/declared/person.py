"""Features of a person."""

from __future__ import annotations

from jishi.features.declared.beside import with_times, with_values
from jishi.features.declared.windows import DAY, HOUR, MONTH
from jishi.features.definition import Feature, Where

_INTEREST = ("item_viewed", "item_added_to_cart", "recommendation_clicked")
# 22:00 to 05:59 at UTC+8, where most shops are.
_NIGHT_UTC = tuple(range(14, 22))

PERSON: tuple[Feature, ...] = (
    *with_times(
        Feature(
            name="last_items",
            meaning="The last 20 items that the person viewed, put into the cart or clicked as recommended; newest first.",
            entity="person",
            aggregation="last_n",
            acts=_INTEREST,
            column="item_id",
            n=20,
            default=(),
        )
    ),
    *with_times(
        Feature(
            name="last_categories",
            meaning="The categories of the last 5 items that the person viewed or put into the cart; newest first.",
            entity="person",
            aggregation="last_n",
            acts=("item_viewed", "item_added_to_cart"),
            column="category",
            n=5,
            default=(),
        )
    ),
    Feature(
        name="last_paid_at_ms",
        meaning="When the person paid last, in the order in which orders became known; epoch milliseconds.",
        entity="person",
        aggregation="last",
        acts=("order_paid",),
        column="occurred_at_ms",
        default=None,
    ),
    Feature(
        name="first_seen_at_ms",
        meaning="When the person was first seen to look, search or open a shared link; epoch milliseconds.",
        entity="person",
        aggregation="first_seen",
        acts=("item_viewed", "search_performed", "share_opened"),
        default=None,
    ),
    Feature(
        name="person_views_1h",
        meaning="Item pages that the person opened in the last hour.",
        entity="person",
        aggregation="count",
        acts=("item_viewed",),
        **HOUR,
    ),
    Feature(
        name="person_carts_1h",
        meaning="Times that the person put something into the cart in the last hour.",
        entity="person",
        aggregation="count",
        acts=("item_added_to_cart",),
        **HOUR,
    ),
    Feature(
        name="person_views_24h",
        meaning="Item pages that the person opened in the last 24 hours.",
        entity="person",
        aggregation="count",
        acts=("item_viewed",),
        **DAY,
    ),
    Feature(
        name="person_searches_24h",
        meaning="Searches of the person in the last 24 hours.",
        entity="person",
        aggregation="count",
        acts=("search_performed",),
        **DAY,
    ),
    Feature(
        name="person_carts_24h",
        meaning="Times that the person put something into the cart in the last 24 hours.",
        entity="person",
        aggregation="count",
        acts=("item_added_to_cart",),
        **DAY,
    ),
    Feature(
        name="person_add_rate_24h",
        meaning="Times put into the cart for each item page opened, in the last 24 hours.",
        entity="person",
        aggregation="ratio",
        numerator="person_carts_24h",
        denominator="person_views_24h",
        default=0.0,
        **DAY,
    ),
    *with_values(
        Feature(
            name="person_items_24h",
            meaning="Different items that the person viewed in the last 24 hours.",
            entity="person",
            aggregation="distinct",
            acts=("item_viewed",),
            column="item_id",
            **DAY,
        )
    ),
    *with_values(
        Feature(
            name="person_categories_24h",
            meaning="Different categories that the person viewed in the last 24 hours.",
            entity="person",
            aggregation="distinct",
            acts=("item_viewed",),
            column="category",
            **DAY,
        )
    ),
    *with_values(
        Feature(
            name="person_sessions_24h",
            meaning="Different visits of the person in the last 24 hours, as the storefront counts them.",
            entity="person",
            aggregation="distinct",
            acts=("item_viewed", "search_performed", "item_added_to_cart"),
            column="session_id",
            **DAY,
        )
    ),
    Feature(
        name="person_price_min_24h",
        meaning="Lowest price among the item pages that the person opened in the last 24 hours, in minor units.",
        entity="person",
        aggregation="min",
        acts=("item_viewed",),
        column="unit_price_minor",
        default=None,
        **DAY,
    ),
    Feature(
        name="person_price_max_24h",
        meaning="Highest price among the item pages that the person opened in the last 24 hours, in minor units.",
        entity="person",
        aggregation="max",
        acts=("item_viewed",),
        column="unit_price_minor",
        default=None,
        **DAY,
    ),
    Feature(
        name="person_price_sum_24h",
        meaning="Sum of the prices of the item pages that the person opened in the last 24 hours, in minor units.",
        entity="person",
        aggregation="sum",
        acts=("item_viewed",),
        column="unit_price_minor",
        **DAY,
    ),
    Feature(
        name="person_priced_views_24h",
        meaning="Item pages with a price that the person opened in the last 24 hours.",
        entity="person",
        aggregation="count",
        acts=("item_viewed",),
        where=(Where("unit_price_minor"),),
        **DAY,
    ),
    Feature(
        name="person_price_mean_24h",
        meaning="Mean price of the item pages that the person opened in the last 24 hours, in minor units.",
        entity="person",
        aggregation="ratio",
        numerator="person_price_sum_24h",
        denominator="person_priced_views_24h",
        default=None,
        **DAY,
    ),
    Feature(
        name="person_quiet_s",
        meaning="Seconds from the person's last item page or search within 24 hours to the end of the window.",
        entity="person",
        aggregation="seconds_since",
        acts=("item_viewed", "search_performed"),
        default=None,
        **DAY,
    ),
    Feature(
        name="person_orders_30d",
        meaning="Orders that the person paid in the last 30 days.",
        entity="person",
        aggregation="count",
        acts=("order_paid",),
        is_live=False,
        **MONTH,
    ),
    Feature(
        name="person_spend_minor_30d",
        meaning="What the person paid in the last 30 days, shipping included, discounts taken off, in minor units.",
        entity="person",
        aggregation="sum",
        acts=("order_paid", "line_paid"),
        column="amount_minor",
        is_live=False,
        **MONTH,
    ),
    Feature(
        name="person_order_value_30d",
        meaning="What an order of the person came to on average in the last 30 days, in minor units (客单价).",
        entity="person",
        aggregation="ratio",
        numerator="person_spend_minor_30d",
        denominator="person_orders_30d",
        default=None,
        is_live=False,
        **MONTH,
    ),
    Feature(
        name="person_refunded_minor_30d",
        meaning="What was paid back to the person in the last 30 days, in minor units.",
        entity="person",
        aggregation="sum",
        acts=("order_refunded",),
        column="amount_minor",
        is_live=False,
        **MONTH,
    ),
    *with_values(
        Feature(
            name="person_categories_paid_30d",
            meaning="Different categories that the person bought from in the last 30 days.",
            entity="person",
            aggregation="distinct",
            acts=("line_paid",),
            column="category",
            is_live=False,
            **MONTH,
        )
    ),
    *with_values(
        Feature(
            name="person_active_days_30d",
            meaning="Different days (UTC) on which the person opened item pages or paid in the last 30 days.",
            entity="person",
            aggregation="distinct",
            acts=("item_viewed", "order_paid"),
            column="day_utc",
            is_live=False,
            **MONTH,
        )
    ),
    *with_values(
        Feature(
            name="person_active_hours_30d",
            meaning="Different hours of the day (UTC) at which the person opened item pages in the last 30 days.",
            entity="person",
            aggregation="distinct",
            acts=("item_viewed",),
            column="hour_utc",
            is_live=False,
            **MONTH,
        )
    ),
    Feature(
        name="person_night_views_30d",
        meaning="Item pages that the person opened between 14:00 and 22:00 UTC (night in China) in the last 30 days.",
        entity="person",
        aggregation="count",
        acts=("item_viewed",),
        where=(Where("hour_utc", one_of=_NIGHT_UTC),),
        is_live=False,
        **MONTH,
    ),
    Feature(
        name="person_shares_30d",
        meaning="Links that the person shared in the last 30 days.",
        entity="person",
        aggregation="count",
        acts=("item_shared",),
        is_live=False,
        **MONTH,
    ),
    Feature(
        name="person_share_opens_30d",
        meaning="Times that somebody opened a link which the person had shared, in the last 30 days.",
        entity="person",
        aggregation="count",
        acts=("share_brought",),
        is_live=False,
        **MONTH,
    ),
    *with_values(
        Feature(
            name="person_group_buys_30d",
            meaning="Group buys that the person opened or joined in the last 30 days.",
            entity="person",
            aggregation="distinct",
            acts=("group_buy_opened", "group_buy_joined"),
            column="group_buy_id",
            is_live=False,
            **MONTH,
        )
    ),
)
