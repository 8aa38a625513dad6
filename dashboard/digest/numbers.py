"""The numbers of a week, each asked of the metric layer for the week, the one before and the same one of last year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dashboard.digest.changes import Change, change_of
from dashboard.digest.week import Week
from dashboard.portal.alerts.usual import WEEKS, Usual, usual_of
from dashboard.portal.columns import COLUMNS, Column
from dashboard.portal.published_marts import MetricQuestion
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey
from jishi.metrics import TimeRange
from jishi.shop_runs import NothingToDo

METRICS = ("net_gmv", "orders", "buyers", "aov_per_buyer", "refunds", "visitors", "conversion", "repurchase_rate_30d")
# Known from a shop's first visit on, which may be later than its first order.
_OF_TRAFFIC = ("visitors", "conversion")
_UNUSUAL = 0.15  # a week is steadier than a day; its own scatter counts, too
_TOP_ITEMS = 5
_DAYS = "fct_shop_days"
_WEEK = "metric_time__week"
_BY_METRIC = {column.metric: column for column in COLUMNS.values() if column.metric}


class WeekNotReached(RuntimeError):
    """The published marts end before the week does."""


@dataclass(frozen=True)
class WeekNumber:
    """A metric of a week, of the week before and of last year's (None: unknown), in the unit of its column.

    ``usual`` is the band of the weeks before when the week lies outside of it.
    """

    column: Column
    value: Any
    before: Any
    year_before: Any
    usual: Usual | None

    @property
    def change(self) -> Change | None:
        """How far it lies from the week before."""
        return change_of(self.column, self.value, self.before)

    @property
    def year_change(self) -> Change | None:
        """How far it lies from last year's."""
        return change_of(self.column, self.value, self.year_before)

    @property
    def direction(self) -> int | None:
        """1 above the week before, -1 below, 0 equal."""
        return direction(self.value, self.before)


def direction(value: Any, other: Any) -> int | None:
    """1 above, -1 below, 0 equal, None when one of both is unknown."""
    return None if value is None or other is None else (value > other) - (value < other)


@dataclass(frozen=True)
class TopItem:
    """An item by what it brought in the week; ``stock`` is what is left now, None when nobody says."""

    title: str
    title_en: str | None
    revenue_minor: Any
    units: Any
    stock: int | None


@dataclass(frozen=True)
class WeekNumbers:
    """A shop's week: numbers, days with those of the week before, its best items, and segments as they are now."""

    week: Week
    numbers: list[WeekNumber]
    days: list[Mapping[str, Any]]
    items: list[TopItem]
    segments: list[Mapping[str, Any]]

    @property
    def unusual(self) -> list[WeekNumber]:
        """What lies outside of its usual band."""
        return [number for number in self.numbers if number.usual is not None]


def numbers_of(marts: ShopMarts, week: Week) -> WeekNumbers:
    """Raises WeekNotReached, and NothingToDo for a shop that had nothing in this week and the one before."""
    first, last = (_end_of_days(marts, is_newest) for is_newest in (False, True))
    if first is None or last is None or first > week.last or last < week.before.first:
        raise NothingToDo("no day of this week and the one before")
    if last < week.last:
        raise WeekNotReached(f"the marts end on {last}, before {week.last}; run daily first")
    traffic = marts.select(_DAYS, ["shop_date"], [Condition("visitors", ">=", 0)], [SortKey("shop_date")], 1)
    traffic_from = traffic[0]["shop_date"] if traffic else None
    known_from = {metric: traffic_from if metric in _OF_TRAFFIC else first for metric in METRICS}
    question = MetricQuestion(METRICS, (_WEEK,), days=TimeRange(week.year_before.first, week.last))
    rows = {_date(row[_WEEK]): row for row in marts.metric_rows(question) if row[_WEEK] is not None}
    numbers = [_number(metric, rows, week, known_from[metric]) for metric in METRICS if metric in _BY_METRIC]
    counts = [number for number in numbers if number.column.metric in ("orders", "visitors")]
    if not any(number.value or number.before for number in counts):
        raise NothingToDo("no order and no visitor in two weeks")
    where = [Condition("shop_date", ">=", week.before.first), Condition("shop_date", "<=", week.last)]
    days = marts.select(_DAYS, ["shop_date", "net_gmv_minor", "visitors"], where, [SortKey("shop_date")])
    return WeekNumbers(week, numbers, list(days), _top_items(marts, week), _segments(marts))


def _end_of_days(marts: ShopMarts, is_newest: bool) -> date | None:
    """The first or last whole day of the shop."""
    whole = [Condition("is_complete", "=", True)]
    rows = marts.select(_DAYS, ["shop_date"], whole, [SortKey("shop_date", is_newest)], 1)
    return rows[0]["shop_date"] if rows else None


def _number(metric: str, rows: Mapping[date, Mapping[str, Any]], week: Week, known_from: date | None) -> WeekNumber:
    def value_of(asked: Week) -> Any:
        if known_from is None or asked.first < Week.of(known_from).first:
            return None
        row = rows.get(asked.first)
        return (
            row[metric] if row is not None else 0 if metric in ("orders", "buyers", "net_gmv", "refunds", "visitors") else None
        )

    def measure_of(asked: Week) -> Any:
        """None of the week in which the shop began, which is a part of one, unless it began with the week."""
        return value_of(asked) if known_from is not None and asked.first >= known_from else None

    measures = map(measure_of, (week.earlier(weeks) for weeks in range(1, WEEKS + 1)))
    earlier = [float(value) for value in measures if value is not None]
    value, usual = value_of(week), usual_of(earlier, _UNUSUAL)
    is_unusual = value is not None and usual is not None and not usual.low <= float(value) <= usual.high
    column = _BY_METRIC[metric]
    return WeekNumber(column, value, measure_of(week.before), measure_of(week.year_before), usual if is_unusual else None)


def _top_items(marts: ShopMarts, week: Week) -> list[TopItem]:
    """What brought most in the week; empty in a build whose metrics know no items."""
    revenue, units, item = "item_revenue", "item_units", "item_day__item_id"
    if not {revenue, units} <= marts.build.metrics.keys():
        return []
    days = TimeRange(week.first, week.last)
    question = MetricQuestion((revenue, units), (item,), days=days, order=(f"-{revenue}",), limit=_TOP_ITEMS)
    rows = [row for row in marts.metric_rows(question) if row[revenue]]
    about = marts.select(
        "dim_items", ["item_id", "title", "title_en", "stock"], [Condition("item_id", "in", [row[item] for row in rows])]
    )
    by_id = {each["item_id"]: each for each in about}
    items = [(row, by_id.get(row[item], {})) for row in rows]
    return [
        TopItem(entry.get("title") or str(row[item]), entry.get("title_en"), row[revenue], row[units], entry.get("stock"))
        for row, entry in items
    ]


def _segments(marts: ShopMarts) -> list[Mapping[str, Any]]:
    names = ("customer__segment", "customer__segment_zh", "customers", "customer_spend")
    if not marts.has("board_segments", *names):
        return []
    return list(marts.select("board_segments", names, order_by=[SortKey("customer_spend", True)], limit=5))


def _date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value
