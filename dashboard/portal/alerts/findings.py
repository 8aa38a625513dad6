"""Which days of a shop a rule finds unusual: each against the same weekday of the weeks before, one not over by its hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dashboard.portal.alerts.rules import GROWING, AlertRule
from dashboard.portal.alerts.so_far import BY_HOUR, DaySoFar, day_so_far
from dashboard.portal.alerts.usual import WEEKS, Usual, usual_of
from dashboard.portal.shop_marts import Condition, ShopMarts, SortKey

DAYS = "fct_shop_days"


@dataclass(frozen=True)
class UnusualDay:
    """A day on which a number was outside of its usual band; ``until_hour``: in its hours before that one."""

    day: date
    value: float
    usual: Usual
    until_hour: int | None = None


def days_of(marts: ShopMarts, metrics: Sequence[str], first: date, last: date) -> dict[date, dict[str, Any]]:
    """The shop's days with the numbers that rules watch, and as many weeks before as they are held against."""
    since = first - timedelta(weeks=WEEKS)
    where = [Condition("shop_date", ">=", since), Condition("shop_date", "<=", last)]
    names = list(dict.fromkeys(["shop_date", "is_complete", "as_of_at", *metrics]))
    return {row["shop_date"]: row for row in marts.select(DAYS, names, where, [SortKey("shop_date")])}


def open_day(marts: ShopMarts, days: Mapping[date, Mapping[str, Any]], time_zone: str) -> DaySoFar | None:
    """The hours of the newest of these days where it is not over."""
    newest = max(days, default=None)
    if newest is None or days[newest].get("is_complete") is not False:
        return None
    return day_so_far(marts, newest, days[newest].get("as_of_at"), time_zone)


def finding_of(
    rule: AlertRule, days: Mapping[date, Mapping[str, Any]], day: date, so_far: DaySoFar | None = None
) -> UnusualDay | None:
    """What the rule finds of a day.

    A day that is not over is compared by its hours where ``so_far`` has them. It is low of everything, so that of other numbers
    only a sum that already exceeds what whole days usually reach counts.
    """
    if so_far is not None and so_far.day == day and rule.metric in BY_HOUR:
        value, usual = so_far.value(rule.metric), so_far.usual(rule.metric, rule.size)
        if value is not None and usual is not None:
            return UnusualDay(day, value, usual, so_far.until_hour) if rule.is_beyond(value, usual) else None
    row = days.get(day, {})
    value = row.get(rule.metric)
    if value is None:
        return None
    if row.get("is_complete") is False and (rule.metric not in GROWING or rule.direction == "less"):
        return None
    before = [days.get(day - timedelta(weeks=week), {}).get(rule.metric) for week in range(1, WEEKS + 1)]
    usual = usual_of([float(each) for each in before if each is not None], rule.size)
    if usual is None or not rule.is_beyond(float(value), usual):
        return None
    if row.get("is_complete") is False and float(value) <= usual.high:
        return None
    return UnusualDay(day, float(value), usual)


def findings_of(
    rule: AlertRule, days: Mapping[date, Mapping[str, Any]], first: date, last: date, so_far: DaySoFar | None = None
) -> list[UnusualDay]:
    """What the rule would have found from day to day, with its cool-down, as a preview."""
    findings: list[UnusualDay] = []
    for number in range((last - first).days + 1):
        finding = finding_of(rule, days, first + timedelta(days=number), so_far)
        if finding is not None and not is_cooling(rule, [each.day for each in findings], finding.day):
            findings.append(finding)
    return findings


def is_cooling(rule: AlertRule, alerted: Sequence[date], day: date) -> bool:
    """Whether the rule is silent on a day because of an alert of the days before."""
    return any(timedelta(0) < day - earlier <= timedelta(days=rule.cool_down_days) for earlier in alerted)
