"""A device's clock, corrected once, when its event is accepted (docs/adr/0014).

A phone may be an hour off. ``sent_at`` is the device's clock at the moment of sending and ``collected_at`` the collector's at
the moment of acceptance: what lies between them is the device's error and the way through the network. The event's
``occurred_at`` is moved by it, so that all engines read one time, and ``device_occurred_at`` keeps what the device said.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from jishi.contract.fields import parse_instant, to_ms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = to_ms(datetime(9999, 12, 31, tzinfo=UTC))


def with_corrected_clock(event: dict[str, Any], collected_at_ms: int) -> dict[str, Any]:
    """The event with ``occurred_at`` by the collector's clock; itself without ``sent_at``, or when it was corrected before.

    A time that cannot be read is left for the contract to refuse.
    """
    if event.get("sent_at") is None or "device_occurred_at" in event:
        return event
    try:
        occurred_ms, sent_ms = to_ms(parse_instant(event.get("occurred_at"))), to_ms(parse_instant(event["sent_at"]))
    except ValueError:
        return event
    corrected_ms = occurred_ms + collected_at_ms - sent_ms
    if not 0 <= corrected_ms <= _LAST_MS:
        return event
    corrected = (_EPOCH + timedelta(milliseconds=corrected_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**event, "occurred_at": corrected, "device_occurred_at": event["occurred_at"]}
