"""What serving reads from memory is what the online store holds: the same topic, Kafka and store, every live view."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from feature_repo.store import apply, open_store
from feature_repo.writer import FeatureSink, WriterProgress, run_writer
from jishi import topics
from jishi.features import live_views
from jishi.kafka import KafkaCluster
from jishi.lake.reading import open_version
from jishi.paths import Paths
from jishi.settings import Settings
from ops.kafka import running_broker
from serving.features.follower import follow_features, is_current
from serving.features.online_store import OnlineReader, read_view
from serving.features.reader import FeatureReader
from serving.features.table import FeatureTable
from serving.log_follower import LogHealth, first_places

pytestmark = pytest.mark.integration
SHOPS = ("a", "b")
IDS = {"person": ["u:1", "a:项目"], "item": ["i1", "i2"], "shop": SHOPS, "person_category": ["u:1|裙装", "u:%25|b"]}
OTHERS = ["x", "y"]  # shares, group buys


def messages(now_ms: int, seed: int) -> list[bytes]:
    """Values of every live view in an order of no meaning, many at one instant, some that ran out."""
    rng = random.Random(seed)
    payloads = []
    for _ in range(600):
        view, members = rng.choice(list(live_views().items()))
        shop_id = rng.choice(SHOPS)
        entity = members[0].entity
        as_of_ms = now_ms - rng.randrange(5) * 1000
        n = rng.randint(1, 4)
        values = {
            each.name: [as_of_ms - place for place in range(n)]
            if each.value_type == "list<int64>"
            else [rng.choice("abc") for _ in range(n)]
            if each.value_type == "list<string>"
            else rng.randrange(100)
            for each in members
        }
        key = shop_id if entity == "shop" else rng.choice(IDS.get(entity, OTHERS))
        until_ms = rng.choice([None, now_ms - 60_000, now_ms + 3_600_000])
        message = {"view": view, "shop_id": shop_id, "entity_id": key, "as_of_ms": as_of_ms, "valid_until_ms": until_ms}
        payloads.append(orjson.dumps(message | {"values": values}))
    return payloads


@pytest.fixture(scope="module")
def kafka(shared_platform: Any) -> Iterator[str]:
    with running_broker(shared_platform.broker, shared_platform.paths.log / "kafka.log"):
        yield shared_platform.settings.kafka_bootstrap


@pytest.mark.parametrize("start_ms", [None, 1_790_000_000_000])
def test_a_reader_misses_nothing_that_is_written_before_its_first_fetch(kafka: str, start_ms: int | None) -> None:
    """Neither in a partition whose records are all older than the reader's start nor in an empty one."""
    broker, topic = KafkaCluster(kafka), f"first-{start_ms}"
    admin = AdminClient(broker.client_options())
    admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])[topic].result(timeout=60)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"old", partition=0, timestamp=1_780_000_000_000)
    assert producer.flush(30) == 0
    consumer = Consumer({**broker.client_options(), "group.id": "first", "auto.offset.reset": "earliest"})
    try:
        places = first_places(consumer, topic, [0, 1], start_ms)
        for partition in (0, 1):
            producer.produce(topic, b"new", partition=partition, timestamp=1_795_000_000_000)
        assert producer.flush(30) == 0
        consumer.assign(places)
        read: list[bytes | None] = []
        for _ in range(30):
            read += [message.value() for message in consumer.consume(10, 1)]
            if len(read) == (3 if start_ms is None else 2):
                break
        assert sorted(filter(None, read)) == [b"new", b"new"] + ([b"old"] if start_ms is None else [])
    finally:
        consumer.close()


def test_table_and_store_end_in_the_same_values(
    online_store: Any, tmp_path: Path, kafka: str, until: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    settings = Settings(var=tmp_path / "var", **online_store.settings, _env_file=None)  # type: ignore[call-arg]
    paths = Paths.of(settings)
    apply(settings, paths, open_version(settings))
    progress, health, stop = WriterProgress(), LogHealth(), threading.Event()
    table = FeatureTable(is_following=lambda: is_current(health))
    open_sink = lambda: FeatureSink(open_store(settings, paths), paths.features, progress)  # noqa: E731
    group = f"test-{request.node.name}"
    threads = [
        threading.Thread(target=run_writer, args=(KafkaCluster(kafka), open_sink, progress, stop), kwargs={"group": group}),
        threading.Thread(target=follow_features, args=(KafkaCluster(kafka), table, health, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        now_ms = 1_790_000_000_000
        producer = Producer({"bootstrap.servers": kafka})
        for seed in (7, 8):
            for payload in messages(now_ms, seed):
                message = orjson.loads(payload)
                key = f"{message['view']}|{message['shop_id']}|{message['entity_id']}"
                producer.produce(topics.FEATURES.name, payload, key=key.encode())
        assert producer.flush(30) == 0
        until(lambda: progress.messages >= 1_200 and sum(progress.lag.values()) == 0 and progress.lag)
        # The second look after the last message began after it, too: its lag is of all messages.
        for _ in range(2):
            looked = health.read_at
            until(lambda looked=looked: health.read_at != looked)
        until(lambda: is_current(health) and sum(health.lag.values()) == 0)
        store = open_store(settings, paths)
        opened = OnlineReader(budget_s=60)
        opened.use(store)
        reader = FeatureReader(table, opened)
        compared = 0
        for name in live_views():
            view = table.views[name]
            for shop_id in SHOPS:
                keys = [shop_id] if view.entity == "shop" else list(IDS.get(view.entity, OTHERS))
                stored = read_view(store, shop_id, view, keys)
                in_memory, _ = table.look(name, shop_id, keys)
                # First what the topic alone brought, then what a request reads, which asks the store where it has to.
                for rows in (in_memory, reader.rows(name, shop_id, keys)):
                    assert rows == stored
                compared += sum(row is not None for row in stored)
        assert compared >= 30
        assert reader.counts["table"] > reader.counts["store"]  # windows come from memory
        nobody = reader.rows("item_3600s_60s", "a", ["none"])
        assert nobody == read_view(store, "a", table.views["item_3600s_60s"], ["none"]) == [None]
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
