"""What recommendations bring: shown, clicked, put into the cart, and what was paid after that, by kind."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.formats import Formats
from dashboard.portal.open_days import day_of, open_day
from dashboard.portal.pages.numbers import chart, freshness, newest_day
from dashboard.portal.pages.periods import metric_table, period_tiles
from dashboard.portal.shop_marts import Condition, ShopMarts
from dashboard.portal.visit import BadRequest, PageVisit
from jishi.metrics import equals

MART = "fct_recommendation_days"
DIMENSIONS = ("placement", "served_by", "model", "model_version", "reason", "person_kind", "rules_version", "arm")
_FILTERS = ("placement", "person_kind")
# What each column of the mart is called in the metric layer, which adds it up over days.
_NUMBERS = {
    "impressions": "recommendation_impressions",
    "clicks": "recommendation_clicks",
    "click_through_rate": "recommendation_ctr",
    "add_rate": "recommendation_add_rate",
    "click_orders": "recommendation_click_orders",
    "click_net_revenue_minor": "recommendation_click_revenue",
    "shown_orders": "recommendation_shown_orders",
    "shown_net_revenue_minor": "recommendation_shown_revenue",
}
_CHARTS = ("impressions", "click_through_rate", "click_net_revenue_minor")
_DAY = "metric_time__day"
_SHOWN_DAYS, _MOST_VALUES = 28, 100


def recommendations(visit: PageVisit) -> Response:
    """The days of the address, by default the last four weeks, beside as many days before them."""
    first, last = visit.dates()
    by = visit.query.get("by", DIMENSIONS[0])
    if by not in DIMENSIONS:
        raise BadRequest("{field} is not one of {choices}.", field="by", choices=", ".join(DIMENSIONS))
    chosen = {name: visit.query[name] for name in _FILTERS if name in visit.query}
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest or not marts.has(MART):
            return visit.page("unpublished.html")
        last = last or newest["shop_date"]
        first = first or last - timedelta(days=_SHOWN_DAYS - 1)
        formats, days = visit.formats(marts), (first, last)
        values = {name: marts.distinct(MART, name, _MOST_VALUES) for name in _FILTERS}
        where = [equals(f"recommendation__{name}", value) for name, value in chosen.items() if _is_value(marts, name, value)]
        behind = {"from": first, "to": last} | chosen
        metrics = list(_NUMBERS.values())
        by_day = visit.path("rows", "recommendation-days", **behind)
        visit.audit("saw", page="recommendations", first=f"{first}", last=f"{last}", by=by, **chosen)
        of_days = [Condition("shop_date", ">=", first), Condition("shop_date", "<=", last)]
        of_days += [Condition(name, "=", value) for name, value in chosen.items()]
        is_known = bool(marts.select(MART, ["shop_date"], of_days, limit=1))
        return visit.page(
            "recommendations.html",
            first=first,
            last=last,
            newest=newest["shop_date"],
            by=by,
            dimensions=[column_named(name) for name in DIMENSIONS],
            filters=[(column_named(name), values[name], chosen.get(name)) for name in _FILTERS],
            is_known=is_known,
            is_open=(not_over := open_day(marts)) is not None and not_over <= last,
            may_rise=bool(marts.select(MART, ["shop_date"], [*of_days, Condition("is_settled", "=", False)], limit=1)),
            tiles=period_tiles(marts, formats, metrics, days, where, dict.fromkeys(metrics, by_day), MART) if is_known else [],
            charts=_charts(visit, marts, formats, days, where) if is_known else [],
            columns=[column_named(name) for name in (by, *_NUMBERS)],
            mart=MART,
            rows=_rows(marts, by, days, where) if is_known else [],
            choose=lambda name: visit.path("recommendations", **behind | {"by": name}),
            of_value=lambda value: visit.path("rows", "recommendation-days", **behind | {by: value}),
            lists=visit.path("rows", "recommendation-lists", **behind),
            by_day=by_day,
            fresh=freshness(visit, marts, newest),
            formats=formats,
            timedelta=timedelta,
        )


def _is_value(marts: ShopMarts, name: str, value: str) -> bool:
    """Whether the mart knows the value; only such a one may stand in a question to the metric layer."""
    return bool(marts.select(MART, [name], [Condition(name, "=", value)], limit=1))


def _rows(marts: ShopMarts, by: str, days: tuple[date, date], where: list[str]) -> list[dict[str, Any]]:
    """The numbers by the chosen dimension, the most shown first."""
    dimension = f"recommendation__{by}"
    rows = metric_table(marts, list(_NUMBERS.values()), dimension, days, where)
    rows.sort(key=lambda row: (-row[_NUMBERS["impressions"]], str(row[dimension])))
    return [{by: row[dimension]} | {name: row[metric] for name, metric in _NUMBERS.items()} for row in rows]


def _charts(
    visit: PageVisit, marts: ShopMarts, formats: Formats, days: tuple[date, date], where: list[str]
) -> list[dict[str, Any]]:
    """A line for each day; a day on which nothing was shown is left open."""
    rows = metric_table(marts, [_NUMBERS[name] for name in _CHARTS], _DAY, days, where)
    known = {day_of(row[_DAY]): row for row in rows}
    length = (days[1] - days[0]).days + 1
    history = [
        {"shop_date": day} | {name: known.get(day, {}).get(_NUMBERS[name]) for name in _CHARTS}
        for day in (days[0] + timedelta(days=number) for number in range(length))
    ]
    not_over = open_day(marts)
    return [chart(formats, visit.label(column_named(name)), history, [name], not_over=not_over) for name in _CHARTS if rows]
