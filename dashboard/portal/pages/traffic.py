"""Who comes, and how far: visitors, visits and views by day, and the funnel of one day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import COUNTED_VISITS
from dashboard.portal.formats import Formats
from dashboard.portal.pages.numbers import charts, days_between, freshness, newest_day, tiles
from dashboard.portal.shop_marts import Condition, ShopMarts
from dashboard.portal.visit import PageVisit

_CHARTS = {
    "Visitors by day": ["visitors"],
    "Visits by day": ["sessions", "paying_sessions"],
    "Conversion by day": ["conversion"],
    "Item views by day": ["item_views"],
    "Page views by day": ["page_views"],
}
_FUNNEL = "board_funnel"  # whole days, as the metric layer exports them
_STEPS = ("viewed_sessions", "cart_sessions", "checkout_sessions", "paid_sessions")
_SHOWN_DAYS = 28


def traffic(visit: PageVisit) -> Response:
    """The days of the address, by default the last four weeks; the funnel is that of the last day."""
    first, last = visit.dates()
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest:
            return visit.page("unpublished.html")
        last = last or newest["shop_date"]
        first = first or last - timedelta(days=_SHOWN_DAYS - 1)
        formats = visit.formats(marts)
        columns = [name for names in _CHARTS.values() for name in names]
        history = days_between(marts, first, last, columns)
        visits = visit.path("rows", "visits", **{"from": last, "to": last} | COUNTED_VISITS)
        wanted = {"visitors": visits, "sessions": visits, "conversion": visits, "bot_visitors": None}
        [row] = marts.select("fct_shop_days", list(newest), [Condition("shop_date", "=", last)]) or [{}]
        visit.audit("saw", page="traffic", first=f"{first}", last=f"{last}")
        return visit.page(
            "traffic.html",
            first=first,
            last=last,
            row=row,
            tiles=tiles(marts, formats, row, wanted) if row else [],
            charts=charts(visit, formats, history, _CHARTS),
            history=list(reversed(history)),
            day_columns=[column_named(name) for name in ("shop_date", *columns) if history and name in history[0]],
            funnel=funnel_of(marts, formats, last),
            fresh=freshness(visit, marts, newest),
            formats=formats,
            newest=newest["shop_date"],
            timedelta=timedelta,
        )


def funnel_of(marts: ShopMarts, formats: Formats, day: date) -> list[dict[str, Any]]:
    """The steps of a day, each with its share of the widest for the bar's length; empty where nothing is known of the day."""
    if not marts.has(_FUNNEL, "metric_time__day", *_STEPS):
        return []
    rows = marts.select(_FUNNEL, _STEPS, [Condition("metric_time__day", "=", day)])
    steps = [(column_named(name), row[name]) for row in rows for name in _STEPS if row[name] is not None]
    widest = max((value for _, value in steps), default=0) or 1
    return [
        {"mart": _FUNNEL, "column": column, "value": formats.value(column, value), "length": 100 * value / widest}
        for column, value in steps
    ]
