"""Changes as they become known: one thread reads the event log, applies ``item_changed`` to the shops' states, and remembers
orders and choices.

The reader belongs to no consumer group: every serving process needs every change. It starts at the newest instant that the
snapshots of all shops cover, or at the start of the log; the catalogue's own order of versions makes overlap harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as Signal

from confluent_kafka import Message

from jishi import topics
from jishi.kafka import KafkaCluster
from serving.consents import Consents
from serving.log_follower import LogHealth, follow_log
from serving.log_records import Lateness, change_of, choice_of, list_event_of, order_of
from serving.orders import LiveOrders
from serving.shop_state import ShopStates

# Records are compact JSON: nearly every record is of another type and is passed over without being parsed.
_ITEM, _PAID, _CONSENT = b'"item_changed"', b'"order_paid"', b'"consent_changed"'
_SEEN = (b'"recommendation_shown"', b'"recommendation_clicked"')


@dataclass
class StreamHealth(LogHealth):
    """How far the reader of events is, and what came of changes; once it ``has_caught_up`` nothing sold out is offered."""

    applied: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: {"older": 0, "invalid": 0, "future": 0, "unreadable": 0})


@dataclass(frozen=True)
class LiveState:
    """What the log changes while serving runs."""

    states: ShopStates
    orders: LiveOrders
    consents: Consents


def follow(
    kafka: KafkaCluster,
    live: LiveState,
    lateness: Lateness,
    health: StreamHealth,
    stop: Signal,
    start_ms: Callable[[], int | None],
    traced: Callable[[Message], None] | None = None,
) -> None:
    """Apply changes until ``stop`` is set. Waits for broker and topic; ``start_ms`` is asked once, when both are there;
    ``traced`` gets each record that was applied.
    """

    def apply(message: Message) -> None:
        apply_record(message, live, lateness, health)

    def apply_traced(message: Message) -> None:
        apply_record(message, live, lateness, health)
        if traced is not None:
            traced(message)

    follow_log(kafka, topics.EVENTS.name, apply if traced is None else apply_traced, health, stop, start_ms)


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
