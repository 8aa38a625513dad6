"""One day of the shop against the day, the week and the year before it, and the month that led to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import COUNTED_VISITS
from dashboard.portal.open_days import open_day
from dashboard.portal.pages.day_parts import (
    DayPart,
    choices_of_parts,
    days_before_part,
    days_of_part,
    history_before_part,
    rows_of_category,
)
from dashboard.portal.pages.numbers import (
    COMPARED_WITH,
    charts,
    columns_of,
    compared_days,
    days_between,
    freshness,
    newest_day,
    tiles,
)
from dashboard.portal.shop_marts import Condition
from dashboard.portal.visit import BadRequest, PageVisit

_CHARTS = {
    "Net sales by day": ["net_gmv_minor"],
    "Orders by day": ["orders"],
    "Visitors by day": ["visitors"],
    "Conversion by day": ["conversion"],
}
_CATEGORY_CHARTS = {
    "Net revenue of items by day": ["item_net_revenue"],
    "Pieces by day": ["item_units"],
    "Visits to the category by day": ["category_viewed_sessions", "category_paid_sessions"],
    "Conversion of the category by day": ["category_conversion"],
}
_COLUMNS = [name for names in _CHARTS.values() for name in names]
_SHOWN_DAYS = 28
_FILTERS = ("channel", "device", "category")


def today(visit: PageVisit) -> Response:
    """The newest day, or the one of the address, beside all days to compare with or the one that was chosen."""
    asked = visit.date_of("date")
    compared_with = visit.query.get("compare")
    if compared_with is not None and compared_with not in COMPARED_WITH:
        raise BadRequest("{field} is not one of the choices.", field="compare")
    part = DayPart.of(visit, _FILTERS)
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest:
            return visit.page("unpublished.html")
        day = asked or newest["shop_date"]
        formats = visit.formats(marts)
        of_day = {"from": day, "to": day}
        orders, visits = part.rows(visit, "orders", **of_day), part.rows(visit, "visits", **of_day | COUNTED_VISITS)
        wanted = {
            # Refunds of the day are of any orders, so that those of the day do not add up to it.
            "net_gmv_minor": orders if part.values else visit.path("rows", "days", **of_day),
            "orders": orders,
            "visitors": visits,
            "conversion": visits,
            "refunds_minor": part.rows(visit, "refunds", **of_day),
            "paying_customers": orders,
            "customer_value_minor": orders,
            "order_value_minor": orders,
        }
        shown_charts = _CHARTS
        if part.is_of_category:
            wanted |= rows_of_category(visit, part, day, day)
            shown_charts = _CHARTS | _CATEGORY_CHARTS
        first, names = day - timedelta(days=_SHOWN_DAYS - 1), [*wanted]
        others: list[dict[str, Any]] = []
        days_before = None
        if part.values:
            history = days_of_part(marts, part, names, first, day)
            row = history[-1] if history and history[-1]["shop_date"] == day else {}
            wanted = {name: rows for name, rows in wanted.items() if part.is_known_of(name)}
            days_before = days_before_part(marts, part, row, history, [*wanted]) if row else {}
            if compared_with:
                others = history_before_part(marts, part, history, [*wanted], compared_with)
        else:
            [row] = marts.select("fct_shop_days", list(newest), [Condition("shop_date", "=", day)]) or [{}]
            history = days_between(marts, first, day, ["is_complete", *_COLUMNS])
            others = compared_days(marts, history, _COLUMNS, compared_with) if compared_with else []
        other_title = visit.text(COMPARED_WITH[compared_with]) if compared_with else ""
        kept = part.values | ({"compare": compared_with} if compared_with else {})
        visit.audit("saw", page="today", date=f"{day}", **part.values)
        return visit.page(
            "today.html",
            day=day,
            row=row,
            tiles=tiles(marts, formats, row, wanted, compared_with=compared_with, others=days_before) if row else [],
            charts=charts(visit, formats, history, shown_charts, others, other_title, open_day(marts)) if row else [],
            part=part,
            column_named=column_named,
            parts_of=choices_of_parts(marts, _FILTERS),
            left_out=part.unknown_of(names),
            choices=COMPARED_WITH,
            compared_with=compared_with,
            day_path=lambda other: visit.path("today", date=other, **kept),
            history=list(reversed(history)),
            day_columns=columns_of(history, shown_charts),
            fresh=freshness(visit, marts, newest),
            formats=formats,
            before=day - timedelta(days=1),
            after=day + timedelta(days=1) if day < newest["shop_date"] else None,
        )
