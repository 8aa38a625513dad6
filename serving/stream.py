"""Changes as they become known: one thread reads the event log, applies ``item_changed`` to the shops' states and remembers
orders.

The reader belongs to no consumer group: every serving process needs every change. It starts at the newest instant that the
snapshots of all shops cover, or at the start of the log; the catalogue's own order of versions makes overlap harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as Signal

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from jishi import topics
from jishi.contract import Event, Refusal, check_event
from jishi.contract.fields import to_ms
from jishi.contract.properties import ItemChanged, OrderPaid
from jishi.identity import named_person
from jishi.outcomes import KEPT_OUT, Outcome, outcome_without_history
from serving.catalogue import Item, Version, attributes_of
from serving.orders import LiveOrders, PaidOrder
from serving.shop_state import ShopStates

# Records are compact JSON: nearly every record is of another type and is passed over without being parsed.
_MARK, _PAID = b'"item_changed"', b'"order_paid"'
_BATCH = 1_000
_PASSING = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._PARTITION_EOF, KafkaError._RESOLVE)


@dataclass
class StreamHealth:
    """How far the reader is; ``read_at`` is monotonic seconds of the last answer of the broker.

    ``has_caught_up``: everything that the log held when the reader began is applied, so that nothing sold out is offered.
    """

    has_caught_up: bool = False
    waiting_for: str | None = "Kafka"
    applied: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: {"older": 0, "invalid": 0, "future": 0, "unreadable": 0})
    lag: dict[int, int] = field(default_factory=dict)
    read_at: float | None = None

    def age_s(self) -> float | None:
        """Seconds since the broker last answered; None before it ever did."""
        return None if self.read_at is None else time.monotonic() - self.read_at


@dataclass(frozen=True)
class Lateness:
    """The settings that decide outcomes."""

    allowed_lateness_s: int
    future_tolerance_s: int


def follow(
    bootstrap: str,
    states: ShopStates,
    orders: LiveOrders,
    lateness: Lateness,
    health: StreamHealth,
    stop: Signal,
    start_ms: Callable[[], int | None],
) -> None:
    """Apply changes until ``stop`` is set. Waits for broker and topic; ``start_ms`` is asked once, when both are there."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "jishi-serving",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    try:
        places = _wait_for_places(consumer, start_ms, health, stop)
        if not places:
            return
        consumer.assign(places)
        looked_at, ends = 0.0, None
        while not stop.is_set():
            for message in consumer.consume(_BATCH, 0.1):
                error = message.error()
                if error is None:
                    apply_record(message, states, orders, lateness, health)
                elif error.code() not in _PASSING:
                    raise KafkaException(error)
            if not health.has_caught_up:
                ends = ends or _ends(consumer, places)
                health.has_caught_up = ends is not None and _is_read(consumer, places, ends)
            if time.monotonic() - looked_at >= 1:
                looked_at = time.monotonic()
                _look(consumer, places, health)
    finally:
        consumer.close()


def apply_record(message: Message, states: ShopStates, orders: LiveOrders, lateness: Lateness, health: StreamHealth) -> None:
    """Apply one record of the log if it changes an item or is an order; count why a change is not applied."""
    value, (_, received_at_ms) = message.value(), message.timestamp()
    if value is not None and _PAID in value:
        order = order_of(value, received_at_ms, lateness)
        if order is not None:
            orders.put(order)
            return
    if value is None or _MARK not in value:
        return
    outcome = change_of(value, received_at_ms, lateness)
    if isinstance(outcome, str):
        if outcome != "other":
            health.skipped[outcome] += 1
        return
    shop_id, item = outcome
    if states.of(shop_id).apply(item):
        health.applied += 1
    else:
        health.skipped["older"] += 1


def change_of(value: bytes, received_at_ms: int, lateness: Lateness) -> tuple[str, Item] | str:
    """Shop and new state of an ``item_changed`` record, or why there is none: other, unreadable, invalid or future."""
    event = _event_of(value, "item_changed", received_at_ms, lateness)
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
        version=Version(to_ms(event.occurred_at), received_at_ms, event.event_id),
        brand=properties.brand,
        attributes=attributes_of(properties.attributes),
        region=properties.region,
        home_price_minor=properties.unit_price_minor if properties.home_currency is None else properties.home_unit_price_minor,
        unit_cost_minor=properties.unit_cost_minor,
        stocked_at_ms=None if properties.stocked_at is None else to_ms(properties.stocked_at),
    )


def order_of(value: bytes, received_at_ms: int, lateness: Lateness) -> PaidOrder | None:
    """The order of an ``order_paid`` record that counts as one; None for any other record."""
    event = _event_of(value, "order_paid", received_at_ms, lateness)
    if isinstance(event, str) or not isinstance(event.properties, OrderPaid):
        return None
    items = tuple(dict.fromkeys(line.item_id for line in event.properties.lines))
    named = (named_person(event.user_id, None), named_person(None, event.anonymous_id))
    persons = tuple(person for person in named if person is not None)
    return PaidOrder(event.shop_id, event.properties.order_id, items, persons, received_at_ms)


def _event_of(value: bytes, wanted: str, received_at_ms: int, lateness: Lateness) -> Event | str:
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


def _wait_for_places(
    consumer: Consumer, start_ms: Callable[[], int | None], health: StreamHealth, stop: Signal
) -> list[TopicPartition]:
    """Where to start in each partition; empty when ``stop`` came first."""
    name = topics.EVENTS.name
    while not stop.is_set():
        try:
            topic = consumer.list_topics(name, timeout=1).topics[name]
            if topic.error is None and topic.partitions:
                start = start_ms()
                asked = [TopicPartition(name, number, 0 if start is None else start) for number in sorted(topic.partitions)]
                begun = asked if start is None else consumer.offsets_for_times(asked, timeout=10)
                health.waiting_for = None
                return begun
            health.waiting_for = f"topic {name}"
        except KafkaException:
            health.waiting_for = "Kafka"
        stop.wait(0.5)
    return []


def _ends(consumer: Consumer, places: list[TopicPartition]) -> dict[int, tuple[int, int]] | None:
    """First offset and the one after the last of each partition; None while the broker does not say."""
    try:
        return {place.partition: consumer.get_watermark_offsets(place, timeout=1) for place in places}
    except KafkaException:
        return None


def _is_read(consumer: Consumer, places: list[TopicPartition], ends: dict[int, tuple[int, int]]) -> bool:
    """Whether every partition was read up to its end; one without a record to read is."""
    begun = {place.partition: place.offset for place in places}  # negative: at the end
    return all(
        (position.offset if position.offset >= 0 else max(begun[position.partition], low)) >= high
        or (position.offset < 0 and begun[position.partition] < 0)
        for position in consumer.position(places)
        for low, high in [ends[position.partition]]
    )


def _look(consumer: Consumer, places: list[TopicPartition], health: StreamHealth) -> None:
    """Take down lag and age. A broker that does not answer shows as a growing age."""
    try:
        for place in consumer.position(places):
            low, high = consumer.get_watermark_offsets(place, timeout=1)
            health.lag[place.partition] = max(0, high - (place.offset if place.offset >= 0 else low))
        health.read_at = time.monotonic()
    except KafkaException:
        return
