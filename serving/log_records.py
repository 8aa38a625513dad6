"""What a record of the event log says that serving follows live: items, orders and choices; no Kafka, no state."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from jishi.contract import Event, Refusal, check_event
from jishi.contract.fields import to_ms
from jishi.contract.properties import ConsentChanged, ItemChanged, OrderPaid, RecommendationClicked, RecommendationShown
from jishi.identity import named_person
from jishi.outcomes import KEPT_OUT, Outcome, outcome_without_history
from serving.catalogue import Item, Version, attributes_of
from serving.consents import Choice
from serving.feedback import ListEvent
from serving.orders import PaidOrder
from serving.rules.impressions import Seen


@dataclass(frozen=True)
class Lateness:
    """The settings that decide outcomes."""

    allowed_lateness_s: int
    future_tolerance_s: int


def change_of(value: bytes, received_at_ms: int, lateness: Lateness) -> tuple[str, Item] | str:
    """Shop and new state of an ``item_changed`` record, or why there is none: other, unreadable, invalid or future."""
    event = event_of(value, "item_changed", received_at_ms, lateness)
    if isinstance(event, str):
        return event
    properties = event.properties
    if not isinstance(properties, ItemChanged):
        return "invalid"
    return event.shop_id, Item(
        item_id=properties.item_id,
        title=properties.title,
        title_en=properties.title_en,
        category=properties.category,
        unit_price_minor=properties.unit_price_minor,
        currency=properties.currency,
        stock=properties.stock,
        status=properties.status,
        version=_version(event, received_at_ms),
        brand=properties.brand,
        attributes=attributes_of(properties.attributes),
        region=properties.region,
        home_price_minor=properties.unit_price_minor if properties.home_currency is None else properties.home_unit_price_minor,
        unit_cost_minor=properties.unit_cost_minor,
        stocked_at_ms=None if properties.stocked_at is None else to_ms(properties.stocked_at),
        home_currency=properties.home_currency or properties.currency,
    )


def order_of(value: bytes, received_at_ms: int, lateness: Lateness) -> PaidOrder | None:
    """The order of an ``order_paid`` record that counts as one; None for any other record."""
    event = event_of(value, "order_paid", received_at_ms, lateness)
    if isinstance(event, str) or not isinstance(event.properties, OrderPaid):
        return None
    items = tuple(dict.fromkeys(line.item_id for line in event.properties.lines))
    return PaidOrder(event.shop_id, event.properties.order_id, items, persons_of(event), received_at_ms)


def choice_of(value: bytes, received_at_ms: int, lateness: Lateness) -> Choice | None:
    """The choice of a ``consent_changed`` record; None for any other record."""
    event = event_of(value, "consent_changed", received_at_ms, lateness)
    if isinstance(event, str) or not isinstance(event.properties, ConsentChanged):
        return None
    return Choice(event.shop_id, persons_of(event), event.properties.personalisation, _version(event, received_at_ms))


def list_event_of(value: bytes, received_at_ms: int, lateness: Lateness) -> tuple[ListEvent, Seen] | None:
    """What a ``recommendation_shown`` or ``recommendation_clicked`` record says was seen: for beliefs, and for rules by every
    id of the person; None for any other record.
    """
    for wanted in ("recommendation_shown", "recommendation_clicked"):
        event = event_of(value, wanted, received_at_ms, lateness)
        if isinstance(event, str):
            continue
        properties, person_id, is_click = event.properties, event.person_id, wanted == "recommendation_clicked"
        places: tuple[tuple[str, int | None], ...] = ()
        if isinstance(properties, RecommendationShown):
            places = tuple((item_id, place) for place, item_id in enumerate(properties.item_ids))
        elif isinstance(properties, RecommendationClicked):
            places = ((properties.item_id, properties.position),)
        request_id = getattr(properties, "request_id", "")
        of_list = ListEvent(event.event_id, event.shop_id, request_id, person_id or "", places, is_click, received_at_ms)
        items = tuple(item_id for item_id, _ in places)
        return of_list, Seen(event.shop_id, persons_of(event), items, is_click, received_at_ms, event.event_id)
    return None


def persons_of(event: Event) -> tuple[str, ...]:
    """Every id of the person of an event, the user first."""
    named = (named_person(event.user_id, None), named_person(None, event.anonymous_id))
    return tuple(person for person in named if person is not None)


def event_of(value: bytes, wanted: str, received_at_ms: int, lateness: Lateness) -> Event | str:
    """The event of a record of that type, or why there is none: other, unreadable, invalid or future."""
    try:
        record = orjson.loads(value)
        if record["type"] != wanted:
            return "other"
        outcome = outcome_without_history(
            invalid_reason=record["invalid_reason"],
            occurred_at_ms=record["occurred_at_ms"],
            received_at_ms=received_at_ms,
            allowed_lateness_s=lateness.allowed_lateness_s,
            future_tolerance_s=lateness.future_tolerance_s,
        )
        if outcome in KEPT_OUT:
            return "future" if outcome is Outcome.FUTURE else "invalid"
        raw, shop_id = orjson.loads(record["line"]), record["shop_id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "unreadable"
    event = check_event(raw, shop_id)
    return "invalid" if isinstance(event, Refusal) else event


def _version(event: Event, received_at_ms: int) -> Version:
    return Version(to_ms(event.occurred_at), received_at_ms, event.event_id)
