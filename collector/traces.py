"""Spans of the collector: an event from its arrival until it is on disk, and from there until Kafka has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

from collector.batch import Checked
from jishi.contract.sender import Sender
from jishi.tracing import Tracer, headers_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span


def trace_batch(tracer: Tracer, shop_id: str, sent_by: Sender, checked: Checked, arrived_ms: int) -> None:
    """Make the first span of each sampled event that is new; the batch is on disk now."""
    on_disk_ns = time.time_ns()
    for record, result in zip(checked.records, checked.results, strict=True):
        event_id = record["event_id"]
        if event_id is None or result["status"] == "duplicate" or (root := tracer.of_event(shop_id, event_id)) is None:
            continue
        attributes: dict[str, str | int | bool] = {"jishi.shop_id": shop_id, "jishi.sent_by": sent_by}
        attributes |= {
            "jishi.collector_id": record["collector_id"],
            "jishi.seq": record["seq"],
            "jishi.status": result["status"],
        }
        if record["invalid_reason"] is None:  # else the type is whatever was sent
            attributes["jishi.event_type"] = record["type"] or ""
        else:
            attributes["jishi.invalid_reason"] = record["invalid_reason"]
        tracer.root(root, "accept", arrived_ms * 1_000_000, on_disk_ns, attributes)


class ForwardedTraces:
    """Spans of entries that are on their way to Kafka, by seq."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._under_way: dict[int, Span] = {}

    def sent(self, body: bytes, seq: int) -> list[tuple[str, str | bytes | None]]:
        """Begin the span of an entry, if its event is sampled; the headers that its record gets."""
        record = orjson.loads(body)
        root = None if record["event_id"] is None else self._tracer.of_event(record["shop_id"], record["event_id"])
        if root is None:
            return []
        span = self._under_way[seq] = self._tracer.start(root, "forward", time.time_ns(), {"jishi.seq": seq})
        return headers_of(span.get_span_context())

    def delivered(self, seq: int, partition: int, offset: int) -> None:
        """Kafka has the entry."""
        if (span := self._under_way.pop(seq, None)) is not None:
            span.set_attributes({"messaging.kafka.partition": partition, "messaging.kafka.offset": offset})
            span.end()

    def start_anew(self) -> None:
        """What was under way is sent again."""
        self._under_way.clear()

    def close(self) -> None:
        """Hand over what is waiting."""
        self._tracer.close()
