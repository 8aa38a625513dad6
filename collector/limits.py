"""How fast a shop may send: one token bucket a shop, one token an event, filled at the shop's own rate."""

from __future__ import annotations

import math
from collections.abc import Callable


class RateLimit:
    """Buckets that hold one second's worth, but at least ``burst``: a full request must fit.

    ``rate_of`` gives a shop's events a second and is asked each time, so that a new limit holds at once.
    """

    def __init__(self, rate_of: Callable[[str], int], burst: int, clock_s: Callable[[], float]) -> None:
        self._rate_of = rate_of
        self._burst = burst
        self._clock_s = clock_s
        self._buckets: dict[str, tuple[float, float]] = {}  # shop → tokens at a time

    def take(self, shop_id: str, events: int) -> int | None:
        """Take tokens for ``events``: None when they were there, else the whole seconds after which they will be."""
        now, rate = self._clock_s(), self._rate_of(shop_id)
        capacity = float(max(rate, self._burst))
        tokens, since = self._buckets.get(shop_id, (capacity, now))
        tokens = min(capacity, tokens + (now - since) * rate)
        wait_s = None
        if tokens >= events:
            tokens -= events
        else:
            wait_s = max(1, math.ceil((events - tokens) / rate))
        self._buckets[shop_id] = (tokens, now)
        return wait_s
