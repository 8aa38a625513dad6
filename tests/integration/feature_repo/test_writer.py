"""The writer against a real Kafka broker: each value becomes readable, a crash repeats and loses nothing, bad ones are kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from feature_repo.store import open_store
from feature_repo.writer import GROUP, FeatureSink, WriterProgress, run_writer
from jishi import topics
from jishi.heartbeat import last_beat
from jishi.java import java_home
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, running_broker
from ops.ports import free_port

pytestmark = pytest.mark.integration


def wait_until(holds: Callable[[], Any], timeout_s: float = 180) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (result := holds()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
    return result


class Writer:
    """The daemon as a process, with its own port."""

    def __init__(self, var: Path, bootstrap: str, online_store: dict[str, str]) -> None:
        self.port = free_port()
        env = (
            os.environ
            | online_store
            | {
                "JISHI_VAR": str(var),
                "JISHI_KAFKA_BOOTSTRAP": bootstrap,
                "JISHI_FEATURE_WRITER_PORT": str(self.port),
                "PYTHONUNBUFFERED": "1",
            }
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "feature_repo", "write"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=60) as answer:
                payload: dict[str, Any] = json.load(answer)
                return payload
        except OSError:
            return {}

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(how)
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    paths = Paths.of(get_settings())
    fetch_jars(paths)
    folder = tmp_path_factory.mktemp("kafka")
    embedded_broker = EmbeddedBroker(
        folder, paths.jars, java_home(paths.envs), "127.0.0.1", free_port(), free_port(), heap="256m"
    )
    with running_broker(embedded_broker, folder / "broker.log"):
        yield embedded_broker


def message(person: str, as_of_ms: int, items: list[str], known_ms: int | None = None) -> bytes:
    values = {"last_items": items, "last_items_known_ms": [as_of_ms if known_ms is None else known_ms] * len(items)}
    payload = {"view": "person_last_20", "shop_id": "a", "entity_id": person, "as_of_ms": as_of_ms, "valid_until_ms": None}
    return json.dumps(payload | {"values": values}).encode()


def send(broker: EmbeddedBroker, payloads: list[tuple[str, bytes | None]]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for person, payload in payloads:
        producer.produce(topics.FEATURES.name, payload, key=f"person_last_20|a|{person}".encode())
    assert producer.flush(30) == 0


def test_values_arrive_newest_wins_and_a_crash_loses_nothing(
    online_store: Any, settings: Settings, paths: Paths, broker: EmbeddedBroker
) -> None:
    now_ms = int(time.time() * 1000)
    store = open_store(settings, paths)

    def read(person: str) -> list[str] | None:
        values = store.get_online_features(["person_last_20:last_items"], [{"shop_id": "a", "person_id": person}]).to_dict()
        items: list[str] | None = values["last_items"][0]
        return items

    with Writer(settings.var, broker.bootstrap, online_store.environment) as writer:
        # One instant, three clicks of one request: the log's order decides. An older value and rubbish between them.
        send(
            broker,
            [
                ("p", message("p", now_ms, ["1"])),
                ("p", message("p", now_ms, ["2", "1"])),
                ("p", b"{broken"),
                ("p", message("p", now_ms - 1, ["1"], known_ms=now_ms)),
                ("p", message("p", now_ms, ["3", "2", "1"])),
                ("p", None),
            ],
        )
        wait_until(lambda: read("p") == ["3", "2", "1"])
        counted = ("written", "refused_as_older", "dead")
        result = wait_until(lambda: sum((now := writer.health())[name] for name in counted) == now["messages"] == 6 and now)
        assert (result["written"], result["refused_as_older"]) == (3, 1)
        dead = [json.loads(line) for line in (paths.features / "dead_letter.jsonl").read_text().splitlines()]
        assert [entry["message"] for entry in dead] == ["{broken", ""]
        assert all(entry["error"] and entry["offset"] >= 0 for entry in dead)
        assert 'jishi_feature_rows_written_total{view="person_last_20"} 3.0' in writer.metrics()
        assert wait_until(lambda: last_beat(paths, "feature_writer")).is_fresh
        writer.stop(signal.SIGKILL)

    send(broker, [(f"q{n}", message(f"q{n}", now_ms, [str(n)])) for n in range(700)])
    with Writer(settings.var, broker.bootstrap, online_store.environment) as again:
        wait_until(lambda: read("q699") == ["699"] and read("q0") == ["0"])
        wait_until(lambda: again.health()["messages"] >= 700)
        assert read("p") == ["3", "2", "1"]
        code, out = again.stop()
    assert code == 0, out
    # All is committed: the group stands at the end of every partition.
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP})
    places = [TopicPartition(topics.FEATURES.name, p) for p in range(topics.FEATURES.partitions)]
    for place in consumer.committed(places, timeout=60):
        assert place.offset == consumer.get_watermark_offsets(place, timeout=60)[1]
    consumer.close()


def test_the_writer_expires_every_hour_what_is_old_by_then(
    online_store: Any, settings: Settings, paths: Paths, broker: EmbeddedBroker
) -> None:
    """By the clock that the loop is given: a list that is 30 days old half an hour from now, and one that is so much later."""
    started = datetime.now(UTC)
    clock = [started]
    born = {"soon": started - timedelta(days=30, minutes=-30), "later": started - timedelta(days=30, minutes=-90)}
    store = open_store(settings, paths)

    def held() -> set[str]:
        keys = [{"shop_id": "a", "person_id": person} for person in born]
        items = store.get_online_features(["person_last_20:last_items"], keys).to_dict()["last_items"]
        return {person for person, of_person in zip(born, items, strict=True) if of_person}

    send(broker, [(person, message(person, round(at.timestamp() * 1000), ["i"])) for person, at in born.items()])
    progress, stop = WriterProgress(), Event()

    def run() -> None:
        sink = FeatureSink(open_store(settings, paths), paths.features, progress)
        run_writer(
            KafkaCluster(broker.bootstrap), lambda: sink, progress, stop, group=uuid4().hex, now=lambda: clock[0], keep_days=30
        )

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(run)
        try:
            wait_until(lambda: writer.done() or held() == born.keys())
            clock[0] = started + timedelta(minutes=59)
            rows = progress.messages
            send(broker, [("other", message("other", round(started.timestamp() * 1000), ["i"]))])
            wait_until(lambda: writer.done() or progress.messages > rows)
            assert (held(), progress.expired) == (set(born), 0)
            clock[0] = started + timedelta(minutes=61)
            wait_until(lambda: writer.done() or progress.expired)
            assert (held(), progress.expired) == ({"later"}, 1)
        finally:
            stop.set()
        writer.result(timeout=60)


class KeptMessages(FeatureSink):
    """A sink without a store: the offsets that it was given, by partition."""

    def __init__(self) -> None:
        self.places: list[tuple[int, int]] = []

    def write(self, messages: Iterable[tuple[int, int, bytes | None]]) -> None:
        self.places += [(partition, offset) for partition, offset, _ in messages]


def test_writers_of_one_host_share_the_partitions_and_take_each_others_over(broker: EmbeddedBroker) -> None:
    group, partitions = uuid4().hex, set(range(topics.FEATURES.partitions))
    sinks = [KeptMessages(), KeptMessages()]
    progress, stops = [WriterProgress(), WriterProgress()], [Event(), Event()]

    def run(number: int) -> None:
        run_writer(
            KafkaCluster(broker.bootstrap), lambda: sinks[number], progress[number], stops[number], say=print, group=group
        )

    def held() -> list[set[int]]:
        return [set(each.lag) for each in progress]

    def reach_end(sent: int) -> bool:
        return len({place for sink in sinks for place in sink.places}) - before == sent

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(run, 0)]
        try:
            wait_until(
                lambda: writers[0].done() or (progress[0].lag.keys() == partitions and not any(progress[0].lag.values()))
            )
            before = len(sinks[0].places)
            writers.append(pool.submit(run, 1))
            wait_until(lambda: any(each.done() for each in writers) or sorted(map(len, held())) == [1, len(partitions) - 1])
            time.sleep(3)  # as long as two of one name would need to throw each other out
            assert [each.exception(0) for each in writers if each.done()] == []
            assert set.union(*held()) == partitions
            assert not set.intersection(*held())
            send(broker, [(f"s{n}", message(f"s{n}", 1, ["i"])) for n in range(50)])
            wait_until(lambda: any(each.done() for each in writers) or reach_end(50))
            assert all(sink.places for sink in sinks)
            stops[0].set()
            writers[0].result(timeout=60)
            wait_until(lambda: writers[1].done() or held()[1] == partitions)
            send(broker, [(f"t{n}", message(f"t{n}", 1, ["i"])) for n in range(50)])
            wait_until(lambda: writers[1].done() or reach_end(100))
        finally:
            for stop in stops:
                stop.set()
        for each in writers:
            each.result(timeout=60)


@pytest.mark.parametrize("online_store", ["sqlite"], indirect=True)
def test_the_writer_waits_for_kafka_and_says_so(settings: Settings, paths: Paths) -> None:
    with Writer(settings.var, f"127.0.0.1:{free_port()}", {}) as writer:
        result = wait_until(writer.health)
        assert (result["status"], result["waiting_for"]) == ("waiting", "Kafka")
        time.sleep(1.5)
        assert writer.process.poll() is None
        code, out = writer.stop()
    assert (code, "waiting for Kafka" in out) == (0, True), out
