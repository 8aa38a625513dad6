"""What is unusual: a shop's rules with what they found, a preview of a new one, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from dashboard.delivery import KINDS, Destination, Message, NotDelivered, deliver
from dashboard.delivery.webhook_address import BadWebhook
from dashboard.portal.alerts.findings import days_of, findings_of, open_day
from dashboard.portal.alerts.rules import DIRECTIONS, METRICS, AlertRule, BadRule, rule_from
from dashboard.portal.alerts.wording import ShownFinding, shown_finding
from dashboard.portal.columns import column_named
from dashboard.portal.formats import Formats
from dashboard.portal.pages.numbers import DAYS, freshness, newest_day
from dashboard.portal.reasons import delivery_reason
from dashboard.portal.receivers import BadReceiver, Topic, kind_named
from dashboard.portal.shop_marts import ShopMarts
from dashboard.portal.visit import BadRequest, NoSuchPage, PageVisit
from dashboard.portal.words import Language, translated

_PREVIEWED_DAYS = 90
_SNOOZED_DAYS = (0, 1, 7, 30)
_FIELDS = ("metric", "direction", "size", "quiet_from", "quiet_until", "cool_down_days")
_TOPICS: tuple[Topic, ...] = ("digests", "alerts")


def alerts(visit: PageVisit) -> Response:
    """Rules, alerts and receivers; with a rule in the address, on which of the last days it would have fired."""
    return _alerts(visit)


def add(visit: PageVisit) -> Response:
    """Keep a new rule."""
    rule = _rule(visit, visit.form)
    try:
        visit.portal.alert_rules.add(visit.shop.shop.shop_id, rule, visit.now)
    except BadRule:
        raise BadRequest("A shop has at most 50 rules; delete one first.") from None
    visit.audit("added a rule", metric=rule.metric, direction=rule.direction, size=f"{rule.size:.0%}")
    return visit.redirect(visit.path("alerts"))


def snooze(visit: PageVisit) -> Response:
    """Silence a rule for some days, or wake it."""
    days = visit.form.get("days", "")
    if days not in map(str, _SNOOZED_DAYS):
        raise BadRequest("{field} is not one of the choices.", field="days")
    until = visit.today() + timedelta(days=int(days)) if int(days) else None
    if not visit.portal.alert_rules.snooze(visit.shop.shop.shop_id, _id(visit, "rule_id"), until):
        raise NoSuchPage
    visit.audit("snoozed a rule", rule=visit.form["rule_id"], until=f"{until}" if until else None)
    return visit.redirect(visit.path("alerts"))


def delete(visit: PageVisit) -> Response:
    """Forget a rule; what it found stays."""
    if not visit.portal.alert_rules.delete(visit.shop.shop.shop_id, _id(visit, "rule_id")):
        raise NoSuchPage
    visit.audit("deleted a rule", rule=visit.form["rule_id"])
    return visit.redirect(visit.path("alerts"))


def add_receiver(visit: PageVisit) -> Response:
    """A new receiver of digests or alerts. The address of a webhook is a secret and never shown again."""
    try:
        destination = Destination(kind_named(visit.form.get("kind", "")), visit.form.get("address", "").strip())
    except ValueError:
        raise BadRequest("{field} is not one of the choices.", field="kind") from None
    topics = {topic for topic in _TOPICS if visit.form.get(topic)}
    language: Language = "zh" if visit.form.get("language") == "zh" else "en"
    private = visit.portal.settings.webhook_allow_private
    try:
        visit.portal.receivers.add(visit.shop.shop.shop_id, destination, language, topics, allow_private=private)
    except (BadReceiver, BadWebhook) as error:
        return _alerts(visit, visit.text(str(error)))
    visit.audit("added a receiver", kind=destination.kind, to=destination.shown, language=language)
    return visit.redirect(visit.path("alerts"))


def try_receiver(visit: PageVisit) -> Response:
    """Send a receiver a message now, once, and say what became of it."""
    receiver_id, shop = _id(visit, "receiver_id"), visit.shop.shop
    for receiver in visit.portal.receivers.of_shop(shop.shop_id):
        if receiver.receiver_id == receiver_id:
            break
    else:
        raise NoSuchPage
    language, address = receiver.language, visit.portal.settings.portal_address
    message = Message(
        translated("{shop}: a test", language, shop=shop.name),
        (translated("Digests and alerts of this shop reach you here.", language),),
        f"{address}{visit.path('alerts')}",
        translated("Open the portal", language),
    )
    visit.audit("tested a receiver", to=receiver.destination.shown)
    try:
        deliver(visit.portal.settings, receiver.destination, message, attempts=1)
    except NotDelivered as error:
        reason = delivery_reason(f"{receiver.destination.shown}: {error}", visit.language)
        return _alerts(visit, visit.text("Not delivered: {reason}", reason=reason), 200)
    return _alerts(visit, sent_to=receiver.destination.shown)


def remove_receiver(visit: PageVisit) -> Response:
    """Forget a receiver."""
    visit.portal.receivers.remove(visit.shop.shop.shop_id, _id(visit, "receiver_id"))
    visit.audit("removed a receiver", receiver=visit.form["receiver_id"])
    return visit.redirect(visit.path("alerts"))


def _alerts(visit: PageVisit, error: str | None = None, status: int = 400, sent_to: str | None = None) -> Response:
    shop_id, is_previewed = visit.shop.shop.shop_id, "metric" in visit.query
    rule = _rule(visit, visit.query) if is_previewed else None
    with visit.marts() as marts:
        newest = newest_day(marts)
        if not newest:
            return visit.page("unpublished.html")
        formats = visit.formats(marts)
        visit.audit("saw", page="alerts")
        return visit.page(
            "alerts.html",
            status if error else 200,
            error=error,
            sent_to=sent_to,
            fresh=freshness(visit, marts, newest),
            rules=visit.portal.alert_rules.of_shop(shop_id),
            log=[
                (shown_finding(formats, each.metric, each.day, each.value, each.usual, each.until_hour), each.is_held)
                for each in visit.portal.alert_rules.log(shop_id)
            ],
            metrics=[column_named(name) for name in METRICS if marts.has(DAYS, name)],
            directions=DIRECTIONS,
            snoozed_days=_SNOOZED_DAYS,
            is_snoozed=lambda each: each.snoozed_until is not None and visit.today() < each.snoozed_until,
            receivers=visit.portal.receivers.of_shop(shop_id) if visit.shop.may("manage") else [],
            failures=visit.portal.receivers.failures(shop_id) if visit.shop.may("manage") else [],
            kinds=KINDS,
            reason_of=lambda text: delivery_reason(text, visit.language),
            fields={name: visit.query.get(name, "") for name in _FIELDS},
            rule=rule,
            previewed_days=_PREVIEWED_DAYS,
            preview=[(unusual, False) for unusual in _preview(marts, formats, rule, newest)] if rule else None,
            formats=formats,
            column_named=column_named,
        )


def _preview(marts: ShopMarts, formats: Formats, rule: AlertRule, newest: Mapping[str, Any]) -> list[ShownFinding]:
    """The days of the last ones on which the rule would have fired, newest first."""
    last = newest["shop_date"]
    first = last - timedelta(days=_PREVIEWED_DAYS - 1)
    days = days_of(marts, [rule.metric], first, last)
    unusual = findings_of(rule, days, first, last, open_day(marts, days, formats.time_zone))
    return [
        shown_finding(formats, rule.metric, each.day, each.value, each.usual, each.until_hour) for each in reversed(unusual)
    ]


def _rule(visit: PageVisit, fields: Mapping[str, str]) -> AlertRule:
    try:
        return rule_from(fields)
    except BadRule as error:
        raise BadRequest("{field} is missing or not in its range.", field=str(error)) from None


def _id(visit: PageVisit, name: str) -> int:
    text = visit.form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NoSuchPage
    return int(text)
