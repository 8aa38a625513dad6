"""The freshness probe: how long after its acknowledgement a click shows in the online store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chaos.ledger import Meant, SentLedger
from chaos.shopper import SHOP
from chaos.traffic import TIMEOUT_S
from collector.client import Client, Unreachable

if TYPE_CHECKING:
    from feast import FeatureStore

PERSON = "probe"
GIVE_UP_S = 60.0
_EVERY_S, _LOOK_S = 0.5, 0.02
_FEATURE = "person_last_20:last_items"


@dataclass(frozen=True)
class Probed:
    """A click acknowledged at epoch seconds ``at`` and readable ``fresh_s`` later; None when it was not within a minute."""

    at: float
    fresh_s: float | None


class Probe:
    """Sends a click, looks until it shows, and begins again, until ``stop``."""

    def __init__(self, url: str, key: str, ledger: SentLedger, open_store: Callable[[], FeatureStore]) -> None:
        self._client = Client(url, SHOP, key, timeout_s=TIMEOUT_S, tries=1)
        self._ledger = ledger
        self._open_store = open_store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.probed: list[Probed] = []

    def start(self) -> None:
        """Begin to probe."""
        self._thread.start()

    def stop(self) -> None:
        """End; the click under way is not waited for."""
        self._stopping.set()
        self._thread.join(GIVE_UP_S)

    def _run(self) -> None:
        store = self._open_store()
        turn = 0
        while not self._stopping.wait(_EVERY_S):
            turn += 1
            item_id = f"probe-{turn}"
            if self._click(item_id, turn):
                at = time.time()
                self.probed.append(Probed(at, self._time_until_shown(store, item_id)))

    def _click(self, item_id: str, turn: int) -> bool:
        """Send one click until it is acknowledged, or ``stop``."""
        event = {
            "event_id": item_id,
            "type": "item_viewed",
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "user_id": PERSON,
            "properties": {"item_id": item_id, "category": "probe"},
        }
        batch, began = self._ledger.mean([Meant(item_id, PERSON, turn)]), time.monotonic()
        while not self._stopping.is_set():
            try:
                self._client.send([event])
            except Unreachable:
                time.sleep(0.2)
                continue
            self._ledger.acknowledge(batch, at=time.time(), after_s=time.monotonic() - began)
            return True
        return False

    def _time_until_shown(self, store: FeatureStore, item_id: str) -> float | None:
        began = time.monotonic()
        while time.monotonic() - began < GIVE_UP_S and not self._stopping.is_set():
            if item_id in (_last_items(store) or []):
                return time.monotonic() - began
            time.sleep(_LOOK_S)
        return None


def _last_items(store: FeatureStore) -> list[str] | None:
    """The probe's last items; None while the store is away, which is what is being measured."""
    from redis.exceptions import RedisError

    try:
        row = store.get_online_features([_FEATURE], [{"shop_id": SHOP, "person_id": PERSON}]).to_dict()
    except (RedisError, OSError):
        return None
    items: list[str] | None = row["last_items"][0]
    return items
