"""The decision log on its way to Kafka: each line once more, as a record of ``jishi.topics.DECISIONS``.

Nobody waits for it: while the broker is away lines wait in memory, a minute and so many at most, and are then counted as lost;
the files have them all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from jishi import topics
from jishi.kafka import KafkaCluster

WAITS_MS = 60_000
MOST_WAITING = 20_000


class Keyed(Protocol):
    """A record: its key and its line."""

    @property
    def key(self) -> bytes:
        """Key of the record."""

    def line(self) -> bytes:
        """Its value."""


@dataclass
class DecisionTopic:
    """Sends entries; ``lost`` counts those that the broker did not take."""

    kafka: KafkaCluster
    sent: int = 0
    lost: int = 0
    problem: str | None = None
    _producer: Any = field(default=None)

    def send(self, entries: Sequence[Keyed]) -> None:
        """Put entries on their way and take down what became of earlier ones."""
        if self._producer is None:
            self._producer = Producer(
                {
                    **self.kafka.client_options(),
                    "client.id": "jishi-serving",
                    "compression.type": "zstd",
                    "linger.ms": 100,
                    "message.timeout.ms": WAITS_MS,
                    "message.max.bytes": topics.MAX_RECORD_BYTES,
                    "queue.buffering.max.messages": MOST_WAITING,
                    "log_level": 0,
                }
            )
        for entry in entries:
            try:
                self._producer.produce(topics.DECISIONS.name, entry.line(), entry.key, on_delivery=self._report)
            except BufferError:
                self.lost, self.problem = self.lost + 1, "the broker is behind or away"
            except KafkaException as error:  # a line that is larger than a record may be
                self.lost, self.problem = self.lost + 1, str(error.args[0].str())
        self._producer.poll(0)

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        if self._producer is not None:
            self.lost += self._producer.flush(2)

    def _report(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.sent, self.problem = self.sent + 1, None
        else:
            self.lost, self.problem = self.lost + 1, error.str()
