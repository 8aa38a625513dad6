"""Who buys again: repurchase, segments, retention by cohort, and the customers themselves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import DATASETS, RowChoice
from dashboard.portal.formats import Formats
from dashboard.portal.open_days import DAYS, open_day
from dashboard.portal.pages.numbers import charts, days_between, freshness, newest_day, tiles
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import PageVisit

_RATES = ("repurchase_rate_7d", "repurchase_rate_30d", "repurchase_rate_90d", "repurchase_rate_365d", "customers_30d")
_CURVE = "repurchase_rate_30d"
_MOST_SHOWN = 20
_MOST_MONTHS = 12
_SHOWN_DAYS = 90


def customers(visit: PageVisit) -> Response:
    """Repurchase up to the day of the address, by default the newest that is over; all customers, or those of a segment.

    Persons are listed for members who may see them.
    """
    asked = visit.date_of("date")
    segment = visit.query.get("segment")
    sees_persons = visit.shop.may("people")
    dataset = DATASETS["customers"]
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest:
            return visit.page("unpublished.html")
        row = _day(marts, asked) if asked else _newest_whole_day(marts) or newest
        day = asked or row["shop_date"]
        formats = visit.formats(marts)
        shown = [column for column in dataset.shown_columns(marts, True) if column.name not in visit.other_language]
        where = RowChoice(None, None, {"segment": segment} if segment else {}).conditions(dataset)
        history = days_between(marts, day - timedelta(days=_SHOWN_DAYS - 1), day, [_CURVE])
        visit.audit("saw", page="customers", date=f"{day}", segment=segment)
        cohorts = cohorts_of(marts, formats)
        return visit.page(
            "customers.html",
            day=day,
            row=row,
            tiles=tiles(marts, formats, row, dict.fromkeys(_RATES)) if row else [],
            charts=charts(visit, formats, history, {"Repurchase within 30 days, by day": [_CURVE]}, not_over=open_day(marts)),
            segments=segments_of(visit, marts, formats),
            cohorts=cohorts,
            widest_cohort=max((len(cohort["cells"]) for cohort in cohorts), default=0),
            orders_of=lambda person_id: visit.path("rows", "orders", person_id=person_id),
            segment=segment,
            segment_name=formats.chosen(column_named("segment"), segment or ""),
            shown=shown if sees_persons else [],
            customers=dataset.rows(marts, shown, where, _MOST_SHOWN) if sees_persons else [],
            fresh=freshness(visit, marts, newest),
            formats=formats,
            dataset=dataset,
        )


def _day(marts: ShopMarts, day: date) -> dict[str, Any]:
    rows = marts.select(DAYS, marts.columns[DAYS], [Condition("shop_date", "=", day)])
    return rows[0] if rows else {}


def _newest_whole_day(marts: ShopMarts) -> dict[str, Any]:
    """Rates of so many days up to an open one are of fewer hours; those of the last whole day can be compared."""
    order = [SortKey("shop_date", is_descending=True)]
    rows = marts.select(DAYS, marts.columns[DAYS], [Condition("is_complete", "=", True)], order, limit=1)
    return rows[0] if rows else {}


def segments_of(visit: PageVisit, marts: ShopMarts, formats: Formats) -> list[dict[str, Any]]:
    """Segments with their customers and spend as the metric layer exports them; empty without that export."""
    names = ("customers", "customer_orders", "customer_spend")
    if not marts.has("board_segments", "customer__segment", *names):
        return []
    rows = marts.select("board_segments", ["customer__segment", *names], order_by=[SortKey("customer_spend", True)])
    segment = column_named("customer__segment")
    widest = max((row["customers"] or 0 for row in rows), default=0) or 1
    return [
        {
            "segment": row["customer__segment"],
            "title": formats.chosen(segment, row[segment.name] or "") or visit.text("unknown"),
            "values": {name: formats.value(column_named(name), row[name]) for name in names},
            "length": 100 * (row["customers"] or 0) / widest,
        }
        for row in rows
    ]


def cohorts_of(marts: ShopMarts, formats: Formats) -> list[dict[str, Any]]:
    """Months of first orders, newest first, each with its size and the retention of the months since."""
    if not marts.has("fct_cohorts", "period", "cohort_date", "period_number", "customers", "retention"):
        return []
    rows = marts.select(
        "fct_cohorts",
        ["cohort_date", "period_number", "customers", "retention"],
        [Condition("period", "=", "month"), Condition("period_number", "<=", _MOST_MONTHS)],
        [SortKey("cohort_date", True), SortKey("period_number")],
    )
    cohorts: dict[Any, dict[str, Any]] = {}
    for row in rows:
        cohort = cohorts.setdefault(
            row["cohort_date"],
            {
                "month": f"{row['cohort_date']:%Y-%m}",
                "size": formats.value(column_named("customers"), row["customers"]),
                "cells": [],
            },
        )
        value = row["retention"]
        shade = 0 if value is None else min(9, int(value * 10))
        cohort["cells"].append(
            {"value": formats.value(column_named("retention"), value), "shade": shade, "known": value is not None}
        )
    return list(cohorts.values())[:_MOST_MONTHS]
