"""Days of a part of the shop (a channel, a device, a category) as the metric layer answers them, beside days before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from dashboard.portal.columns import Column, column_named
from dashboard.portal.datasets import DATASETS
from dashboard.portal.open_days import day_of
from dashboard.portal.pages.numbers import COMPARED_WITH, date_compared, days_between
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import ShopMarts
from dashboard.portal.visit import PageVisit
from jishi.metrics import TimeRange, equals

# By what an order, a visit, a sold item and a visit to a category are known, and which numbers of a day are of each. Others
# have no parts. An order and a visit can be of several categories, which therefore have numbers that a whole day has not.
KNOWN_BY = {
    "purchase": ("channel",),
    "visit": ("channel", "device", "visitor_type"),
    "item_day": ("category",),
    "visit_category": ("channel", "device", "visitor_type", "category"),
}
OF_ORDERS = (
    *("net_gmv_minor", "gmv_minor", "refunds_minor", "orders", "paying_customers"),
    *("order_value_minor", "customer_value_minor"),
)
OF_VISITS = ("visitors", "sessions", "paying_sessions", "conversion", "item_views")
OF_ITEMS = ("item_net_revenue", "item_orders", "item_units", "return_rate")
OF_CATEGORY_VISITS = (
    *("category_viewed_sessions", "category_cart_sessions", "category_paid_sessions"),
    "category_conversion",
)
_NUMBERS = {"purchase": OF_ORDERS, "visit": OF_VISITS, "item_day": OF_ITEMS, "visit_category": OF_CATEGORY_VISITS}
_ENTITIES = {name: entity for entity, names in _NUMBERS.items() for name in names}
_OF_STOREFRONT = ("visit", "visit_category")
# Where the values of a part are found, in the marts that count by them.
_SOURCES = {
    "channel": ("fct_funnel_days", "fct_orders"),  # a till's orders are of no visit
    "category": ("fct_item_days", "fct_visit_categories"),
}
_DAY = "metric_time__day"
_MOST = 200


class DayPart(NamedTuple):
    """Which part of the shop: a value for each chosen name of ``KNOWN_BY``; without any the whole."""

    values: dict[str, str]

    @classmethod
    def of(cls, visit: PageVisit, names: Sequence[str]) -> DayPart:
        """What the address asks for; an empty field is no choice."""
        return cls({name: visit.query[name] for name in names if name in visit.query})

    def is_known_of(self, name: str) -> bool:
        """Whether a number of a day is known of the part."""
        return set(self.values) <= set(KNOWN_BY.get(_ENTITIES.get(name, ""), ()))

    def unknown_of(self, names: Iterable[str]) -> list[Column]:
        """The numbers that are not known of this part."""
        return [column_named(name) for name in dict.fromkeys(names) if self.values and not self.is_known_of(name)]

    @property
    def is_of_category(self) -> bool:
        """Whether it is part of a category."""
        return "category" in self.values

    def rows(self, visit: PageVisit, dataset: str, **query: object) -> str | None:
        """An address of the rows behind a number, None where these cannot be chosen by part."""
        is_known = set(self.values) <= set(DATASETS[dataset].filters)
        return visit.path("rows", dataset, **query | self.values) if is_known else None

    def where(self, entity: str) -> tuple[str, ...]:
        """The part for the metric layer."""
        return tuple(equals(f"{entity}__{name}", value) for name, value in self.values.items())


def rows_of_category(visit: PageVisit, part: DayPart, first: date, last: date) -> dict[str, str | None]:
    """The numbers of days of a category, each with the rows behind it."""
    days = {"from": first, "to": last}
    sold, visits = part.rows(visit, "item-days", **days), part.rows(visit, "visit-categories", **days, is_bot="false")
    return {name: sold if name in OF_ITEMS else visits for name in (*OF_ITEMS, *OF_CATEGORY_VISITS)}


def choices_of_parts(marts: ShopMarts, names: Sequence[str]) -> dict[str, list[str]]:
    """The values that days may be chosen by."""
    return {
        name: sorted(
            {value for mart in _SOURCES.get(name, ("fct_funnel_days",)) for value in marts.distinct(mart, name, _MOST)}
        )
        for name in names
    }


def days_of_part(marts: ShopMarts, part: DayPart, names: Sequence[str], first: date, last: date) -> list[dict[str, Any]]:
    """Days of a period, oldest first, with the numbers that are known of the part.

    A day on which nothing happened in it is zero, and unknown before the storefront's first act where it is of visits.
    """
    days = days_between(marts, first, last, ["is_complete", "visitors"])
    history = [{"shop_date": day["shop_date"], "is_complete": day.get("is_complete")} for day in days]
    for entity in KNOWN_BY:
        metrics = {
            name: metric
            for name in names
            if _ENTITIES.get(name) == entity and part.is_known_of(name) and (metric := column_named(name).metric)
        }
        metrics = {name: metric for name, metric in metrics.items() if metric in marts.build.metrics}
        if not metrics:
            continue
        question = MetricQuestion(tuple(metrics.values()), (_DAY,), part.where(entity), TimeRange(first, last))
        answers = {day_of(row[_DAY]): row for row in marts.metric_rows(question)}
        for shown, day in zip(history, days, strict=True):
            is_unknown = entity in _OF_STOREFRONT and day.get("visitors") is None
            for name, metric in metrics.items():
                nothing = 0 if marts.build.metrics[metric].is_zero_without_rows else None
                shown[name] = None if is_unknown else answers.get(day["shop_date"], {}).get(metric, nothing)
    return history


def days_before_part(
    marts: ShopMarts, part: DayPart, row: Mapping[str, Any], history: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What a day of a part is compared with; a day that is not over with nothing, as hours are known of the whole shop."""
    if row.get("is_complete") is False:
        return {}
    known = {day["shop_date"]: day for day in history}
    others = {}
    for key in COMPARED_WITH:
        day = date_compared(row["shop_date"], key)
        before = known.get(day) or next(iter(days_of_part(marts, part, names, day, day)), {})
        others[key] = {name: before.get(name) for name in names} | {"compared_date": day}
    return others


def history_before_part(
    marts: ShopMarts, part: DayPart, history: Sequence[Mapping[str, Any]], names: Sequence[str], compared_with: str
) -> list[dict[str, Any]]:
    """What each day of a part's history is compared with, in its order."""
    dates = [date_compared(day["shop_date"], compared_with) for day in history]
    if not dates:
        return []
    before = {day["shop_date"]: day for day in days_of_part(marts, part, names, min(dates), max(dates))}
    return [
        before.get(other, {}) if day.get("is_complete") is not False else {} for day, other in zip(history, dates, strict=True)
    ]
