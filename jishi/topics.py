"""Kafka topics, declared once; ``ops.kafka`` creates what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

from jishi.identity import device_person, user_person


@dataclass(frozen=True)
class Topic:
    """A topic with its partitions and its broker-side configuration."""

    name: str
    meaning: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


# An event fills at most one request (1 MiB) and grows up to sixfold as a line within a record (collector.sizes).
MAX_RECORD_BYTES = 8 * 2**20

EVENTS = Topic(
    "jishi.events",
    "Every accepted event as a record of jishi.contract.record; key = event_key(); the order of knowing. And ticks.",
    partitions=4,
    config={
        "message.timestamp.type": "LogAppendTime",  # received_at: never runs backwards within a partition
        "retention.ms": str(7 * 24 * 3600 * 1000),
        "compression.type": "producer",
        "max.message.bytes": str(MAX_RECORD_BYTES),
    },
)

FEATURES = Topic(
    "jishi.features",
    "Values of real-time features as they become known; key = view|shop_id|entity_id.",
    partitions=2,
    config={"cleanup.policy": "compact,delete", "retention.ms": str(7 * 24 * 3600 * 1000)},
)

SHOP_COUNTERS = Topic(
    "jishi.shop_counters",
    "Running counters of a shop's day, provisional; key and value as flink_jobs.counter_topic declares them.",
    partitions=2,
    config={
        "cleanup.policy": "compact,delete",
        "retention.ms": str(2 * 24 * 3600 * 1000),
        # A segment is compacted once it is closed: whoever starts to read has minutes of a day to read, not of two.
        "segment.ms": str(3600 * 1000),
    },
)

DECISIONS = Topic(
    "jishi.decisions",
    "Answers of serving as its decision log has them (serving.decisions); key = shop_id|request_id.",
    partitions=2,
    config={
        "message.timestamp.type": "LogAppendTime",  # the day that the lake keeps an answer under is the log's, not a server's
        "retention.ms": str(7 * 24 * 3600 * 1000),
        "compression.type": "producer",
        "max.message.bytes": str(MAX_RECORD_BYTES),
    },
)

ALL = (EVENTS, FEATURES, SHOP_COUNTERS, DECISIONS)


def event_key(shop_id: str, anonymous_id: str | None, user_id: str | None) -> bytes:
    """Key of an event in ``EVENTS``: its device, so that a login leaves the device's events in one partition and in order.

    An event without a device has its user. Events of a user's several devices may lie in several partitions.
    """
    actor = device_person(anonymous_id) if anonymous_id is not None else user_person(user_id) if user_id is not None else ""
    return f"{shop_id}|{actor}".encode()


# A tick is no event: it says that time has passed in its partition of the event log. The forwarder writes one to each partition
# every second, so that no reader has to guess whether a silent partition has nothing to say or was not read yet.
TICK_TYPE = "tick"
TICK = b'{"type":"tick"}'
