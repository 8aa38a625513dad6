"""Made-up shoppers: good events mostly, and some that are late, from the future, broken or sent twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.ledger import Meant

SHOP = "chaos"
PERSONS = 120
LATE_S, AHEAD_S = 120, 60
_TYPES = ("item_viewed",) * 14 + ("item_added_to_cart",) * 3 + ("search_performed", "share_opened", "order_paid")


class ChaosShoppers:
    """Some persons of the shop, whose events come from one thread and so in one order. ``name`` makes ids unique."""

    def __init__(self, name: str, persons: Sequence[str], chance: random.Random) -> None:
        self._name = name
        self._persons = persons
        self._chance = chance
        self._turns: Counter[str] = Counter()
        self._count = 0

    def batch(self, size: int, now: datetime) -> list[dict[str, Any]]:
        """Events of several persons as of ``now``; one in a hundred is dated so far back that it is late."""
        return [self._event(now - timedelta(seconds=LATE_S if self._chance.random() < 0.01 else 0)) for _ in range(size)]

    def refused_batch(self, size: int, now: datetime) -> list[dict[str, Any]]:
        """Events for the quarantine: every other one lacks what it needs, the others are dated ahead."""
        events = [self._event(now + timedelta(seconds=AHEAD_S), "item_viewed") for _ in range(size)]
        for event in events[::2]:
            del event["properties"]["item_id"]
        return events

    def _event(self, at: datetime, kind: str | None = None) -> dict[str, Any]:
        self._count += 1
        person = self._chance.choice(self._persons)
        self._turns[person] += 1
        kind = kind or self._chance.choice(_TYPES)
        return {
            "event_id": f"{self._name}-{self._count:06}",
            "shop_id": SHOP,
            "type": kind,
            "occurred_at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "user_id": person,
            "session_id": f"{person}-{self._turns[person] // 20}",
            "properties": self._properties(kind),
            "turn": self._turns[person],
        }

    def _properties(self, kind: str) -> dict[str, Any]:
        number = self._chance.randrange(60)
        item = {"item_id": f"i-{number}", "unit_price_minor": 100 * (number + 1)}
        if kind == "search_performed":
            return {"query": f"裙 {number}"}
        if kind == "share_opened":
            return {"share_id": f"s-{number % 7}", "item_id": item["item_id"]}
        if kind == "order_paid":
            return {"order_id": f"{self._name}-o{self._count}", "currency": "CNY", "lines": [item | {"quantity": 1}]}
        return item | {"category": f"c-{number % 5}"}


def meant(events: Sequence[dict[str, Any]]) -> list[Meant]:
    """The entries of the ledger for these events."""
    return [Meant(event["event_id"], event["user_id"], event["turn"]) for event in events]
