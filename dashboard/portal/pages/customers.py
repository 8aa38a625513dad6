"""Who buys again: repurchase, segments, retention by cohort, and the customers themselves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from dashboard.portal.columns import column_named
from dashboard.portal.datasets import DATASETS, RowChoice, who_ordered
from dashboard.portal.formats import Formats
from dashboard.portal.open_days import DAYS, open_day
from dashboard.portal.pages.day_parts import choices_of_parts
from dashboard.portal.pages.numbers import charts, days_between, freshness, newest_day, tiles
from dashboard.portal.pages.periods import period_tiles
from dashboard.portal.pages.segment_moves import SCHEMES, segment_moves
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from dashboard.portal.visit import PageVisit
from jishi.metrics import equals

_RATES = ("repurchase_rate_7d", "repurchase_rate_30d", "repurchase_rate_90d", "repurchase_rate_365d", "customers_30d")
_CURVE = "repurchase_rate_30d"
_CHART = "Repurchase within 30 days, by day"
_BUYERS = ("buyers", "repeat_orders", "repeat_order_share", "gmv_of_buyers", "aov_per_buyer")
_BUYERS_DAYS = 30
_CHOICES = ("date", "channel", "segment", "scheme", "month")
_EXCLUDED = "excluded_reason"  # whoever has one is no customer by the shop's rules
_MOST_SHOWN = 20
_MOST_MONTHS = 12
_SHOWN_DAYS = 90


def customers(visit: PageVisit) -> Response:
    """Repurchase up to the day of the address, by default the newest that is over; all customers, or those of a segment or a
    channel, of which repurchase is not known.

    Customers are listed for members who may see persons.
    """
    asked = visit.date_of("date")
    segment, channel = visit.query.get("segment"), visit.query.get("channel")
    chosen = {name: visit.query[name] for name in _CHOICES if name in visit.query}
    sees_persons = visit.shop.may("people")
    dataset = DATASETS["customers"]
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest:
            return visit.page("unpublished.html")
        row = _day(marts, asked) if asked else _newest_whole_day(marts) or newest
        day = asked or row["shop_date"]
        formats = visit.formats(marts)
        hidden = {*visit.other_language, _EXCLUDED}
        shown = [column for column in dataset.shown_columns(marts, True) if column.name not in hidden]
        choice = RowChoice(None, None, {name: chosen[name] for name in ("segment", "channel") if name in chosen})
        of_choice = choice.conditions(dataset)
        of_choice += [Condition(_EXCLUDED, "is null", None)] if marts.has(dataset.mart, _EXCLUDED) else []
        history = days_between(marts, day - timedelta(days=_SHOWN_DAYS - 1), day, [_CURVE])
        visit.audit("saw", page="customers", **chosen | {"date": f"{day}"})
        cohorts = [] if channel else cohorts_of(marts, formats)
        return visit.page(
            "customers.html",
            day=day,
            row=row,
            tiles=tiles(marts, formats, row, dict.fromkeys(_RATES)) if row and not channel else [],
            charts=charts(visit, formats, history, {_CHART: [_CURVE]}, not_over=open_day(marts)) if not channel else [],
            buyers=_buyers(visit, marts, formats, day, channel) if row else [],
            buyers_days=_BUYERS_DAYS,
            segments=segments_of(visit, marts, formats, channel),
            moves=None if channel else segment_moves(visit, marts, formats),
            schemes=SCHEMES,
            left_out=[column_named(name) for name in _RATES] if channel else [],
            parts_of=choices_of_parts(marts, ("channel",)),
            channel=channel,
            channel_name=formats.chosen(column_named("channel"), channel or ""),
            column_named=column_named,
            rows_of_choice=visit.path("rows", dataset.name, **choice.as_query()),
            chosen=chosen,
            chosen_path=lambda **changes: visit.path("customers", **{k: v for k, v in (chosen | changes).items() if v}),
            cohorts=cohorts,
            widest_cohort=max((len(cohort["cells"]) for cohort in cohorts), default=0),
            orders_of=lambda person_id: visit.path("rows", "orders", person_id=person_id),
            segment=segment,
            segment_name=formats.chosen(column_named("segment"), segment or ""),
            shown=shown if sees_persons else [],
            customers=dataset.rows(marts, shown, of_choice, _MOST_SHOWN) if sees_persons else [],
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


def _buyers(visit: PageVisit, marts: ShopMarts, formats: Formats, day: date, channel: str | None) -> list[Any]:
    """Who bought in the days up to one, of all channels or one, with the orders behind each number."""
    days = (day - timedelta(days=_BUYERS_DAYS - 1), day)
    chosen = {"channel": channel} if channel else {}
    where = [equals(f"purchase__{name}", value) for name, value in chosen.items()]
    behind = visit.path("rows", "orders", **{"from": days[0], "to": day}, **chosen)
    return period_tiles(marts, formats, _BUYERS, days, where, dict.fromkeys(_BUYERS, behind))


def segments_of(visit: PageVisit, marts: ShopMarts, formats: Formats, channel: str | None = None) -> list[dict[str, Any]]:
    """Segments with their customers and spend as the metric layer exports them, or answers them of those who ever ordered
    through a channel; empty without that export.
    """
    names = ("customers", "customer_orders", "customer_spend")
    segment = column_named("customer__segment")
    if not marts.has("board_segments", segment.name, *names):
        return []
    if channel:
        question = MetricQuestion(names, (segment.name,), order=("-customer_spend",))
        rows = marts.metric_rows(question, [who_ordered("channel", channel)])
    else:
        rows = marts.select("board_segments", [segment.name, *names], order_by=[SortKey("customer_spend", True)])
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
