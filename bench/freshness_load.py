"""Load and reader of the freshness bench: events at a steady rate, and probes that are asked for until they can be read."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from bench.small_platform import SHOP
from jishi import feast_import
from jishi.features import ENTITY_COLUMN, FEATURES
from jishi.paths import Paths
from jishi.settings import Settings

BATCH, PROBE_EVERY = 10, 25
WARM_S = 15.0
GIVE_UP_S = 30.0
LAST_ITEMS = next(feature for feature in FEATURES if feature.name == "last_items")


@dataclass
class Probes:
    """Persons who have one event each: when it was acknowledged, and how long until it could be read (monotonic seconds)."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    waits_s: dict[str, float] = field(default_factory=dict)

    def waiting(self) -> list[str]:
        """Persons not seen in the store yet."""
        return [person for person in list(self.acknowledged) if person not in self.waits_s]


def send(url: str, key: str, per_s: int, seconds: float, probes: Probes) -> int:
    """Send events at a steady rate whatever the answers take; probes count after the warm-up. Returns how many were sent.

    Raises RuntimeError when the collector did not accept an event.
    """
    sent, began = 0, time.monotonic()
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        while sent < (seconds + WARM_S) * per_s:
            time.sleep(max(0.0, began + sent / per_s - time.monotonic()))
            numbers = range(sent, sent + BATCH)
            answer = client.post(f"{url}/v1/events", json=[_event(number) for number in numbers])
            now = time.monotonic()
            if answer.status_code != 200 or any(one["status"] != "accepted" for one in answer.json()["results"]):
                raise RuntimeError(f"the collector answered {answer.status_code}: {answer.text[:300]}")
            if now - began > WARM_S:
                probes.acknowledged |= {f"probe-{number}": now for number in numbers if number % PROBE_EVERY == 0}
            sent += BATCH
    return sent


def read(settings: Settings, probes: Probes, stop: threading.Event) -> None:
    """Ask the online store for the probes until all are there or none came for long after ``stop``."""
    feast_import.prepare()
    from feast import FeatureStore

    folder = Paths.of(settings).features
    store = FeatureStore(repo_path=str(folder), fs_yaml_file=folder / "feature_store.yaml")
    gave_up_at = None
    while True:
        waiting = probes.waiting()
        if stop.is_set():
            gave_up_at = gave_up_at or time.monotonic() + GIVE_UP_S
            if not waiting or time.monotonic() > gave_up_at:
                return
        if not waiting:
            time.sleep(0.002)
            continue
        values = store.get_online_features(
            features=[f"{LAST_ITEMS.view}:{LAST_ITEMS.name}"],
            entity_rows=[{"shop_id": SHOP, ENTITY_COLUMN[LAST_ITEMS.entity]: person} for person in waiting],
        ).to_dict()
        now = time.monotonic()
        for person, items in zip(values[ENTITY_COLUMN[LAST_ITEMS.entity]], values[LAST_ITEMS.name], strict=True):
            if items:
                probes.waits_s[person] = now - probes.acknowledged[person]


def _event(number: int) -> dict[str, Any]:
    """A view of an item; one in ``PROBE_EVERY`` by a person of its own, the others by 2,000 regulars."""
    person = f"probe-{number}" if number % PROBE_EVERY == 0 else f"u-{number * 7919 % 2000}"
    return {
        "event_id": f"e-{number}",
        "shop_id": SHOP,
        "type": "item_viewed",
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "user_id": person,
        "session_id": f"s-{person}",
        "context": {"channel": "wechat", "device": "ios"},
        "properties": {"item_id": f"i-{number % 3000}", "category": f"c-{number % 40}", "unit_price_minor": 19900},
    }
