"""From the write-ahead log to Kafka: in order, without a gap, as long as it takes.

The producer is idempotent and never gives up on a message, so the order within a partition (and so of a key) is the order of
the write-ahead log, also through a broker that is away for minutes. The position is saved after delivery: a crash makes the
next run send some entries again, with the same ``(collector_id, seq)``, and readers count those once. Segments that Kafka has
had for a while are deleted.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from collector.progress import DeliveryProgress, load_position, save_position
from collector.retire import retire_segments
from collector.ticks import Ticks
from collector.wal.durable import read_durable
from collector.wal.lock import lock
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from jishi import topics
from jishi.heartbeat import beat
from jishi.paths import Paths
from jishi.settings import Settings

log = logging.getLogger("collector.forward")

# Pauses between looks at a log to which nothing was added: from the first to the last, each twice as long as the one before.
IDLE_S = 0.01
LONG_IDLE_S = 0.08
REPORT_S = 0.01  # how long reports of what is under way are waited for
SAVE_EVERY_S = 0.25
BEAT_EVERY_S = 1.0
RETIRE_EVERY_S = 5.0
PAUSE_S = 2.0
UNDER_WAY = 20_000
UNDER_WAY_BYTES = 64 * 2**20
MAX_MESSAGE_BYTES = 8 * 2**20


class DeliveryFailed(RuntimeError):
    """Kafka refused an entry, or the producer cannot go on; forwarding starts again at the saved position."""


def producer_config(bootstrap: str) -> dict[str, Any]:
    """Configuration of the producer: nothing lost, nothing reordered, small delay."""
    return {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "zstd",
        "partitioner": "murmur2",  # the one of Java clients: other writers of the topic put a key where we do
        "linger.ms": 5,
        "message.timeout.ms": 0,  # never give up: the entry is acknowledged, so it has to arrive
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "queue.buffering.max.kbytes": 2 * UNDER_WAY_BYTES // 1024,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "socket.nagle.disable": True,
        "log_level": 2,  # connection troubles are logged once by _Link, not on every try
    }


class Forwarder:
    """Forwards one write-ahead log; ``run`` returns after ``stop``."""

    def __init__(self, paths: Paths, bootstrap: str, keep_s: float) -> None:
        self._paths = paths
        self._keep_s = keep_s
        self._wal: Path = paths.wal
        self._bootstrap = bootstrap
        self._stopping = threading.Event()
        self._failure: DeliveryFailed | None = None
        self._saved = load_position(self._wal)
        self._progress = DeliveryProgress(self._saved)
        self._bytes = 0
        self._is_connected: bool | None = None
        self._is_disk_error_logged = False
        self._last_save = self._last_beat = self._last_retired = 0.0

    def stop(self) -> None:
        """End soon: what is under way gets a few seconds to arrive."""
        self._stopping.set()

    def run(self) -> None:
        """Forward until ``stop``. Raises WalCorrupt when an acknowledged entry cannot be read."""
        while not self._stopping.is_set():
            try:
                self._forward()
            except DeliveryFailed as error:
                log.error("%s; trying again from seq %d in %.0f s", error, self._saved.seq, PAUSE_S)
                self._beat(self._saved, problem=str(error))
                self._stopping.wait(PAUSE_S)

    def _forward(self) -> None:
        """Send from the saved position with a producer of its own until ``stop``."""
        self._progress, self._failure, self._bytes = DeliveryProgress(self._saved), None, 0
        reading = self._saved
        producer = Producer({**producer_config(self._bootstrap), "error_cb": self._on_error})
        ticks = Ticks(producer)
        idle_s = IDLE_S
        try:
            while not self._stopping.is_set():
                durable = read_durable(self._wal) or Position()
                entries = [] if self._is_full() else read_entries(self._wal, reading, durable)
                for entry in entries:
                    self._send(producer, entry.body, entry.after)
                    reading = entry.after
                ticks.send_due(time.monotonic())
                is_idle = not entries and not self._progress
                producer.poll(0 if entries or is_idle else REPORT_S)
                if entries:
                    idle_s = IDLE_S
                elif is_idle:
                    self._stopping.wait(idle_s)
                    idle_s = min(2 * idle_s, LONG_IDLE_S)
                if self._failure is not None:
                    raise self._failure
                self._housekeep(durable)
            if self._progress:  # ticks are not waited for
                producer.flush(5)
        finally:
            producer.purge()
            producer.flush(1)
            self._save()
        self._beat(read_durable(self._wal) or Position())

    def _is_full(self) -> bool:
        return len(self._progress) >= UNDER_WAY or self._bytes >= UNDER_WAY_BYTES

    def _send(self, producer: Producer, body: bytes, after: Position) -> None:
        record = orjson.loads(body)
        key = f"{record['shop_id']}|{record['person_id'] or ''}".encode()
        size = len(body)
        self._progress.sent(after)
        self._bytes += size
        report = partial(self._on_delivery, self._progress, after.seq - 1, size)
        while True:
            try:
                producer.produce(topics.EVENTS.name, body, key, on_delivery=report)
                return
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                raise DeliveryFailed(f"seq {after.seq - 1} ({size} bytes) was not taken: {_words(error.args[0])}") from None

    def _on_delivery(self, progress: DeliveryProgress, seq: int, size: int, error: KafkaError | None, message: Message) -> None:
        if progress is not self._progress:
            return  # a report of a producer that was given up
        self._bytes -= size
        if error is None:
            progress.delivered(seq)
            if self._is_connected is not True:
                log.info("Kafka at %s takes events", self._bootstrap)
                self._is_connected = True
        elif error.code() != KafkaError._PURGE_QUEUE and error.code() != KafkaError._PURGE_INFLIGHT and self._failure is None:
            self._failure = DeliveryFailed(f"seq {seq} ({size} bytes) was refused by {topics.EVENTS.name}: {_words(error)}")

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = DeliveryFailed(f"the producer cannot go on: {_words(error)}")
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and self._is_connected is not False:
            log.warning("Kafka at %s is away; acknowledged events wait on disk", self._bootstrap)
            self._is_connected = False

    def _housekeep(self, durable: Position) -> None:
        now = time.monotonic()
        if now - self._last_save >= SAVE_EVERY_S:
            self._save()
            self._last_save = now
        if now - self._last_beat >= BEAT_EVERY_S:
            self._beat(durable)
        if now - self._last_retired >= RETIRE_EVERY_S:
            self._retire(durable)
            self._last_retired = now

    def _retire(self, durable: Position) -> None:
        try:
            count = retire_segments(self._wal, forwarded=self._saved, durable=durable, keep_s=self._keep_s, now_s=time.time())
        except OSError as error:  # the segments wait; only space is lost
            self._cannot_write(error)
        else:
            if count:
                log.info("deleted %d segments that Kafka has", count)

    def _save(self) -> None:
        if self._progress.position == self._saved:
            return
        try:
            save_position(self._wal, self._progress.position)
        except OSError as error:  # costs only copies after a crash; a stop would cost the shop its freshness
            self._cannot_write(error)
        else:
            self._saved = self._progress.position
            self._is_disk_error_logged = False

    def _beat(self, durable: Position, problem: str | None = None) -> None:
        self._last_beat = time.monotonic()
        forwarded = self._progress.position.seq
        facts: dict[str, Any] = {"forwarded": forwarded, "lag": max(0, durable.seq - forwarded)}
        facts["kafka"] = "away" if self._is_connected is False else "connected"
        if problem is not None:
            facts["problem"] = problem
        try:
            beat(self._paths, "forwarder", **facts)
        except OSError as error:  # the missing life sign shows it
            self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        if not self._is_disk_error_logged:
            log.error("%s: %s; forwarding goes on, its position is saved when the disk takes it", self._wal, error.strerror)
        self._is_disk_error_logged = True


def forward(settings: Settings, paths: Paths) -> None:
    """Forward until SIGTERM or SIGINT. Raises WalLocked when another forwarder runs, WalCorrupt when the log is damaged."""
    paths.wal.mkdir(parents=True, exist_ok=True)
    held = lock(paths.wal / "forwarder.lock")
    forwarder = Forwarder(paths, settings.kafka_bootstrap, settings.wal_keep_s)

    def leave(number: int, frame: FrameType | None) -> None:
        forwarder.stop()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    log.info("forwarding %s to %s at %s", paths.wal, topics.EVENTS.name, settings.kafka_bootstrap)
    try:
        forwarder.run()
    finally:
        held.close()
    log.info("stopped at seq %d", load_position(paths.wal).seq)


def _words(error: KafkaError) -> str:
    hint = ""
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        hint = "; raise max.message.bytes of the topic"
    elif error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        hint = "; create the topics: python -m ops.kafka topics"
    return f"{error.str()}{hint}"
