"""One thread a portal that reads the topic of counters into the table that all pages share."""

from __future__ import annotations

import logging
import threading
import time
from enum import StrEnum

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from dashboard.portal.counter_table import CounterTable
from jishi.kafka import KafkaCluster
from jishi.topics import SHOP_COUNTERS

log = logging.getLogger(__name__)
ANSWER_S = 3.0  # how long Kafka is waited for
RETRY_S = 2.0
# The stream writes a clock every second; after such a silence Kafka is asked whether it is there.
SILENCE_S = 10.0
_MOST = 5_000


class ReaderState(StrEnum):
    """What the thread is doing; ``UNREACHABLE``: Kafka does not answer, ``WITHOUT_TOPIC``: no stream has ever counted."""

    STARTING = "starting"
    READING = "reading"
    UNREACHABLE = "unreachable"
    WITHOUT_TOPIC = "without_topic"


class CounterReader:
    """Begins to read with the first page that wants counters, from the start of the topic, and never commits."""

    def __init__(self, kafka: KafkaCluster, table: CounterTable) -> None:
        self._kafka, self._table = kafka, table
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.state = ReaderState.STARTING

    def start(self) -> None:
        """Let the thread run, unless it does."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="counter-reader", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(ANSWER_S + RETRY_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            # The group is only a name that the client asks for: partitions are assigned here, and no offset is kept.
            consumer = Consumer(
                {
                    **self._kafka.client_options(),
                    "group.id": "portal",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "log_level": 0,
                }
            )
            try:
                self._read(consumer)
            except KafkaException as error:
                log.debug("no counters from %s: %s", self._kafka.bootstrap, error)
                self.state = ReaderState.UNREACHABLE
            finally:
                consumer.close()
            self._stop.wait(RETRY_S)

    def _read(self, consumer: Consumer) -> None:
        """Read until Kafka no longer answers. Raises KafkaException."""
        partitions = self._partitions(consumer)
        if not partitions:
            self.state = ReaderState.WITHOUT_TOPIC
            return
        consumer.assign([TopicPartition(SHOP_COUNTERS.name, number, OFFSET_BEGINNING) for number in partitions])
        heard = time.monotonic()
        while not self._stop.is_set():
            first = consumer.poll(0.5)
            messages = [] if first is None else [first, *consumer.consume(_MOST, 0.01)]
            readable = [message for message in messages if message.error() is None]
            for message in readable:
                key = message.key()
                if key is not None:
                    self._apply(key, message.value())
            if readable:
                heard, self.state = time.monotonic(), ReaderState.READING
            elif time.monotonic() - heard > SILENCE_S:
                if self._partitions(consumer) != partitions:
                    return
                heard, self.state = time.monotonic(), ReaderState.READING

    def _apply(self, key: bytes, value: bytes | None) -> None:
        try:
            self._table.apply(key, value)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            log.warning("a message of %s is none of counters: %s", SHOP_COUNTERS.name, type(error).__name__)

    def _partitions(self, consumer: Consumer) -> list[int]:
        """Numbers of the topic's partitions; none without a topic. Raises KafkaException when Kafka does not answer."""
        topic = consumer.list_topics(SHOP_COUNTERS.name, timeout=ANSWER_S).topics[SHOP_COUNTERS.name]
        return sorted(topic.partitions) if topic.error is None else []
