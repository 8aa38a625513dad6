"""What goes wrong between a storefront and the platform: delays, late and doubled deliveries, wrong clocks, broken events.

Defects are planted so that their number is known: a duplicate repeats a delivery of an event that was neither late nor broken,
future and broken events are extra ones (no true event is harmed), and only planted late events are late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from simulator.journal import Happening
from simulator.seeds import Dice

LATE_AFTER_MS = 30_000
_LATE, _DOUBLED, _FUTURE, _BROKEN = 0.008, 0.006, 0.0005, 0.0015
# How an event is broken, and the reason that the contract gives for it.
BREAKAGES = {
    "no_event_id": "missing_field",
    "no_occurred_at": "missing_field",
    "no_item_id": "missing_field",
    "price_as_text": "wrong_type",
    "unknown_type": "unknown_type",
    "no_offset": "bad_value",
    "negative_units": "bad_value",
    "cut_off": "not_an_object",
}


class Delivery(NamedTuple):
    """One line as it reaches the platform.

    ``defect`` is None, ``late``, ``duplicate``, ``future`` or ``invalid``; ``reason`` the contract's reason of an invalid one.
    """

    received_ms: int
    event_id: str
    defect: str | None
    reason: str | None
    line: bytes


def stamps(ms: np.ndarray) -> np.ndarray:
    """ISO texts of epoch milliseconds, such as ``2026-09-01T08:00:00.123Z``."""
    return np.datetime_as_string(ms.astype("datetime64[ms]"), timezone="UTC")


def stamp(ms: int) -> str:
    """ISO text of epoch milliseconds."""
    return str(stamps(np.array(ms, dtype=np.int64)))


def event_of(happening: Happening, shop_id: str, event_id: str, occurred_at: str) -> dict[str, Any]:
    """The raw event that a storefront sends."""
    event: dict[str, Any] = {"event_id": event_id, "shop_id": shop_id, "type": happening.type, "occurred_at": occurred_at}
    if happening.anonymous_id is not None:
        event["anonymous_id"] = happening.anonymous_id
        if happening.user_id is not None:
            event["user_id"] = happening.user_id
        event["session_id"] = happening.session_id
    event["schema_version"] = 1
    if happening.context:
        event["context"] = happening.context
    event["properties"] = happening.properties
    return event


def deliver(
    happenings: list[Happening],
    shop_id: str,
    id_prefix: str,
    rng: np.random.Generator,
    *,
    until_ms: int,
    is_clean: bool = False,
) -> Iterator[Delivery]:
    """Every delivery of the happenings of a day, in no particular order; ``is_clean`` plants nothing.

    What happens at ``until_ms`` or later is left out last, so that a longer history begins with the same deliveries.
    ``happenings`` are in the order of occurrence.
    """
    count = len(happenings)
    at = np.array([happening.at_ms for happening in happenings], dtype=np.int64)
    dice = Dice(rng)
    delay = np.clip(rng.lognormal(5.2, 0.8, count), 5, 20_000).astype(np.int64)
    draws = rng.random((count, 3))
    if is_clean:
        draws[:] = 1.0
    late = draws[:, 0] < _LATE
    # A tenth of the late ones miss the limit by a millisecond, the others by minutes or hours.
    far = (rng.exponential(1_500_000, count)).astype(np.int64)
    delay = np.where(late, LATE_AFTER_MS + 1 + np.where(rng.random(count) < 0.1, 0, far), delay)
    doubled = (draws[:, 1] < _DOUBLED) & ~late
    again = (1000 + rng.lognormal(9.5, 1.6, count)).astype(np.int64)
    receipt = at + delay
    columns = (late, doubled, again, draws[:, 2], receipt, stamps(at), stamps(receipt))
    plan = zip(happenings, *(column.tolist() for column in columns), strict=True)
    for number, (happening, is_late, is_doubled, later, draw, received, occurred_at, received_at) in enumerate(plan):
        if happening.at_ms >= until_ms:
            return
        event_id = f"e{id_prefix}-{number}"
        event = event_of(happening, shop_id, event_id, occurred_at)
        event["received_at"] = received_at
        yield Delivery(received, event_id, "late" if is_late else None, None, _line(event))
        if is_doubled:
            event["received_at"] = stamp(received + later)
            yield Delivery(received + later, event_id, "duplicate", None, _line(event))
        if happening.type != "item_viewed":
            continue
        event["received_at"] = received_at
        if draw < _FUTURE:
            ahead = 6_000 + int(dice.exponential(7_200_000))
            event |= {"event_id": f"f{id_prefix}-{number}", "occurred_at": stamp(received + ahead)}
            if dice.chance(0.2):
                event["occurred_at"] = "2099-01-01T00:00:00.000Z"
            yield Delivery(received, event["event_id"], "future", None, _line(event))
        elif draw < _FUTURE + _BROKEN:
            event["event_id"] = f"x{id_prefix}-{number}"
            breakage = dice.pick(tuple(BREAKAGES))
            yield Delivery(received, event["event_id"], "invalid", BREAKAGES[breakage], break_line(event, breakage))


def _line(event: dict[str, Any]) -> bytes:
    """JSON of an event. A copy, because what orjson returns keeps 4 KB of memory however short it is."""
    return bytes(memoryview(orjson.dumps(event)))


def break_line(event: dict[str, Any], breakage: str) -> bytes:
    """The line of a broken copy of an ``item_viewed``; ``cut_off`` is not even JSON."""
    if breakage == "cut_off":
        line = orjson.dumps(event)
        return line[: len(line) // 2]
    return orjson.dumps(broken_event(event, breakage))


def broken_event(event: dict[str, Any], breakage: str) -> dict[str, Any]:
    """A copy of an ``item_viewed`` that is broken in one of the ways of ``BREAKAGES``."""
    broken: dict[str, Any] = event | {"properties": dict(event["properties"])}
    properties = broken["properties"]
    if breakage == "no_event_id":
        del broken["event_id"]
    elif breakage == "no_occurred_at":
        del broken["occurred_at"]
    elif breakage == "no_item_id":
        del properties["item_id"]
    elif breakage == "price_as_text":
        properties["unit_price_minor"] = "¥99.00"
    elif breakage == "unknown_type":
        broken["type"] = "item_wished"
    elif breakage == "no_offset":
        broken["occurred_at"] = broken["occurred_at"].removesuffix("Z")
    elif breakage == "negative_units":
        broken["type"] = "item_added_to_cart"
        properties["quantity"] = -1
    else:
        raise ValueError(f"unknown breakage {breakage!r}")
    return broken
