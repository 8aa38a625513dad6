"""How fast a shop may send: a token bucket for its server and one for its pages, one token an event, filled at the shop's rate.

Whoever reads a page's key can empty the pages' bucket; the server's orders go on.
"""

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
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # shop and sender → tokens at a time

    def take(self, shop_id: str, sent_by: str, events: int) -> int | None:
        """Take tokens for ``events``: None when they were there, else the whole seconds after which they will be."""
        now, rate = self._clock_s(), self._rate_of(shop_id)
        capacity = float(max(rate, self._burst))
        tokens, since = self._buckets.get((shop_id, sent_by), (capacity, now))
        tokens = min(capacity, tokens + (now - since) * rate)
        wait_s = None
        if tokens >= events:
            tokens -= events
        else:
            wait_s = max(1, math.ceil((events - tokens) / rate))
        self._buckets[shop_id, sent_by] = (tokens, now)
        return wait_s
