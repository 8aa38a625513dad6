"""How large a record may be: what the collector takes, the forwarder sends and the topic holds must fit into one another.

What Kafka refuses for its size all the same goes to quarantine under its own identity, so that one record stops nobody else:
the record in the log says so and shows the line's beginning, and the whole one is kept beside the write-ahead log.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from jishi import topics
from jishi.contract.validation import TOO_LARGE_FOR_LOG
from jishi.files import write_atomically
from jishi.kafka import KafkaCluster

# A byte of a request becomes at most six in a record: a control character in a line that is kept as text.
GROWTH = 6
_SHOWN_CHARACTERS = 1_000
_ENVELOPE_BYTES = 16 * 1024


class SizesDisagree(RuntimeError):
    """A part may pass on what the next one refuses; the message names the settings."""


def check_collector(max_bytes: int) -> None:
    """Whether the record of any request that the collector takes fits into the log. Raises SizesDisagree."""
    most = (topics.MAX_RECORD_BYTES - _ENVELOPE_BYTES) // GROWTH
    if max_bytes > most:
        raise SizesDisagree(
            f"JISHI_COLLECTOR_MAX_BYTES is {max_bytes}: an event of that size may become a record of {GROWTH * max_bytes} "
            f"bytes, and {topics.EVENTS.name} takes {topics.MAX_RECORD_BYTES}; set it to {most} at most"
        )


def topic_limit(kafka: KafkaCluster, timeout_s: float = 3.0) -> int | None:
    """``max.message.bytes`` of the event log, or None when the broker does not say."""
    client = AdminClient({**kafka.client_options(), "log_level": 2})
    resource = ConfigResource(ResourceType.TOPIC, topics.EVENTS.name)
    try:
        configs = client.describe_configs([resource], request_timeout=timeout_s)[resource].result(timeout_s)
        return int(configs["max.message.bytes"].value)
    except (KafkaException, TimeoutError, KeyError):
        return None


def quarantined(body: bytes, folder: Path) -> bytes:
    """The record that takes the place of one that is too large for the log; the whole one is kept in ``folder``."""
    record = orjson.loads(body)
    kept = folder / f"{record['collector_id']}-{record['seq']}.json"
    write_atomically(kept, body.decode())
    keep = ("collector_id", "seq", "shop_id", "event_id", "type", "collected_at_ms", "anonymous_id", "user_id", "sent_by")
    placed = dict.fromkeys(record) | {name: record[name] for name in keep if name in record}
    detail = f"the record has {len(body)} bytes, which the event log refused; it is kept whole in {kept.name}"
    placed |= {"invalid_reason": TOO_LARGE_FOR_LOG, "invalid_field": "", "invalid_detail": detail}
    placed["line"] = record["line"][:_SHOWN_CHARACTERS]
    return orjson.dumps(placed)
