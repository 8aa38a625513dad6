"""Who comes, and how far: visitors, visits and views by day, and the funnel of these days."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import COUNTED_VISITS
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.funnel import FunnelChoice, category_funnels, choices_of, funnel_of
from dashboard.portal.pages.numbers import charts, days_between, freshness, newest_day, tiles
from dashboard.portal.shop_marts import Condition
from dashboard.portal.visit import PageVisit

_CHARTS = {
    "Visitors by day": ["visitors"],
    "Visits by day": ["sessions", "paying_sessions"],
    "Conversion by day": ["conversion"],
    "Item views by day": ["item_views"],
    "Page views by day": ["page_views"],
}
_SHOWN_DAYS = 28


def traffic(visit: PageVisit) -> Response:
    """The days of the address, by default the last four weeks; the funnel is of all visits or those chosen."""
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
        wanted = {"visitors": visits, "sessions": visits, "page_views": None, "conversion": visits, "bot_visitors": None}
        [row] = marts.select("fct_shop_days", list(newest), [Condition("shop_date", "=", last)]) or [{}]
        choice = FunnelChoice.of(visit, first, last)
        category_columns, categories = category_funnels(visit, marts, formats, choice)
        visit.audit("saw", page="traffic", first=f"{first}", last=f"{last}", **choice.values, category=choice.category)
        return visit.page(
            "traffic.html",
            first=first,
            last=last,
            row=row,
            tiles=tiles(marts, formats, row, wanted) if row else [],
            charts=charts(visit, formats, history, _CHARTS, not_over=open_day(marts)),
            history=list(reversed(history)),
            day_columns=[column_named(name) for name in ("shop_date", *columns) if history and name in history[0]],
            choice=choice,
            choices=choices_of(marts),
            funnel=funnel_of(marts, formats, choice),
            category_columns=category_columns,
            categories=categories,
            fresh=freshness(visit, marts, newest),
            formats=formats,
            newest=newest["shop_date"],
            timedelta=timedelta,
            column_named=column_named,
        )
