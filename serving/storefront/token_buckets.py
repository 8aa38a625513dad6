"""How often somebody may ask: a token bucket for each name (an address, a shop)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock


class TokenBuckets:
    """``per_s`` requests a second last, ``at_once`` may come together; the ``most`` names that came last are remembered."""

    def __init__(self, per_s: float, at_once: float, *, now: Callable[[], float] = time.monotonic, most: int = 10_000) -> None:
        self._per_s, self._at_once, self._now, self._most = per_s, at_once, now, most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name → tokens at an instant
        self._lock = Lock()

    def take(self, name: str) -> float:
        """Seconds to wait before the next request of that name; 0 when this one may pass."""
        with self._lock:
            now = self._now()
            tokens, at = self._buckets.pop(name, (self._at_once, now))
            tokens = min(self._at_once, tokens + (now - at) * self._per_s)
            may_pass = tokens >= 1
            self._buckets[name] = (tokens - may_pass, now)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
            return 0.0 if may_pass else (1 - tokens) / self._per_s
