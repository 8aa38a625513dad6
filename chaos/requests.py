"""Requests at their times, answered or not: events to the collector and lists from serving, each by the client that shops use.

Latency counts from the time at which a request was due, tries of the client included, so that a part that is away shows it.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from chaos.ledger import SentLedger
from chaos.shopper import PERSONS, SHOP, ChaosShoppers, meant
from chaos.stage import Stage
from chaos.traffic import pause_a_little
from collector.client import Client, Unreachable
from serving.clients.recommendations import Recommendations, RecommendationsRefused

LANES = 24  # of each kind; one request at a time each


@dataclass(frozen=True)
class Answered:
    """A request for a list or with events: due at epoch second ``at``, answered ``after_s`` later; ``problem`` if bad."""

    kind: str
    at: float
    after_s: float
    problem: str | None = None


class SteadyRequests:
    """``per_s`` requests a second, half of each kind, until ``stop``; an answer later than ``patience_s`` is a bad one."""

    def __init__(self, stage: Stage, ledger: SentLedger, *, per_s: float, patience_s: float, seed: int) -> None:
        serving = f"http://{stage.settings.host}:{stage.settings.serving_port}"
        self._events = Client(stage.url, SHOP, stage.key, timeout_s=patience_s, tries=1_000, sleep=pause_a_little)
        self._lists = Recommendations(serving, SHOP, stage.read_key, timeout_s=patience_s)
        self._ledger, self._patience_s, self._seed = ledger, patience_s, seed
        self._pause_s = 2 * LANES / per_s
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(2 * LANES, thread_name_prefix="requests")
        self._lanes: list[Future[None]] = []
        self.answered: list[Answered] = []

    def start(self) -> None:
        """Begin to ask."""
        self._lanes = [self._pool.submit(self._run, lane) for lane in range(2 * LANES)]

    def stop(self) -> None:
        """Ask no more and wait for what is under way. Raises what ended a lane."""
        self._stopping.set()
        self._pool.shutdown()
        for lane in self._lanes:
            lane.result()

    def _run(self, lane: int) -> None:
        number = lane // 2
        shoppers = ChaosShoppers(
            f"k{number}", [f"u-{n}" for n in range(number, PERSONS, LANES)], random.Random(f"{self._seed}-{lane}")
        )
        began, due = time.time() - time.monotonic(), time.monotonic() + self._pause_s * lane / (2 * LANES)
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            problem = self._send(shoppers) if lane % 2 else self._ask(number)
            after_s = time.monotonic() - due
            if problem is None and after_s > self._patience_s:
                problem = "late"
            self.answered.append(Answered("events" if lane % 2 else "list", began + due, after_s, problem))
            due += self._pause_s

    def _send(self, shoppers: ChaosShoppers) -> str | None:
        """Send one event until it is acknowledged, however long that takes: a shop's server keeps it."""
        events = shoppers.batch(1, datetime.now(UTC))
        batch, began = self._ledger.mean(meant(events)), time.monotonic()
        try:
            self._events.send(events)
        except Unreachable as error:
            return str(error)
        self._ledger.acknowledge(batch, at=time.time(), after_s=time.monotonic() - began)
        return None

    def _ask(self, number: int) -> str | None:
        try:
            return self._lists.recommend(placement="home", user_id=f"u{number % 6}", limit=4).problem
        except RecommendationsRefused as error:
            return str(error)
