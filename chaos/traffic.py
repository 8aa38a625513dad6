"""Clients that post events and keep the ledger: a batch is tried again, with the same ids, until it is acknowledged.

Each thread has persons of its own and one request under way at a time, so the order in which a person's events are acknowledged
is the order in which they were made.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from chaos.ledger import SentLedger
from chaos.shopper import PERSONS, SHOP, ChaosShoppers, meant
from collector.client import Client, Unreachable

LANES = 6
BATCH = 8
TRIES = 8
TIMEOUT_S = 4.0
_REFUSED_EVERY, _AGAIN_EVERY = 10, 15


class Traffic:
    """Clients of one shop that send about ``events_per_s`` from ``start`` to ``stop``, and go on after another ``start``."""

    def __init__(self, url: str, key: str, ledger: SentLedger, *, events_per_s: float, seed: int) -> None:
        self._client = Client(url, SHOP, key, timeout_s=TIMEOUT_S, tries=TRIES, sleep=pause_a_little)
        self._once = Client(url, SHOP, key, timeout_s=TIMEOUT_S, tries=1)
        self._ledger = ledger
        self._pause_s = LANES * BATCH / events_per_s
        self._stopping = threading.Event()
        chances = [random.Random(f"{seed}-{lane}") for lane in range(LANES)]
        persons = [[f"u-{number}" for number in range(lane, PERSONS, LANES)] for lane in range(LANES)]
        self._shoppers = [ChaosShoppers(f"l{lane}", persons[lane], chance) for lane, chance in enumerate(chances)]
        self._lanes: list[Future[None]] = []

    def start(self) -> None:
        """Begin to send."""
        self._stopping.clear()
        self._pool = ThreadPoolExecutor(LANES, thread_name_prefix="shoppers")
        self._lanes = [self._pool.submit(self._run, lane) for lane in range(LANES)]

    def stop(self) -> None:
        """Make no more events and wait until those that were made are acknowledged. Raises what ended a client."""
        self._stopping.set()
        self._pool.shutdown()
        for lane in self._lanes:
            lane.result()

    def _run(self, lane: int) -> None:
        shoppers = self._shoppers[lane]
        count, due = 0, time.monotonic() + self._pause_s * lane / LANES
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause_s, time.monotonic())
            count += 1
            now = datetime.now(UTC)
            if count % _REFUSED_EVERY == 0:
                self._send_once(shoppers.refused_batch(4, now))
                continue
            events = shoppers.batch(BATCH, now)
            self._send(events)
            if count % _AGAIN_EVERY == 0:
                self._send(events)

    def _send(self, events: list[dict[str, object]]) -> None:
        batch, began = self._ledger.mean(meant(events)), time.monotonic()
        while True:
            try:
                self._client.send(events)
            except Unreachable:
                continue
            self._ledger.acknowledge(batch, at=time.time(), after_s=time.monotonic() - began)
            return

    def _send_once(self, events: list[dict[str, object]]) -> None:
        """Send what the quarantine gets. It knows no repetition, so a client that hears nothing must not send it again."""
        batch, began = self._ledger.mean(meant(events)), time.monotonic()
        try:
            self._once.send(events)
        except Unreachable:
            return
        self._ledger.acknowledge(batch, at=time.time(), after_s=time.monotonic() - began)


def pause_a_little(wait_s: float) -> None:
    """Wait before another try, but never so long that the recovery would not show."""
    time.sleep(min(wait_s, 0.5))
