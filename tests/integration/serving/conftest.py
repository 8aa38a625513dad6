"""A platform of one shop, built up while serving runs: registry, catalogue, feature store, Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer
from scipy import sparse

from jishi import topics
from jishi.contract import record_of
from jishi.files import write_atomically
from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shop, Shops
from jishi.tables import SILVER_ITEMS
from models.algorithms.als import ALS
from models.algorithms.item_knn import ItemKNN
from models.algorithms.popularity import Popularity
from models.release.artefact import save
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker
from ops.ports import free_port
from tests.lake import record


@dataclass
class Platform:
    """Folders and a broker that is not started yet; each method does what another part does on a real platform."""

    settings: Settings
    paths: Paths
    broker: EmbeddedBroker

    def register(self, shop_id: str) -> str:
        """Register a shop; returns its read key."""
        shops = Shops.load(self.paths.shops_file)
        shops.add(Shop(shop_id=shop_id, name=shop_id))
        key = shops.issue_key(shop_id, "read")
        shops.save(self.paths.shops_file)
        return key

    def publish_items(self, rows: list[dict[str, Any]]) -> None:
        """Publish the catalogue table with these rows; what a row leaves out is filled."""
        at = datetime(2026, 9, 1, tzinfo=UTC).replace(tzinfo=None)
        blank = {"brand": None, "attributes": None, "region": None, "unit_price_minor": 100, "currency": "CNY", "stock": 5}
        blank |= {"status": "active", "changed_at": at, "known_at": at}
        record(self.paths.var, {SILVER_ITEMS: [blank | {"title": f"标题{row['item_id']}"} | row for row in rows]})

    def publish_release(self, shop_id: str, version: str, groups: list[list[str]]) -> Path:
        """Train and publish a release in which person ``u<n>`` bought all of the n-th group of items, three times each."""
        item_ids = [item_id for group in groups for item_id in group]
        starts = np.cumsum([0, *(len(group) for group in groups)])
        rows = np.zeros((3 * len(groups), len(item_ids)), dtype=np.float32)
        for number in range(len(groups)):
            rows[number :: len(groups), starts[number] : starts[number + 1]] = 1
        histories, sales = sparse.csr_matrix(rows), np.arange(len(item_ids), 0, -1, dtype=np.float32)
        als = ALS(factors=8, threads=1).fit(histories, sales)
        knn = ItemKNN(neighbours=5, threads=1).fit(histories, sales)
        person_factors = als.fold_in(histories[: len(groups)])
        folder = self.paths.models / shop_id / "releases" / version
        save(
            folder,
            {
                "popularity": Popularity().fit(histories, sales).state(),
                "item_knn": knn.state(),
                "als": als.state() | {"person_factors": person_factors},
            },
            {"items": item_ids, "persons": [f"u:u{number}" for number in range(len(groups))]},
            {"shop_id": shop_id, "version": version},
        )
        self.point(shop_id, version)
        return folder

    def point(self, shop_id: str, version: str) -> None:
        """Publish a release that lies there already."""
        write_atomically(self.paths.models / shop_id / "CURRENT", version + "\n")

    def change_item(self, shop_id: str, item_id: str, category: str, stock: int) -> None:
        """Send an ``item_changed`` through the log, as the collector's forwarder does."""
        payload = {"item_id": item_id, "title": item_id, "category": category, "unit_price_minor": 100, "currency": "CNY"}
        self._send(shop_id, "item_changed", payload | {"stock": stock})

    def pay(self, shop_id: str, user_id: str, order_id: str, item_ids: list[str]) -> None:
        """Send an ``order_paid`` through the log."""
        lines = [{"item_id": item_id, "quantity": 1, "unit_price_minor": 100} for item_id in item_ids]
        self._send(shop_id, "order_paid", {"order_id": order_id, "currency": "CNY", "lines": lines}, user_id=user_id)

    def choose(self, shop_id: str, user_id: str, *, is_allowed: bool) -> None:
        """Send a ``consent_changed`` through the log."""
        self._send(shop_id, "consent_changed", {"personalisation": is_allowed}, user_id=user_id)

    def _send(self, shop_id: str, kind: str, properties: dict[str, Any], **fields: str) -> None:
        now = datetime.now(UTC)
        event = {
            "event_id": f"{kind}-{now.timestamp()}",
            "shop_id": shop_id,
            "type": kind,
            "occurred_at": now.isoformat(timespec="milliseconds"),
            "properties": properties,
            **fields,
        }
        record, _ = record_of(event, shop_id=shop_id, collector_id="t", seq=0, collected_at_ms=0)
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        producer.produce(topics.EVENTS.name, orjson.dumps(record), key=f"{shop_id}|".encode())
        assert producer.flush(30) == 0


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return _platform_in(tmp_path)


@pytest.fixture(scope="module")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """One for all tests of a module."""
    return _platform_in(tmp_path_factory.mktemp("shared"))


def _platform_in(folder: Path) -> Platform:
    platform_paths = Paths.of(get_settings())
    fetch_jars(platform_paths)
    port = free_port()
    settings = Settings(
        var=folder / "var",
        kafka_bootstrap=f"127.0.0.1:{port}",
        serving_port=free_port(),
        collector_port=free_port(),
        _env_file=None,  # type: ignore[call-arg]
    )
    paths = Paths.of(settings)
    broker = EmbeddedBroker(
        paths.kafka, platform_paths.jars, java_home(platform_paths.envs), "127.0.0.1", port, free_port(), heap="256m"
    )
    return Platform(settings, paths, broker)


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until something holds, and give it back."""

    def wait(holds: Callable[[], Any], timeout_s: float = 180) -> Any:
        deadline = time.monotonic() + timeout_s
        while not (result := holds()):
            assert time.monotonic() < deadline, "did not happen in time"
            time.sleep(0.05)
        return result

    return wait
