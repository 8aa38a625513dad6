"""Numbers of a period as the metric layer answers them, beside those of as many days before it and of the year before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from dashboard.portal.columns import column_of_metric
from dashboard.portal.formats import Formats
from dashboard.portal.open_days import DAYS
from dashboard.portal.pages.numbers import COMPARED_WITH, OtherDay, Tile, direction_of, year_before
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from jishi.metrics import Metric, TimeRange

_BEFORE = "Period before"


def first_day(marts: ShopMarts, mart: str = DAYS) -> date | None:
    """The first day of the shop in a mart; None before it."""
    days = marts.select(mart, ["shop_date"], order_by=[SortKey("shop_date")], limit=1)
    return days[0]["shop_date"] if days else None


def period_tiles(
    marts: ShopMarts,
    formats: Formats,
    metrics: Sequence[str],
    days: tuple[date, date],
    where: Sequence[str] = (),
    rows: Mapping[str, str] | None = None,
    mart: str = DAYS,
) -> list[Tile]:
    """A tile for each metric of this build; what began before the shop's first day in ``mart`` is compared with nothing.

    A sum or count is neither more nor less than before while the period's last day is not over: its hours are missing.
    """
    there = tuple(name for name in metrics if name in marts.build.metrics)
    if not there:
        return []
    first, last = days
    values = _values(marts, there, TimeRange(first, last), where)
    opened = first_day(marts, mart)
    others = [
        (title, since, answer)
        for title, since, until in _periods_before(first, last)
        if opened is not None and opened <= since and (answer := _values(marts, there, TimeRange(since, until), where))
    ]
    is_over = bool(marts.select(DAYS, ["shop_date"], [Condition("shop_date", "=", last), Condition("is_complete", "=", True)]))
    tiles = []
    for name in there:
        metric = marts.build.metrics[name]
        column = column_of_metric(metric)
        value, has_direction = values.get(name), is_over or not _grows(marts.build.metrics, name)
        compared = [
            OtherDay(
                title,
                since,
                formats.value(column, answer.get(name)),
                direction_of(value, answer.get(name)) if has_direction else None,
            )
            for title, since, answer in others
        ]
        tiles.append(Tile("", column, formats.value(column, value), compared, (rows or {}).get(name)))
    return tiles


def metric_table(
    marts: ShopMarts, metrics: Sequence[str], by: str, days: tuple[date, date], where: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Metrics of a period by a dimension or by day, a row for each value; empty in a build without them."""
    if not set(metrics) <= marts.build.metrics.keys():
        return []
    return marts.metric_rows(MetricQuestion(tuple(metrics), (by,), tuple(where), TimeRange(*days)))


def _grows(metrics: Mapping[str, Metric], name: str) -> bool:
    """Whether a number grows with each hour of a period: a sum or count, also one of several models of attribution by their
    number.
    """
    metric = metrics[name]
    parts = [each for each in metric.inputs if metrics[each].unit != "models"]
    if parts and len(parts) < len(metric.inputs):
        return all(_grows(metrics, each) for each in parts)
    return metric.is_additive or metric.is_zero_without_rows


def _periods_before(first: date, last: date) -> list[tuple[str, date, date]]:
    """What a period is compared with: its title, first and last day."""
    length = last - first + timedelta(days=1)
    return [
        (_BEFORE, first - length, last - length),
        (COMPARED_WITH["year_before"], year_before(first), year_before(last)),
    ]


def _values(marts: ShopMarts, metrics: tuple[str, ...], days: TimeRange, where: Sequence[str]) -> dict[str, Any]:
    rows = marts.metric_rows(MetricQuestion(metrics, where=tuple(where), days=days))
    if rows:
        return rows[0]
    # Of nothing a count is 0 once the shop is known; a rate, and what a storefront has yet to show, are not.
    known = {name: marts.build.metrics[name] for name in metrics}
    return {name: 0 for name, metric in known.items() if metric.is_zero_without_rows and metric.known_from == "shop"}
