"""Kafka topics, declared once; ``ops.kafka`` creates what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Topic:
    """A topic with its partitions and its broker-side configuration."""

    name: str
    meaning: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


EVENTS = Topic(
    "jishi.events",
    "Every accepted event as a record of jishi.contract.record; key = shop_id|person_id; the order of knowing. And ticks.",
    partitions=4,
    config={
        "message.timestamp.type": "LogAppendTime",  # received_at: never runs backwards within a partition
        "retention.ms": str(7 * 24 * 3600 * 1000),
        "compression.type": "producer",
        # An event fills at most one request (1 MiB) and grows up to fourfold as a line within a record.
        "max.message.bytes": str(8 * 2**20),
    },
)

FEATURES = Topic(
    "jishi.features",
    "Values of real-time features as they become known; key = view|shop_id|entity_id.",
    partitions=2,
    config={"cleanup.policy": "compact,delete", "retention.ms": str(7 * 24 * 3600 * 1000)},
)

ALL = (EVENTS, FEATURES)

# A tick is no event: it says that time has passed in its partition of the event log. The forwarder writes one to each partition
# every second, so that no reader has to guess whether a silent partition has nothing to say or was not read yet.
TICK_TYPE = "tick"
TICK = b'{"type":"tick"}'
