"""Who comes, and how far: visitors, visits and views by day, and the funnel of these days."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import COUNTED_VISITS
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.day_parts import OF_CATEGORY_VISITS, DayPart, days_before_part, days_of_part, rows_of_category
from dashboard.portal.pages.funnel import FunnelChoice, category_funnels, choices_of, funnel_of
from dashboard.portal.pages.numbers import charts, columns_of, days_between, freshness, newest_day, tiles
from dashboard.portal.shop_marts import Condition
from dashboard.portal.visit import PageVisit

_CHARTS = {
    "Visitors by day": ["visitors"],
    "Visits by day": ["sessions", "paying_sessions"],
    "Conversion by day": ["conversion"],
    "Item views by day": ["item_views"],
    "Page views by day": ["page_views"],
}
_CATEGORY_CHARTS = {
    "Visits to the category by day": ["category_viewed_sessions", "category_paid_sessions"],
    "Conversion of the category by day": ["category_conversion"],
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
        choice = FunnelChoice.of(visit, first, last)
        part = DayPart(choice.values | ({"category": choice.category} if choice.category else {}))
        shown_charts = _CHARTS | (_CATEGORY_CHARTS if part.is_of_category else {})
        columns = [name for names in shown_charts.values() for name in names]
        of_day = {"from": last, "to": last}
        visits = part.rows(visit, "visits", **of_day | COUNTED_VISITS)
        whole_day = None if part.values else visit.path("rows", "days", **of_day)
        bots = part.rows(visit, "visits", **of_day | COUNTED_VISITS | {"is_bot": "true"})
        wanted = {"visitors": visits, "sessions": visits, "page_views": whole_day, "conversion": visits, "bot_visitors": bots}
        if part.is_of_category:
            of_category = rows_of_category(visit, part, last, last)
            wanted |= {name: of_category[name] for name in OF_CATEGORY_VISITS}
        left_out, days_before = part.unknown_of([*wanted, *columns]), None
        if part.values:
            wanted = {name: rows for name, rows in wanted.items() if part.is_known_of(name)}
            history = days_of_part(marts, part, [*wanted, *columns], first, last)
            row = history[-1] if history and history[-1]["shop_date"] == last else {}
            days_before = days_before_part(marts, part, row, history, [*wanted]) if row else {}
        else:
            history = days_between(marts, first, last, columns)
            [row] = marts.select("fct_shop_days", list(newest), [Condition("shop_date", "=", last)]) or [{}]
        category_columns, categories = category_funnels(visit, marts, formats, choice)
        visit.audit("saw", page="traffic", first=f"{first}", last=f"{last}", **choice.values, category=choice.category)
        return visit.page(
            "traffic.html",
            first=first,
            last=last,
            row=row,
            tiles=tiles(marts, formats, row, wanted, others=days_before) if row else [],
            charts=charts(visit, formats, history, shown_charts, not_over=open_day(marts)),
            history=list(reversed(history)),
            day_columns=columns_of(history, shown_charts),
            choice=choice,
            left_out=left_out,
            last_days=lambda days: visit.path("traffic", **choice.of_days(*_last_days(newest["shop_date"], days)).as_query()),
            choices=choices_of(marts),
            funnel=funnel_of(marts, formats, choice),
            category_columns=category_columns,
            categories=categories,
            fresh=freshness(visit, marts, newest),
            formats=formats,
            newest=newest["shop_date"],
            column_named=column_named,
        )


def _last_days(last: date, days: int) -> tuple[date, date]:
    return last - timedelta(days=days - 1), last
