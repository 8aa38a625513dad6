"""A day that is not over against the same hours of the same weekday: what it has summed up in the hours that are whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from math import sqrt
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.portal.alerts.usual import WEEKS, Usual, usual_of
from dashboard.portal.shop_marts import Condition, ShopMarts

HOURS = "fct_shop_hours"
# Sums that hours have, each with the count whose chance its scatter follows.
BY_HOUR = {
    "orders": "orders",
    "gmv_minor": "orders",
    "paying_customers": "paying_customers",
    "visitors": "visitors",
    "item_views": "visitors",
}
LEAST_SHARE = 0.25  # of a usual day before its sum so far says something


@dataclass(frozen=True)
class DaySoFar:
    """The hours of ``day`` before ``until_hour`` of the shop's clock, all of them whole.

    ``sums`` are of these hours, of the day and of the same weekday in the weeks before; ``days`` of all hours of the latter.
    """

    day: date
    until_hour: int
    sums: Mapping[date, Mapping[str, float | None]]
    days: Mapping[date, Mapping[str, float | None]]

    def value(self, metric: str) -> float | None:
        """What the day has summed up; None when it is unknown."""
        return self.sums.get(self.day, {}).get(metric)

    def usual(self, metric: str, size: float) -> Usual | None:
        """The band of the same hours; None while they hold less than a quarter of a usual day, or of too few weeks.
        A day that is not known whole has no share, and is left out.

        Counts vary by chance with their root, so that the band reaches at least two of these: nobody is told of two orders in
        place of four.
        """
        before = [day for day in self.sums if day != self.day and self.days.get(day, {}).get(metric) is not None]
        earlier, counts, whole = (
            [float(value) for day in before if (value := by_day.get(day, {}).get(name)) is not None]
            for by_day, name in ((self.sums, metric), (self.sums, BY_HOUR[metric]), (self.days, metric))
        )
        if not earlier or median(earlier) < LEAST_SHARE * median(whole):
            return None
        expected = median(counts) if counts else 0.0
        return usual_of(earlier, max(size, 2 / sqrt(expected)) if expected > 0 else size)


def day_so_far(marts: ShopMarts, day: date, as_of: Any, time_zone: str) -> DaySoFar | None:
    """The day's whole hours up to ``as_of`` (UTC), up to which the marts know it; None before the first hour is over."""
    if as_of is None or not marts.has(HOURS, "shop_date", "shop_hour"):
        return None
    local = as_of.replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone))
    if local.date() != day or local.hour == 0:
        return None
    dates = [day - timedelta(weeks=week) for week in range(WEEKS + 1)]
    names = [name for name in BY_HOUR if marts.has(HOURS, name)]
    rows = marts.select(HOURS, ["shop_date", "shop_hour", *names], [Condition("shop_date", "in", dates)])
    until_then = [row for row in rows if row["shop_hour"] < local.hour]
    return DaySoFar(day, local.hour, _sums(until_then, names), _sums(rows, names))


def _sums(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[date, dict[str, float | None]]:
    """By day; what an hour does not know, its day does not."""
    sums: dict[date, dict[str, float | None]] = {}
    for row in rows:
        of_day = sums.setdefault(row["shop_date"], dict.fromkeys(names, 0.0))
        for name in names:
            known = of_day[name]
            of_day[name] = None if known is None or row[name] is None else known + float(row[name])
    return sums
