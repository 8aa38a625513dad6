"""Through kill -9 and restarts each record is archived exactly once, and features keep what they knew."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
from confluent_kafka import Consumer, Producer

from jishi import topics
from tests.log_records import view_of

pytestmark = pytest.mark.integration


class RestartedStream(Protocol):
    """The fixture, see conftest.py."""

    bootstrap: str
    process: Any

    def start(self, *, ttl_s: int | None = None) -> None: ...
    def kill(self, *, spare_jvm: bool = False) -> None: ...
    def stop(self) -> int: ...
    def log_text(self) -> str: ...
    def archived(self) -> list[dict[str, Any]]: ...
    def unreadable(self) -> list[dict[str, Any]]: ...


def send(stream: RestartedStream, seqs: Iterable[int], pause_s: float = 0.0) -> None:
    producer = Producer({"bootstrap.servers": stream.bootstrap, "enable.idempotence": True, "compression.type": "zstd"})
    for seq in seqs:
        record = view_of(seq)
        producer.produce(topics.EVENTS.name, json.dumps(record).encode(), key=f"a|{record['person_id']}".encode())
        producer.poll(pause_s)
    assert producer.flush(30) == 0


def wait_for_rows(stream: RestartedStream, count: int) -> None:
    deadline = time.monotonic() + 180
    while len(stream.archived()) < count and time.monotonic() < deadline:
        time.sleep(0.2)


def latest_features(stream: RestartedStream) -> dict[str, dict[str, Any]]:
    consumer = Consumer({"bootstrap.servers": stream.bootstrap, "group.id": "t", "auto.offset.reset": "earliest"})
    consumer.subscribe([topics.FEATURES.name])
    newest: dict[str, dict[str, Any]] = {}
    silent_since = time.monotonic()
    while time.monotonic() - silent_since < 3:
        message = consumer.poll(0.5)
        if message is None:
            continue
        assert message.error() is None
        silent_since = time.monotonic()
        newest[message.key().decode()] = json.loads(message.value())
    consumer.close()
    return newest


def test_every_record_is_archived_once_through_kills(stream: RestartedStream) -> None:
    send(stream, range(500))
    producer = Producer({"bootstrap.servers": stream.bootstrap})
    foreign = [b"not JSON", b'{"bad utf-8": "\xff"}', b"[1]", b"null", b'{"no": "record"}', None]
    for value in [*foreign, topics.TICK]:  # a tick is no foreign value: it is not kept
        producer.produce(topics.EVENTS.name, value, key=b"x")
    assert producer.flush(30) == 0
    stream.start()
    wait_for_rows(stream, 500)
    send(stream, range(500, 900), pause_s=0.005)  # longer than a checkpoint: files are open when the kill comes
    stream.kill()
    send(stream, range(900, 950))
    stream.start()
    wait_for_rows(stream, 950)
    send(stream, range(950, 980), pause_s=0.05)
    stream.kill(spare_jvm=True)  # its JVM hangs, and must not wake up beside the next run and archive
    psutil.Process(json.loads((stream.paths.run / "flink-jvm.json").read_text())["pid"]).suspend()
    send(stream, range(980, 1000))
    stream.start()
    wait_for_rows(stream, 1000)
    time.sleep(3)  # a repeated row would come with the next files
    assert sorted(row["seq"] for row in stream.archived()) == list(range(1000))
    assert {row["outcome"] for row in stream.archived()} == {"good"}
    assert all(row["received_at_ms"] >= row["collected_at_ms"] - 1000 for row in stream.archived())
    assert stream.log_text().count("from checkpoint") == 2
    assert stream.log_text().count("an earlier run was still there") == 1


def test_last_items_outlive_the_kill(stream: RestartedStream) -> None:
    values = latest_features(stream)
    for person in range(5):
        result = values[f"person_last_20|a|p{person}"]
        assert result["values"]["last_items"] == [f"项{seq}" for seq in range(999, -1, -1) if seq % 5 == person][:20]
        assert result["valid_until_ms"] is None


def test_a_repetition_is_one_although_the_job_was_down_for_longer_than_it_remembers(stream: RestartedStream) -> None:
    first = view_of(2000) | {"event_id": "again"}
    producer = Producer({"bootstrap.servers": stream.bootstrap})
    producer.produce(topics.EVENTS.name, json.dumps(first).encode(), key=b"a|p0")
    assert producer.flush(30) == 0
    wait_for_rows(stream, 1001)
    stream.kill()
    producer.produce(topics.EVENTS.name, json.dumps(first | {"seq": 2001}).encode(), key=b"a|p0")
    assert producer.flush(30) == 0  # by its clocks it is not late
    time.sleep(2)
    stream.start(ttl_s=1)  # what it goes on from is older than that
    wait_for_rows(stream, 1002)
    assert {row["seq"]: row["outcome"] for row in stream.archived() if row["seq"] >= 2000} == {2000: "good", 2001: "duplicate"}


def test_foreign_values_are_kept_and_end_nothing(stream: RestartedStream) -> None:
    kept = stream.unreadable()
    assert sorted(row["reason"] for row in kept) == ["not_a_record"] + ["not_json"] * 5
    assert len({(row["log_partition"], row["log_offset"]) for row in kept}) == 6


def test_stop_leaves_no_process_behind(stream: RestartedStream, tmp_path: Path) -> None:
    children = psutil.Process(stream.process.pid).children(recursive=True)
    assert children
    assert stream.stop() == 0
    assert not any(child.is_running() for child in children)
