"""What was accepted and kept out of a shop's numbers, as ``jishi quarantine list`` says it, read within bounds."""

from __future__ import annotations

import threading

from dashboard.portal.published_marts import TooSlow
from jishi.lake.quarantine import Quarantined, ReadBounds, ReadingStopped, quarantined
from jishi.settings import Settings

MOST_ROWS = 200
BOUNDS = ReadBounds(seconds=10.0, memory="512MB", threads=1)
_AT_ONCE = 2  # each may take as much memory as its bounds say


class Quarantine:
    """The newest rejected events of one shop at a time."""

    def __init__(self, settings: Settings, bounds: ReadBounds = BOUNDS) -> None:
        self._settings, self._bounds = settings, bounds
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def rows(self, shop_id: str) -> list[Quarantined]:
        """At most ``MOST_ROWS`` of a shop, newest first. Raises TooSlow."""
        if not self._places.acquire(timeout=self._bounds.seconds):
            raise TooSlow("others read the quarantine")
        try:
            return quarantined(self._settings, shop=shop_id, limit=MOST_ROWS, bounds=self._bounds)
        except ReadingStopped as error:
            raise TooSlow(str(error)) from None
        finally:
            self._places.release()
