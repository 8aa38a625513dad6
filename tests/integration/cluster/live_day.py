"""A fixed day of one shop, live: sent to a collector, through the event log and the job to the online store, by a clock that
goes from request to request; and what became of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from feast import FeatureStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey

from feature_repo.proto_rows import proto_row
from feature_repo.store import online_store_of, open_store, view_of
from jishi import topics
from jishi.features import live_views
from jishi.features.columns import LOG_OFFSET
from jishi.features.message import parse
from jishi.files import write_atomically
from jishi.heartbeat import last_beat
from jishi.settings import PROJECT_ROOT, Settings
from jishi.shops import Shop, Shops
from ops.ports import free_port
from quality.reconcile import table_contents
from simulator.day import catalogue_happenings
from simulator.defects import event_of, stamp
from simulator.live_events import LiveEvents
from simulator.world import SimulationPlan, make_world
from tests.integration.cluster.conftest import messages_of
from tests.integration.collector.conftest import CollectorFolder
from tests.integration.shops.conftest import ShopPlatform
from tests.integration.stream.conftest import Stream, wait_until

SHOP = Shop(shop_id="live-day", name="Live", time_zone="Asia/Shanghai", currency="CNY")
DAY = date(2026, 9, 1)
PLAN = SimulationPlan(SHOP.shop_id, 40, 1, 1, DAY)  # of these acts come all kinds of defects, refunds and logins
ACTS = 400
START = datetime(2026, 9, 1, tzinfo=UTC)
END = START + timedelta(hours=25)  # windows of a day still slide
STEP = timedelta(minutes=30)
ROAMER = "u-of-two-devices"
QUIET_S = 8.0
PATIENCE_S = 300


@dataclass(frozen=True)
class DatedRequest:
    """Events that the collector takes at one instant; ``is_awaited``: the stream has taken them before the next come."""

    at: datetime
    events: list[Any]
    is_awaited: bool = True


def requests() -> Iterator[DatedRequest]:
    """The day: the catalogue, then the simulated acts half an hour apart, beside somebody who uses two devices at once."""
    at = START + STEP
    goods = enumerate(catalogue_happenings(make_world(PLAN)))
    items = [event_of(happening, PLAN.shop_id, f"good-{number}", stamp(epoch_ms(at))) for number, happening in goods]
    yield from (DatedRequest(at, items[first : first + 400]) for first in range(0, len(items), 400))
    live = LiveEvents(PLAN, "day", ACTS)
    for number, batch in enumerate(live.batches()):
        at += STEP
        yield DatedRequest(at, live.dated(batch, number, epoch_ms(at), 2000))
        for device in range(2):
            at += timedelta(seconds=1)
            yield DatedRequest(at, [view_of_roamer(at, f"{number}-{device}", device)], is_awaited=device > 0)
    if rest := live.rest():
        yield DatedRequest(at + STEP, rest)


def view_of_roamer(at: datetime, number: str, device: int) -> dict[str, Any]:
    who = {"user_id": ROAMER, "anonymous_id": f"device-{device}", "session_id": f"session-{device}"}
    event = {"event_id": f"roamer-{number}", "shop_id": PLAN.shop_id, "type": "item_viewed", "occurred_at": stamp(epoch_ms(at))}
    return event | who | {"properties": {"item_id": f"item-{number}"}}


def epoch_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@dataclass(frozen=True)
class LiveDay:
    """All that a profile made of the day."""

    bronze: list[dict[str, Any]]
    features: dict[str, list[bytes]]  # different messages by key, in their order
    counters: dict[bytes, dict[str, Any]]
    online: dict[tuple[str, str], Any]
    tables: dict[str, tuple[int, str]]
    counts: list[dict[str, Any]]


@dataclass
class LivePlatform:
    """A stream with what stands before and behind it."""

    stream: Stream
    intake: CollectorFolder
    clock: Path
    writer: subprocess.Popen[bytes]

    def trade(self) -> None:
        """Send the day, and wait until all of it has come through."""
        sent = 0
        with self.intake.client() as client:
            for request in requests():
                self.set_clock(request.at)
                answer = client.post("/v1/events", content=orjson.dumps(request.events))
                assert answer.status_code == 200, answer.text
                sent += len(request.events)
                if request.is_awaited:
                    wait_until(partial(self._has_rows, sent), self.stream.log_text, PATIENCE_S)
        self.set_clock(END)
        wait_until(self._is_at_its_end, self.stream.log_text, PATIENCE_S)
        wait_until(self._has_written, (self.stream.paths.var / "writer.log").read_text, PATIENCE_S)

    def set_clock(self, at: datetime) -> None:
        write_atomically(self.clock, str(epoch_ms(at)))

    def result(self, batch: ShopPlatform) -> LiveDay:
        """What became of the day, worked up by the commands that the DAG ``daily`` calls."""
        features: defaultdict[str, list[bytes]] = defaultdict(list)
        for key, value in messages_of(self.stream.bootstrap, topics.FEATURES):
            assert key is not None
            assert value is not None
            features[key.decode()].append(value)
        batch.command("silver", "spark_jobs", "silver", "--batch", f"live-{DAY}", "--shop", SHOP.shop_id)
        batch.command("marts", "ops.marts", "build")
        batch.command("daily features", "feature_repo", "materialize", "--as-of", f"{DAY + timedelta(days=1)}T00:00:00Z")
        return LiveDay(
            sorted(self.stream.archived(), key=lambda row: int(row["seq"])),
            {key: list(dict.fromkeys(values)) for key, values in features.items()},
            self.counters(),
            online(open_store(batch.settings, batch.paths), features),
            {name: (rows, total) for name, rows, total in table_contents(batch.settings)},
            json.loads(batch.command("reconcile", "ops.cli", "reconcile", "--json")),
        )

    def counters(self) -> dict[bytes, dict[str, Any]]:
        """The last value of each."""
        newest = {key: value for key, value in messages_of(self.stream.bootstrap, topics.SHOP_COUNTERS) if key is not None}
        return {key: orjson.loads(value) for key, value in newest.items() if value is not None}

    def _has_rows(self, count: int) -> bool:
        rows: int = self.stream.live_events.count()
        return rows >= count

    def _is_at_its_end(self) -> bool:
        """Whether the job has seen the clock's last time in each partition, and has said all that it has to say."""
        clocks = [value["as_of_ms"] for key, value in self.counters().items() if orjson.loads(key)["kind"] == "clock"]
        if clocks != [epoch_ms(END)] * topics.EVENTS.partitions:
            return False
        before = self._messages()
        time.sleep(QUIET_S)
        return before == self._messages()

    def _has_written(self) -> bool:
        assert self.writer.poll() is None
        beat = last_beat(self.stream.paths, "feature_writer")
        return beat is not None and bool(beat.facts["messages"] >= self._messages())

    def _messages(self) -> int:
        return len(messages_of(self.stream.bootstrap, topics.FEATURES))


def online(store: FeatureStore, features: Mapping[str, list[bytes]]) -> dict[tuple[str, str], Any]:
    """By view and entity, time and values of the real-time features in the online store, without the tie of an instant."""
    views, entities = live_views(), defaultdict[str, dict[str, EntityKey]](dict)
    for values in features.values():
        row = parse(values[-1], 0, views)
        entity, *_ = proto_row(row, views[row.view])
        entities[row.view][str(entity)] = entity
    rows = {}
    for view, of_view in entities.items():
        stored = online_store_of(store).online_read(store.config, view_of(store, view), list(of_view.values()))
        for entity_id, (at, content) in zip(of_view, stored, strict=True):
            assert at is not None, f"{view} of {entity_id} is not in the store"
            kept = {name: str(value) for name, value in sorted((content or {}).items()) if name != LOG_OFFSET}
            rows[view, entity_id] = (at.replace(tzinfo=UTC), kept)
    return rows


@contextmanager
def trading(stream: Stream, settings: Settings) -> Iterator[LivePlatform]:
    """A collector, its forwarder, the job and the writer of the online store, by a clock that stands at the day's start."""
    keep_times(stream.bootstrap)
    clock, paths = stream.paths.var / "clock", stream.paths
    write_atomically(clock, str(epoch_ms(START)))
    write_atomically(paths.wal / "collector_id", "5" * 32)
    shops = Shops()
    shops.add(SHOP)
    key = shops.issue_key(SHOP.shop_id, "write")
    shops.save(paths.shops_file)
    ports = {"collector_port": free_port(), "kafka_bootstrap": stream.bootstrap}
    program = ("-m", "tests.integration.cluster.clocked_collector", str(clock))
    intake = CollectorFolder(paths, settings.model_copy(update=ports), key, program=program)
    with ExitStack() as ends:
        ends.callback(intake.stop)
        intake.serve()
        intake.start("forward")
        writer = started_writer(stream)
        ends.callback(writer.wait)
        ends.callback(writer.kill)
        stream.start()
        ends.callback(stream.stop)
        yield LivePlatform(stream, intake, clock, writer)


def started_writer(stream: Stream) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "feature_repo", "write"]
    environment = stream.environment | {"JISHI_FEATURE_WRITER_PORT": str(free_port())}
    with (stream.paths.var / "writer.log").open("ab") as log:
        return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log)


def keep_times(bootstrap: str) -> None:
    """Let the event log keep the times that it is given, and let topics keep what is months old."""
    given = {topics.EVENTS.name: {"message.timestamp.type": "CreateTime"}}
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            topic.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in ({"retention.ms": "-1"} | given.get(topic.name, {})).items()
            ],
        )
        for topic in topics.ALL
    ]
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.incremental_alter_configs(resources).values():
        future.result(30)
