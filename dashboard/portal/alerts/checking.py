"""Hold a shop's rules against its newest published days, and send what they find, outside of quiet hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.delivery import Destination, Message
from dashboard.portal.alerts.files import AlertFiles
from dashboard.portal.alerts.findings import DAYS, days_of, finding_of, is_cooling, open_day
from dashboard.portal.alerts.rules import Alert, AlertRule, AlertRules
from dashboard.portal.alerts.so_far import DaySoFar
from dashboard.portal.alerts.wording import message_of, shown_finding
from dashboard.portal.formats import Formats
from dashboard.portal.receivers import Receipt, Receivers
from dashboard.portal.shop_marts import ShopMarts, SortKey
from dashboard.portal.words import Language
from jishi.shop_runs import NothingToDo
from jishi.shops import Shop

LOOK_BACK_DAYS = 3  # a daily run that came late is caught up with
TRIED_FOR = timedelta(days=2)  # so long an alert is tried again for a receiver that failed

_MOST_OPEN = 1000  # more alerts than all rules of a shop can have within TRIED_FOR

Send = Callable[[Destination, Message], None]


def check_shop(
    shop: Shop,
    marts: ShopMarts,
    rules: AlertRules,
    receivers: Receivers,
    send: Send,
    portal: str,
    now: datetime,
    files: AlertFiles | None = None,
) -> list[Receipt]:
    """Note what the rules find, then send what is neither held nor sent, also to files where there are some.

    Raises NothingToDo without rules or days.
    """
    of_shop = rules.of_shop(shop.shop_id)
    newest = marts.select(DAYS, ["shop_date"], order_by=[SortKey("shop_date", is_descending=True)], limit=1)
    if not of_shop or not newest:
        raise NothingToDo("no rules" if newest else "no days yet")
    local = now.astimezone(ZoneInfo(shop.time_zone))
    newest_day: date = newest[0]["shop_date"]
    days = days_of(marts, [rule.metric for rule in of_shop], newest_day - timedelta(days=LOOK_BACK_DAYS), newest_day)
    so_far = open_day(marts, days, shop.time_zone)
    for rule in of_shop:
        if rule.snoozed_until is None or local.date() >= rule.snoozed_until:
            _note(shop, rule, rules, days, so_far, local)
    return _send(shop, marts, rules, receivers, send, portal, local, files)


def _note(
    shop: Shop,
    rule: AlertRule,
    rules: AlertRules,
    days: dict[date, dict[str, Any]],
    so_far: DaySoFar | None,
    local: datetime,
) -> None:
    """Keep what a rule finds of the days since it was made or woke up, of which the first is the day before."""
    newest_day = max(days)
    alerted = rules.alerted_days(shop.shop_id, rule.rule_id)
    rule_date = (rule.created_at or local).astimezone(local.tzinfo).date()
    awake_from = max(rule_date, rule.snoozed_until or rule_date)
    first = max(newest_day - timedelta(days=LOOK_BACK_DAYS), awake_from - timedelta(days=1))
    for number in range((newest_day - first).days + 1):
        day = first + timedelta(days=number)
        finding = finding_of(rule, days, day, so_far)
        if finding is None or day in alerted or is_cooling(rule, alerted, day):
            continue
        is_held = is_quiet(shop, rule, local.hour)
        until = finding.until_hour
        if rules.note(shop.shop_id, Alert(rule.rule_id, day, rule.metric, finding.value, finding.usual, local, is_held, until)):
            alerted.append(day)


def _send(
    shop: Shop,
    marts: ShopMarts,
    rules: AlertRules,
    receivers: Receivers,
    send: Send,
    portal: str,
    local: datetime,
    files: AlertFiles | None,
) -> list[Receipt]:
    by_id = {rule.rule_id: rule for rule in rules.of_shop(shop.shop_id)}
    deliveries: list[Receipt] = []
    for alert in reversed(rules.log(shop.shop_id, _MOST_OPEN)):
        rule = by_id.get(alert.rule_id)
        is_due = rule is not None and local - alert.at <= TRIED_FOR and not is_slept_over(rule, alert, local)
        if is_due and rule is not None and is_quiet(shop, rule, local.hour):
            continue
        if alert.is_held:
            rules.release(shop.shop_id, alert)
        if not is_due:
            continue

        def message_in(language: Language, alert: Alert = alert) -> Message:
            formats = formats_of(shop, marts, language)
            unusual = shown_finding(formats, alert.metric, alert.day, alert.value, alert.usual, alert.until_hour)
            return message_of(shop, unusual, formats, portal)

        if files is not None:
            files.keep(shop.shop_id, alert, message_in)
        subject = f"alert:{alert.rule_id}:{alert.day}"
        deliveries += receivers.deliver_all(shop.shop_id, "alerts", subject, message_in, send, local)
    return deliveries


def is_slept_over(rule: AlertRule, alert: Alert, local: datetime) -> bool:
    """Whether an alert is of before the day on which its rule wakes up, so that nobody is told of it any more."""
    return rule.snoozed_until is not None and alert.at.astimezone(local.tzinfo).date() < rule.snoozed_until


def is_quiet(shop: Shop, rule: AlertRule, hour: int) -> bool:
    """Whether an alert waits at this hour of the shop's clock: for the shop's quiet hours, or for the rule's own."""
    return rule.is_quiet(hour) or (shop.quiet_hours is not None and shop.quiet_hours.holds(hour))


def formats_of(shop: Shop, marts: ShopMarts, language: Language) -> Formats:
    """How this shop's values are written, in the currency of this build."""
    [about] = marts.select("dim_shops", ["currency", "time_zone"]) or [{}]
    return Formats(language, about.get("currency") or shop.currency, about.get("time_zone") or shop.time_zone)
