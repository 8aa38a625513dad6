"""Whether bronze has all of a day, asked of a real broker and a real table: every partition counts, ticks do not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.topics import EVENTS, TICK
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, running_broker
from ops.ports import free_port
from quality.archive import LogUnreachable, archive_of
from tests.live_events import append_live
from tests.log_records import view_of

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    paths = Paths.of(get_settings())
    fetch_jars(paths)
    folder: Path = tmp_path_factory.mktemp("kafka")
    java = java_home(paths.envs)
    broker = EmbeddedBroker(folder, paths.jars, java, "127.0.0.1", free_port(), free_port(), heap="256m")
    with running_broker(broker, folder / "broker.log"):
        yield broker.bootstrap


class BrokerLog:
    """Writes to partitions of the topic, and archives what it wrote as Flink would."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})

    def write(self, partition: int, *values: bytes) -> list[Message]:
        done: list[Message] = []
        for value in values:
            self._producer.produce(
                EVENTS.name, value, partition=partition, callback=lambda error, message: done.append(message)
            )
        assert self._producer.flush(30) == 0
        assert all(message.error() is None for message in done)
        return done

    def event(self, partition: int, seq: int) -> dict[str, Any]:
        record = dict(view_of(seq))
        [message] = self.write(partition, json.dumps(record).encode())
        return record | {
            **{"received_at_ms": message.timestamp()[1], "log_partition": partition, "log_offset": message.offset()}
        }

    def lacking(self, until: datetime | None = None) -> dict[int, int | None]:
        archives = archive_of(self.settings, until or now())
        return {each.partition: each.missing_from for each in archives if not each.is_complete}


def now() -> datetime:
    time.sleep(0.02)  # the log's stamps are of whole milliseconds
    return datetime.now(UTC)


@pytest.fixture
def log(bootstrap: str, tmp_path: Path) -> BrokerLog:
    """The log as it is after the tests before, and an empty lake: what they wrote is archived first."""
    log = BrokerLog(Settings(var=tmp_path / "var", kafka_bootstrap=bootstrap, _env_file=None))  # type: ignore[call-arg]
    append_live(log.settings, [log.event(partition, 0) for partition in range(EVENTS.partitions)])
    return log


def test_every_partition_has_to_be_there_up_to_its_end(log: BrokerLog) -> None:
    first, second = log.event(0, 1), log.event(1, 2)
    append_live(log.settings, [first])
    assert log.lacking() == {1: second["log_offset"]}, "the partition that is behind is named, with the first event that lacks"
    append_live(log.settings, [second])
    assert log.lacking() == {}


def test_what_came_after_the_instant_is_not_waited_for(log: BrokerLog) -> None:
    append_live(log.settings, [log.event(2, 3)])
    end_of_day = now()
    time.sleep(0.02)
    late = log.event(2, 4)
    assert log.lacking(end_of_day) == {}
    assert log.lacking() == {2: late["log_offset"]}


def test_ticks_and_values_that_are_no_record_are_never_waited_for(log: BrokerLog) -> None:
    half, of_another_type = b'{"type":"item_viewed","shop_id":"a"}', b'{"collector_id":"c","seq":"x","shop_id":"a","line":""}'
    log.write(3, TICK, b"no JSON", b"[]", half, of_another_type, TICK)
    assert log.lacking() == {}


def test_rows_of_a_log_that_was_there_before_say_nothing_of_this_one(log: BrokerLog) -> None:
    event = log.event(0, 5)
    long_ago = event | {"received_at_ms": event["received_at_ms"] - int(timedelta(days=3) / timedelta(milliseconds=1))}
    append_live(log.settings, [long_ago | {"log_offset": event["log_offset"] + 1000}])
    assert log.lacking() == {0: event["log_offset"]}


def test_a_log_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quality.archive.TIMEOUT_S", 1.0)
    nobody = f"127.0.0.1:{free_port()}"
    settings = Settings(var=tmp_path / "var", kafka_bootstrap=nobody, _env_file=None)  # type: ignore[call-arg]
    with pytest.raises(LogUnreachable, match=nobody):
        archive_of(settings, datetime.now(UTC))
