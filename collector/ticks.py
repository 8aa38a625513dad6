"""Ticks: a sign in each partition of the event log, every second, that time has passed there (``jishi.topics.TICK``)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from jishi import topics

log = logging.getLogger("collector.forward")

TICK_EVERY_S = 1.0


class Ticks:
    """Ticks of one producer. While some are under way no more are sent, so that a broker that was away gets one of each."""

    def __init__(self, producer: Producer, on_offset: Callable[[int, int], None] = lambda partition, offset: None) -> None:
        self._producer = producer
        self._on_offset = on_offset  # told the partition and offset of each that arrived
        self._under_way = 0
        self._last_s = float("-inf")
        self._is_failing = False

    def send_due(self, now_s: float) -> None:
        """Send a tick to each partition if they are due; ``now_s`` is monotonic seconds."""
        if self._under_way or now_s - self._last_s < TICK_EVERY_S:
            return
        self._last_s = now_s
        for partition in range(topics.EVENTS.partitions):
            try:
                self._producer.produce(topics.EVENTS.name, topics.TICK, partition=partition, on_delivery=self._on_delivery)
            except (BufferError, KafkaException) as error:  # without ticks a silent partition costs time, and no event
                self._on_failure(error)
            else:
                self._under_way += 1

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        self._under_way -= 1
        if error is None:
            self._is_failing = False
            self._on_offset(message.partition() or 0, -1 if (offset := message.offset()) is None else offset)
        elif error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self._on_failure(error)

    def _on_failure(self, error: object) -> None:
        if not self._is_failing:
            log.warning("a tick was not taken by %s: %s; windows of silent shops come late", topics.EVENTS.name, error)
        self._is_failing = True
