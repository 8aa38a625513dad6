"""A job with more views takes over the state of the running one: nothing is read again, and old features stay the oracle's."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from chaos.feature_check import check_messages
from dashboard.portal.counter_reader import CounterReader
from dashboard.portal.counter_table import CountedDay, CounterTable, StreamClock
from jishi import topics
from jishi.features import live_views
from jishi.features.oracle import good_acts, values
from jishi.kafka import KafkaCluster
from jishi.paths import Paths
from jishi.settings import PROJECT_ROOT
from jishi.shop_counters import MOST_LISTED

pytestmark = pytest.mark.integration
LATENESS_S = 2
LAST, WINDOW, NEW = "person_last_20", "person_3600s_60s", "item_3600s_60s"
OLD = (LAST, "person_last_5_category", "person_first_seen_at_ms", WINDOW)
BEFORE, ALL = 200, 300


class UpgradedStream(Protocol):
    """The fixture, see conftest.py."""

    paths: Paths
    bootstrap: str
    environment: dict[str, str]
    variables: dict[str, str]
    process: Any

    def start(self, *, views: tuple[str, ...] = ()) -> None: ...
    def log_text(self) -> str: ...
    def archived(self) -> list[dict[str, Any]]: ...


def record(seq: int) -> dict[str, Any]:
    now_ms = int(time.time() * 1000)
    absent = ("anonymous_id", "session_id", "category", "quantity", "invalid_reason", "invalid_field", "invalid_detail")
    payload: dict[str, Any] = {"collector_id": "c1", "seq": seq, "shop_id": "a", "event_id": f"e{seq}", "type": "item_viewed"}
    payload |= {"schema_version": 1, "occurred_at_ms": now_ms, "collected_at_ms": now_ms, "unit_price_minor": 100, "line": "{}"}
    payload |= {"occurred_date": "2026-11-30", "channel": "app"}
    return payload | dict.fromkeys(absent) | {"user_id": f"p{seq % 5}", "person_id": f"p{seq % 5}", "item_id": f"i{seq}"}


def send(stream: UpgradedStream, seqs: range) -> None:
    """Send records and then a tick to each partition, as the forwarder does, until all is archived."""
    producer = Producer({"bootstrap.servers": stream.bootstrap, "enable.idempotence": True})
    for seq in seqs:
        built = record(seq)
        producer.produce(topics.EVENTS.name, json.dumps(built).encode(), key=f"a|{built['person_id']}".encode())
        producer.poll(0.01)
    deadline = time.monotonic() + 180
    while len(stream.archived()) < seqs.stop:
        assert time.monotonic() < deadline, stream.log_text()
        tick(producer)


def tick(producer: Producer) -> None:
    for partition in range(topics.EVENTS.partitions):
        producer.produce(topics.EVENTS.name, topics.TICK, partition=partition)
    assert producer.flush(30) == 0
    time.sleep(0.5)


def messages(stream: UpgradedStream) -> list[dict[str, Any]]:
    consumer = Consumer({"bootstrap.servers": stream.bootstrap, "group.id": "t", "enable.auto.commit": False})
    partitions = [TopicPartition(topics.FEATURES.name, number, 0) for number in range(topics.FEATURES.partitions)]
    left = sum(consumer.get_watermark_offsets(partition, timeout=60)[1] for partition in partitions)
    consumer.assign(partitions)
    rows = []
    while left:
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        rows.append(json.loads(message.value() or b"null"))
        left -= 1
    consumer.close()
    return rows


def counters_as_the_portal_reads_them(bootstrap: str) -> tuple[CountedDay, StreamClock]:
    """What the portal's reader makes of the topic, when it has read as far as the stream's clock of this moment."""
    table = CounterTable()
    reader = CounterReader(KafkaCluster(bootstrap), table)
    reader.start()
    deadline = time.monotonic() + 180
    while (day := table.day("a", date(2026, 11, 30))) is None or day.visitors < 5 or table.clock is None:
        assert time.monotonic() < deadline, reader.state
        time.sleep(0.2)
    time.sleep(1)  # the other messages of the same flush
    reader.stop()
    newest, clock = table.day("a", date(2026, 11, 30)), table.clock
    assert newest is not None
    assert clock is not None
    return newest, clock


def wait_for_window(stream: UpgradedStream, first_ms: int) -> int:
    """Until a window has closed that holds every event from ``first_ms`` on; returns when its value became known (epoch ms)."""
    due_ms = (int(time.time() * 1000) // 60_000 + 1) * 60_000 + LATENESS_S * 1000
    assert due_ms - first_ms < 3_600_000
    producer = Producer({"bootstrap.servers": stream.bootstrap})
    deadline = time.monotonic() + 180
    while not any(entry["view"] == WINDOW and entry["as_of_ms"] >= due_ms for entry in messages(stream)):
        assert time.monotonic() < deadline, stream.log_text()
        tick(producer)
    time.sleep(1)  # the other messages of the window
    return due_ms


def test_state_survives_an_upgrade_with_more_views(stream: UpgradedStream, tmp_path: Path) -> None:
    stream.variables["JISHI_ALLOWED_LATENESS_S"] = str(LATENESS_S)
    stream.start(views=OLD)
    send(stream, range(BEFORE))
    upgrade = subprocess.Popen(
        [str(stream.paths.python("flink")), "-m", "flink_jobs.upgrade"],
        cwd=PROJECT_ROOT,
        env=stream.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert stream.process.wait(120) == 0, stream.log_text()  # a supervisor would start it again now
    upgraded_ms = int(time.time() * 1000)
    stream.start()
    printed = upgrade.communicate(timeout=120)[0]
    assert upgrade.returncode == 0, printed
    assert "loses" not in printed
    assert all(f"keeps   {owner}@" in printed for owner in ("views", WINDOW))  # running features share their state
    assert all(f"begins  {owner}@" in printed for owner in (NEW, "counters", "minute_counters"))
    send(stream, range(BEFORE, ALL))
    known_ms = wait_for_window(stream, upgraded_ms)

    assert stream.log_text().count("from savepoint") == 1
    archive = sorted(stream.archived(), key=lambda row: int(row["seq"]))
    assert [row["seq"] for row in archive] == list(range(ALL))  # nothing was lost, and nothing read again
    result = messages(stream)
    last = {message["entity_id"]: message["values"]["last_items"] for message in result if message["view"] == LAST}
    assert last == {f"p{p}": [f"i{seq}" for seq in range(ALL - 1, -1, -1) if seq % 5 == p][:20] for p in range(5)}
    items = {message["entity_id"] for message in result if message["view"] == NEW}
    assert items == {f"i{seq}" for seq in range(BEFORE, ALL)}  # it began without state, so it knows what came since

    day, clock = counters_as_the_portal_reads_them(stream.bootstrap)
    assert (day.until().item_views, day.visitors, day.channels) == (ALL - BEFORE, 5, {"app": 5})
    assert len(day.items) == MOST_LISTED
    assert clock.since_ms >= upgraded_ms - 60_000

    views = {view: live_views()[view] for view in OLD}
    folder = tmp_path / "messages"
    folder.mkdir()
    (folder / "part-0").write_text(
        "".join(
            json.dumps({"message_key": "", "message": json.dumps(message)}) + "\n"
            for message in result
            if message["view"] in OLD and message["as_of_ms"] <= known_ms
        )
    )
    acts = good_acts(archive, allowed_lateness_s=LATENESS_S, future_tolerance_s=5)
    members = [feature for of_view in views.values() for feature in of_view]
    expected = [v for v in values(members, acts, allowed_lateness_s=LATENESS_S) if v.as_of_ms <= known_ms]
    finding, by_view = check_messages(expected, folder, views, tmp_path)
    assert finding.wrong == []
    assert by_view[WINDOW] >= 5
    assert max(v.value for v in expected if v.feature == "person_views_1h") == ALL // 5  # windows span the upgrade


def test_state_is_not_dropped_by_accident(stream: UpgradedStream) -> None:
    """A job without a view of the running one is refused, and the running one goes on."""
    without = "import sys; from flink_jobs import upgrade; from jishi.features import live_views; views = live_views(); "
    without += f"del views['{WINDOW}']; upgrade.live_views = lambda: views; sys.exit(upgrade.main())"
    command = [str(stream.paths.python("flink")), "-c", without]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=stream.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the state of {WINDOW}@" in done.stderr
    assert stream.process.poll() is None
