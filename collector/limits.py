"""How fast a shop may send: one token bucket a shop, one token an event."""

from __future__ import annotations

import math
from collections.abc import Callable


class RateLimit:
    """Buckets that fill with ``events_per_s`` and hold one second's worth, but at least ``burst``: a full request must fit."""

    def __init__(self, events_per_s: int, burst: int, clock_s: Callable[[], float]) -> None:
        self._rate = events_per_s
        self._capacity = float(max(events_per_s, burst))
        self._clock_s = clock_s
        self._buckets: dict[str, tuple[float, float]] = {}  # shop → tokens at a time

    def take(self, shop_id: str, events: int) -> int | None:
        """Take tokens for ``events``: None when they were there, else the whole seconds after which they will be."""
        now = self._clock_s()
        tokens, since = self._buckets.get(shop_id, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - since) * self._rate)
        wait_s = None
        if tokens >= events:
            tokens -= events
        else:
            wait_s = max(1, math.ceil((events - tokens) / self._rate))
        self._buckets[shop_id] = (tokens, now)
        return wait_s
