"""Changes as they become known: one thread reads the event log, applies ``item_changed`` to the shops' states, and remembers
orders and choices.

The reader belongs to no consumer group: every serving process needs every change. It starts at the newest instant that the
snapshots of all shops cover, or at the start of the log; the catalogue's own order of versions makes overlap harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as Signal

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from jishi import topics
from serving.consents import Consents
from serving.log_records import Lateness, change_of, choice_of, list_event_of, order_of
from serving.orders import LiveOrders
from serving.shop_state import ShopStates

# Records are compact JSON: nearly every record is of another type and is passed over without being parsed.
_ITEM, _PAID, _CONSENT = b'"item_changed"', b'"order_paid"', b'"consent_changed"'
_SEEN = (b'"recommendation_shown"', b'"recommendation_clicked"')
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
class LiveState:
    """What the log changes while serving runs."""

    states: ShopStates
    orders: LiveOrders
    consents: Consents


def follow(
    bootstrap: str,
    live: LiveState,
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
                    apply_record(message, live, lateness, health)
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


def apply_record(message: Message, live: LiveState, lateness: Lateness, health: StreamHealth) -> None:
    """Apply one record of the log if it changes an item, is an order or a choice; count why a change is not applied."""
    value, (_, received_at_ms) = message.value(), message.timestamp()
    if value is None:
        return
    if _PAID in value and (order := order_of(value, received_at_ms, lateness)) is not None:
        live.orders.put(order)
    elif _CONSENT in value and (choice := choice_of(value, received_at_ms, lateness)) is not None:
        live.consents.put(choice)
    elif _is_of_list(value, live) and (seen := list_event_of(value, received_at_ms, lateness)) is not None:
        of_list, impression = seen
        state = live.states.find(of_list.shop_id)
        state.hear(of_list)
        if state.rules.count_impressions:
            state.impressions.put(impression)
    elif _ITEM in value:
        _apply_change(value, received_at_ms, live.states, lateness, health)


def _is_of_list(value: bytes, live: LiveState) -> bool:
    return any(mark in value for mark in _SEEN) and live.states.follow_lists


def _apply_change(value: bytes, received_at_ms: int, states: ShopStates, lateness: Lateness, health: StreamHealth) -> None:
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
