"""Features of a person over 30 days, from the backfill."""

from __future__ import annotations

from typing import Any

from jishi.features.declaration import Aggregation
from jishi.features.declared.beside import with_values
from jishi.features.declared.social import NOT_OWN_SHARE
from jishi.features.declared.windows import MONTH
from jishi.features.definition import Feature, Where

_NIGHT = (22, 23, 0, 1, 2, 3, 4, 5)


def _month(name: str, meaning: str, aggregation: Aggregation, **more: Any) -> Feature:
    """A feature of a person over 30 days; ``more`` are further parts of the declaration."""
    return Feature(name=name, meaning=meaning, entity="person", aggregation=aggregation, is_live=False, **MONTH, **more)


PERSON_MONTH: tuple[Feature, ...] = (
    _month(
        "person_orders_30d",
        "Orders that the person paid in the last 30 days.",
        "count",
        acts=("order_paid",),
    ),
    _month(
        "person_spend_minor_30d",
        "What the person paid in the last 30 days, shipping included, discounts taken off, in minor units.",
        "sum",
        acts=("order_paid", "line_paid"),
        column="amount_minor",
        unit="home_minor",
    ),
    _month(
        "person_order_value_30d",
        "What an order of the person came to on average in the last 30 days, in minor units (客单价).",
        "ratio",
        numerator="person_spend_minor_30d",
        denominator="person_orders_30d",
        unit="home_minor",
        default=None,
    ),
    _month(
        "person_refunded_minor_30d",
        "What was reported as paid back to the person in the last 30 days, in minor units, also more than was paid.",
        "sum",
        acts=("order_refunded",),
        column="amount_minor",
        unit="home_minor",
    ),
    *with_values(
        _month(
            "person_categories_paid_30d",
            "Different categories that the person bought from in the last 30 days.",
            "distinct",
            acts=("line_paid",),
            column="category",
        )
    ),
    *with_values(
        _month(
            "person_active_days_30d",
            "Different days, by the shop's clocks, on which the person opened item pages or paid in the last 30 days.",
            "distinct",
            acts=("item_viewed", "order_paid"),
            column="day_local",
        )
    ),
    *with_values(
        _month(
            "person_active_hours_30d",
            "Different hours of the shop's day at which the person opened item pages in the last 30 days.",
            "distinct",
            acts=("item_viewed",),
            column="hour_local",
        )
    ),
    _month(
        "person_night_views_30d",
        "Item pages that the person opened between 22:00 and 6:00 by the shop's clocks in the last 30 days.",
        "count",
        acts=("item_viewed",),
        where=(Where("hour_local", one_of=_NIGHT),),
    ),
    _month(
        "person_shares_30d",
        "Links that the person shared in the last 30 days.",
        "count",
        acts=("item_shared",),
    ),
    _month(
        "person_share_opens_30d",
        "Times that somebody else opened a link which the person had shared, in the last 30 days.",
        "count",
        acts=("share_brought",),
        where=(NOT_OWN_SHARE,),
    ),
    *with_values(
        _month(
            "person_group_buys_30d",
            "Group buys that the person opened or joined in the last 30 days.",
            "distinct",
            acts=("group_buy_opened", "group_buy_joined"),
            column="group_buy_id",
        )
    ),
)
