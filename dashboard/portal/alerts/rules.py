"""The rules of a shop and what they found, in the portal's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args

from dashboard.portal.alerts.usual import Usual
from dashboard.portal.database import PortalDatabase
from jishi.quiet_hours import QuietHours

Direction = Literal["more", "less", "either"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
# The columns of a day that a rule may watch. Those that only grow within a day may be too high before it is over.
GROWING = ("gmv_minor", "orders", "units", "refunds_minor", "visitors", "sessions", "page_views", "item_views")
METRICS = (
    *("net_gmv_minor", "gmv_minor", "orders", "paying_customers", "units", "order_value_minor", "customer_value_minor"),
    *("refunds_minor", "refund_rate_by_refund_day", "visitors", "sessions", "conversion", "item_views", "page_views"),
    *("repurchase_rate_30d", "bot_visitors"),
)
MOST_RULES = 50


class BadRule(ValueError):
    """A rule that cannot be; the message is the name of the field."""


@dataclass(frozen=True)
class AlertRule:
    """Watch a number of each day: how far from its usual, and in which direction, somebody wants to know.

    ``size`` is a share of the usual (0.3 is 30 %). Between the hours ``quiet_from`` and ``quiet_until`` of the shop's clock
    nothing is sent, but kept for later. For ``cool_down_days`` after an alert the rule is silent, and up to the day before
    ``snoozed_until``.
    """

    metric: str
    direction: Direction
    size: float
    quiet_from: int | None = None
    quiet_until: int | None = None
    cool_down_days: int = 0
    snoozed_until: date | None = None
    rule_id: int = 0
    created_at: datetime | None = None

    def is_quiet(self, hour: int) -> bool:
        """Whether nothing is sent at this hour of the shop's clock; quiet hours may span midnight."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return False
        return QuietHours(begins=self.quiet_from, ends=self.quiet_until).holds(hour)

    def is_beyond(self, value: float, usual: Usual) -> bool:
        """Whether a value is unusual in the rule's direction."""
        is_more, is_less = value > usual.high, value < usual.low
        return is_more if self.direction == "more" else is_less if self.direction == "less" else is_more or is_less


@dataclass(frozen=True)
class Alert:
    """What a rule found on a day: the value and the band of usual ones, in the units of the mart.

    ``until_hour``: the day was not over, and these are of its hours before that one (of the shop's clock).
    """

    rule_id: int
    day: date
    metric: str
    value: float
    usual: Usual
    at: datetime
    is_held: bool = False
    until_hour: int | None = None


class AlertRules:
    """Rules and alerts; each rule has at most one alert a day."""

    def __init__(self, database: PortalDatabase) -> None:
        self._database = database

    def of_shop(self, shop_id: str) -> list[AlertRule]:
        """All rules of a shop."""
        with self._database.reading() as connection:
            rows = connection.execute("select * from alert_rules where shop_id = ? order by rule_id", [shop_id]).fetchall()
        return [_rule(row) for row in rows]

    def add(self, shop_id: str, rule: AlertRule, now: datetime) -> None:
        """Keep a rule. Raises BadRule when there are too many."""
        with self._database.transaction() as connection:
            [count] = connection.execute("select count(*) from alert_rules where shop_id = ?", [shop_id]).fetchone()
            if count >= MOST_RULES:
                raise BadRule("rules")
            connection.execute(
                "insert into alert_rules "
                "(shop_id, metric, direction, size, quiet_from, quiet_until, cool_down_days, created_at) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(shop_id, rule.metric, rule.direction, rule.size, rule.quiet_from, rule.quiet_until),
                    *(rule.cool_down_days, int(now.timestamp())),
                ],
            )

    def snooze(self, shop_id: str, rule_id: int, until: date | None) -> bool:
        """Silence a rule until a day, or with None wake it; False when the shop has no such rule."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "update alert_rules set snoozed_until = ? where shop_id = ? and rule_id = ?",
                [until.isoformat() if until else None, shop_id, rule_id],
            )
        return changed.rowcount == 1

    def delete(self, shop_id: str, rule_id: int) -> bool:
        """Forget a rule; what it found stays in the log. False when the shop has no such rule."""
        with self._database.transaction() as connection:
            deleted = connection.execute("delete from alert_rules where shop_id = ? and rule_id = ?", [shop_id, rule_id])
        return deleted.rowcount == 1

    def note(self, shop_id: str, alert: Alert) -> bool:
        """Keep what a rule found; False when it has an alert of this day already."""
        with self._database.transaction() as connection:
            added = connection.execute(
                "insert into alerts (rule_id, shop_id, day, metric, value, low, high, at, is_held, until_hour) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
                [
                    *(alert.rule_id, shop_id, alert.day.isoformat(), alert.metric, alert.value, *alert.usual),
                    *(int(alert.at.timestamp()), alert.is_held, alert.until_hour),
                ],
            )
        return added.rowcount == 1

    def release(self, shop_id: str, alert: Alert) -> None:
        """A held alert goes out."""
        with self._database.transaction() as connection:
            connection.execute(
                "update alerts set is_held = 0 where shop_id = ? and rule_id = ? and day = ?",
                [shop_id, alert.rule_id, alert.day.isoformat()],
            )

    def alerted_days(self, shop_id: str, rule_id: int) -> list[date]:
        """The days on which a rule has an alert."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select day from alerts where shop_id = ? and rule_id = ? order by day", [shop_id, rule_id]
            ).fetchall()
        return [date.fromisoformat(row["day"]) for row in rows]

    def log(self, shop_id: str, count: int = 100) -> list[Alert]:
        """The newest alerts of a shop."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "select * from alerts where shop_id = ? order by day desc, alert_id desc limit ?", [shop_id, count]
            ).fetchall()
        return [_alert(row) for row in rows]


def rule_from(fields: Mapping[str, str]) -> AlertRule:
    """The rule of a form: size and cool-down as people write them (30 is 30 %). Raises BadRule with the field's name."""
    metric = fields.get("metric", "")
    if metric not in METRICS:
        raise BadRule("metric")
    direction = next((each for each in DIRECTIONS if each == fields.get("direction", "")), None)
    if direction is None:
        raise BadRule("direction")
    size = _whole(fields, "size", 1, 1000)
    hours = [_whole(fields, name, 0, 23) if fields.get(name, "").strip() else None for name in ("quiet_from", "quiet_until")]
    if (hours[0] is None) != (hours[1] is None):
        raise BadRule("quiet_until" if hours[1] is None else "quiet_from")
    cool_down = _whole(fields, "cool_down_days", 0, 90) if fields.get("cool_down_days", "").strip() else 0
    return AlertRule(metric, direction, size / 100, hours[0], hours[1], cool_down)


def _whole(fields: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = fields.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most):
        raise BadRule(name)
    return int(text)


def _rule(row: sqlite3.Row) -> AlertRule:
    snoozed = date.fromisoformat(row["snoozed_until"]) if row["snoozed_until"] else None
    [direction] = [each for each in DIRECTIONS if each == row["direction"]]
    return AlertRule(
        *(row["metric"], direction, row["size"], row["quiet_from"], row["quiet_until"], row["cool_down_days"]),
        snoozed_until=snoozed,
        rule_id=row["rule_id"],
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
    )


def _alert(row: sqlite3.Row) -> Alert:
    usual = Usual(row["low"], row["high"])
    at = datetime.fromtimestamp(row["at"], UTC)
    day, is_held = date.fromisoformat(row["day"]), bool(row["is_held"])
    return Alert(row["rule_id"], day, row["metric"], row["value"], usual, at, is_held, row["until_hour"])
