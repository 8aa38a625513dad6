"""Serving starts before anything exists and picks each thing up: registry, catalogue, release, Kafka."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from confluent_kafka import Consumer, TopicPartition
from fastapi.testclient import TestClient

from feature_repo.store import apply, open_store
from jishi import topics
from jishi.lake.reading import open_version
from models.algorithms.sparse_sums import Sums
from ops.kafka import running_broker
from serving.api import make_app
from serving.blend import Vector
from serving.engine import Engine

pytestmark = pytest.mark.integration
SHOP = "lanting"
ITEMS = [(f"s{n}", "skirts") for n in range(10)] + [(f"l{n}", "lamps") for n in range(10)]


@dataclass
class TinyRelease:
    """A release whose skirts sell best and whose lamp n is near lamp n+1."""

    item_ids: Sequence[str] = tuple(item_id for item_id, _ in ITEMS)
    version: str = "v1"
    placement_notes: Mapping[str, str] = field(default_factory=dict)
    newcomers: None = None
    usual_prices: None = None
    quotas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    sold_placements: frozenset[str] = frozenset()

    @property
    def is_bought_again(self) -> np.ndarray:
        return np.zeros(len(self.item_ids), dtype=np.bool_)

    def purchases(self, person_id: str) -> np.ndarray:
        return np.empty(0, dtype=np.int64)

    def newcomers_near(self, person_id: str) -> None:
        return None

    def placement(self, name: str) -> None:
        return None

    def ranker(self, name: str) -> None:
        return None

    @property
    def popularity(self) -> Vector:
        return np.linspace(1, 0.1, len(self.item_ids), dtype=np.float32)

    def taste(self, person_id: str) -> None:
        return None

    def similar(self, causes: Sequence[tuple[int, float]], most: int) -> Sums:
        near = {number + 1: (weight, number) for number, weight in reversed(causes) if 10 <= number < 19}
        weights, because = zip(*near.values(), strict=True) if near else ((), ())
        return Sums(
            np.array(list(near), dtype=np.int64), np.array(weights, dtype=np.float32), np.array(because, dtype=np.int64)
        )


class EngineShop:
    """Asks the API for the shop's recommendations."""

    def __init__(self, client: TestClient, key: str) -> None:
        self.client, self.key = client, key

    def get(self, **params: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.client.get(f"/v1/shops/{SHOP}/recommendations", params={"limit": 5} | params, headers=headers)


@contextmanager
def running(engine: Engine) -> Iterator[TestClient]:
    with TestClient(make_app(engine)) as client:
        yield client


def decided(bootstrap: str) -> set[str]:
    """Ids of the answers in the topic of decisions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "a test", "auto.offset.reset": "earliest", "log_level": 0})
    consumer.assign([TopicPartition(topics.DECISIONS.name, number, 0) for number in range(topics.DECISIONS.partitions)])
    messages = consumer.consume(1_000, 2)
    consumer.close()
    return {json.loads(message.value())["request_id"] for message in messages if message.error() is None}


def test_each_thing_is_picked_up_when_it_appears(platform: Any, until: Callable[..., Any]) -> None:
    engine = Engine.of(platform.settings, platform.paths)
    with running(engine) as client:
        shop = EngineShop(client, "none yet")
        get = shop.get

        def items(**params: Any) -> list[str]:
            return [item["item_id"] for item in get(**params).json()["items"]]

        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert get().status_code == 401
        shop.key = platform.register(SHOP)
        assert get().json()["error"]["code"] == "catching_up", "nobody knows yet whether it has items"

        engine.states.of(SHOP).use_release(TinyRelease(), published_at=0.0)
        engine.stream.has_caught_up = True  # as if the log had been read; the broker comes later
        assert get().json()["error"]["code"] == "no_release"
        engine.stream.has_caught_up = False
        platform.publish_items([{"shop_id": SHOP, "item_id": i, "category": c} for i, c in ITEMS])
        until(lambda: len(engine.states.of(SHOP).catalogue.items) == len(ITEMS))
        assert get().json()["error"]["code"] == "catching_up"
        engine.stream.has_caught_up = True
        until(lambda: get().status_code == 200)
        assert (get(user_id="u").json()["served_by"], items(user_id="u")) == ("popular", ["s0", "s1", "s2", "s3", "s4"])

        # A new version of the table: s0 is gone from it in stock.
        rows = [{"shop_id": SHOP, "item_id": i, "category": c, "stock": 0 if i == "s0" else 5} for i, c in ITEMS]
        platform.publish_items(rows)
        until(lambda: items()[0] == "s1")

        with running_broker(platform.broker, platform.paths.log / "kafka.log"):
            until(lambda: engine.stream.waiting_for is None)
            platform.change_item(SHOP, "s1", "skirts", stock=0)
            until(lambda: "s1" not in items())
            platform.change_item(SHOP, "s1", "skirts", stock=3)
            until(lambda: items()[0] == "s1")
            payload = client.get("/readyz").json()
            assert payload["shops"] == {"ready": 1, "known": 1}
            headers = {"Authorization": f"Bearer {shop.key}"}
            assert client.get(f"/v1/shops/{SHOP}/readiness", headers=headers).json()["live_changes"] == 2
            assert payload["stream"]["waiting_for"] is None

            # What somebody has just paid for is known from the log, and goes with what is near it.
            paid = {"placement": "after_payment", "user_id": "payer", "limit": 3}
            assert items(**paid)[0] == "s1"
            platform.pay(SHOP, "payer", "o1", ["l4", "s1"])
            until(lambda: items(**paid)[0] == "l5")
            assert "s1" not in items(**paid)
            assert items(placement="after_payment", order_id="o1", limit=3) == items(**paid)
            assert items(placement="after_payment", user_id="another", limit=3)[0] == "s1"

            # One who forbids it is answered as anybody, at once; every answer is in the topic of decisions.
            platform.choose(SHOP, "payer", is_allowed=False)
            until(lambda: get(**paid).content == get(**paid | {"user_id": "another"}).content)
            request_id = get(**paid).headers["X-Request-ID"]
            until(lambda: request_id in decided(platform.broker.bootstrap))

            # A table published later, but made before these changes, must not bring the old state back.
            platform.change_item(SHOP, "s2", "skirts", stock=0)
            until(lambda: "s2" not in items())
            platform.publish_items([row | {"stock": 5} for row in rows])
            until(lambda: "s0" in items())
            assert "s2" not in items()
    assert not [thread for thread in engine._threads if thread.is_alive()]


def test_last_items_come_from_every_store_and_a_store_that_fails_costs_a_rung(
    platform: Any, online_store: Any, until: Callable[..., Any]
) -> None:
    for name, value in online_store.settings.items():
        setattr(platform.settings, name, value)
    platform.publish_items([{"shop_id": SHOP, "item_id": i, "category": c} for i, c in ITEMS])
    engine = Engine.of(platform.settings, platform.paths)
    engine.states.of(SHOP).use_release(TinyRelease(), published_at=0.0)
    engine.stream.has_caught_up = True  # there is no broker here
    with running(engine) as client:
        get = EngineShop(client, platform.register(SHOP)).get
        until(lambda: get(user_id="u").status_code == 200)
        assert get(user_id="u").json()["served_by"] == "popular"
        apply(platform.settings, platform.paths, open_version(platform.settings))
        until(lambda: engine.recent.is_open)
        store = open_store(platform.settings, platform.paths)
        now = datetime.now(UTC)
        row = {"shop_id": SHOP, "person_id": "u:u", "event_timestamp": now, "created_timestamp": now, "valid_until_ms": None}
        known_ms = [round(now.timestamp() * 1000) - 60_000 * minutes for minutes in (1, 2, 3)]
        row |= {"last_items": ["l2", "l1", "l0"], "last_items_known_ms": known_ms, "log_offset": 1}
        store.push("person_last_20", pd.DataFrame([row]))
        answer = until(lambda: (a := get(user_id="u").json())["served_by"] == "personalised" and a)
        assert {item["category"] for item in answer["items"]} == {"lamps"}
        assert answer["items"][0]["item_id"] == "l3"
        assert answer["items"][0]["reason"]["because_item_id"] == "l2"
        assert get(user_id="somebody-else").json()["served_by"] == "popular"

        if online_store.server is not None:
            with online_store.server.hanging():
                assert get(user_id="u").json()["served_by"] == "popular"
                assert engine.recent.health.reads["slow"] > 0
            until(lambda: get(user_id="u").json()["served_by"] == "personalised")
        else:
            for file in platform.paths.features.glob("online.db*"):
                file.unlink()
            assert get(user_id="u").status_code == 200


def test_a_restart_finds_the_changes_of_before(platform: Any, until: Callable[..., Any]) -> None:
    platform.register(SHOP)
    platform.publish_items([{"shop_id": SHOP, "item_id": i, "category": c} for i, c in ITEMS])
    with running_broker(platform.broker, platform.paths.log / "kafka.log"):
        platform.change_item(SHOP, "s0", "skirts", stock=0)
        engine = Engine.of(platform.settings, platform.paths)
        engine.states.of(SHOP).use_release(TinyRelease(), published_at=0.0)
        engine.start()
        # Whoever is answered at all is answered with the change: readiness waits for it.
        until(lambda: engine.stream.has_caught_up and engine.states.of(SHOP).shelf)
        state = engine.states.of(SHOP)
        assert state.changes == 1
        assert not state.shelf.sellable[0]
        engine.stop()
