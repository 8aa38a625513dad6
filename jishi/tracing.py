"""Traces of events and answers by OpenTelemetry: a sampled share, and none at all unless ``JISHI_TRACES`` says where they go.

The id of an event's trace follows from shop and event id. So every process knows it, and whether the event is of the sampled
share, and the write-ahead log need not carry it; in Kafka the header ``traceparent`` (W3C Trace Context) does. No attribute
names a person.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jishi.paths import Paths
from jishi.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanContext

HEADER = "traceparent"
_WAIT_MS = 1_000
Attributes = Mapping[str, str | int | bool]


class TracesSettingWrong(ValueError):
    """JISHI_TRACES is neither empty, nor ``file``, nor a URL; the message says so."""


class Tracer:
    """Makes spans of one process. ``open_tracer`` gives one where traces are asked for."""

    def __init__(self, exporter: SpanExporter, part: str, rate: float) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        class Ids(RandomIdGenerator):
            """Random ids, but for a root whose ids are known."""

            def __init__(self) -> None:
                self.of_root = threading.local()

            def generate_trace_id(self) -> int:
                return getattr(self.of_root, "trace_id", None) or super().generate_trace_id()

            def generate_span_id(self) -> int:
                return getattr(self.of_root, "span_id", None) or super().generate_span_id()

        self._ids = Ids()
        self._limit = round(rate * 2**64)
        # Sampled is what this class makes a span of; nothing else starts one here.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": f"jishi-{part}"}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_WAIT_MS))
        self._tracer = self._provider.get_tracer("jishi")

    def of_event(self, shop_id: str, event_id: str) -> SpanContext | None:
        """The first span of an event's trace, which the collector makes; None where the event is not of the sampled share."""
        digest = blake2b(f"{shop_id}|{event_id}".encode(), digest_size=24).digest()
        trace_id, span_id = int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")
        return _context(trace_id, span_id) if self._is_sampled(trace_id) and trace_id and span_id else None

    def of_answer(self, request_id: str) -> SpanContext | None:
        """The only span of an answer's trace, whose id is that of the request (32 hexadecimal digits), where it is sampled."""
        digest = blake2b(request_id.encode(), digest_size=16).digest()  # the digits of a UUID are not all random
        chance, span_id = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
        return _context(int(request_id, 16), span_id) if self._is_sampled(chance) and span_id else None

    def root(self, root: SpanContext, name: str, start_ns: int, end_ns: int, attributes: Attributes) -> None:
        """Make the first span of a trace; instants are epoch nanoseconds."""
        from opentelemetry.context import Context

        self._ids.of_root.trace_id, self._ids.of_root.span_id = root.trace_id, root.span_id
        try:
            span = self._tracer.start_span(name, Context(), start_time=start_ns, attributes=dict(attributes))
        finally:
            self._ids.of_root.trace_id = self._ids.of_root.span_id = None
        span.end(end_ns)

    def start(self, parent: SpanContext, name: str, start_ns: int, attributes: Attributes) -> Span:
        """Begin a span below another one, maybe of another process."""
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        above = set_span_in_context(NonRecordingSpan(parent))
        return self._tracer.start_span(name, above, start_time=start_ns, attributes=dict(attributes))

    def close(self) -> None:
        """Hand over what is waiting."""
        self._provider.shutdown()

    def _is_sampled(self, trace_id: int) -> bool:
        return trace_id & (2**64 - 1) < self._limit  # as TraceIdRatioBased samples


def open_tracer(settings: Settings, part: str) -> Tracer | None:
    """Where the settings ask for traces, the tracer of this process. Raises TracesSettingWrong."""
    if not settings.traces:
        return None
    if settings.traces == "file":
        exporter = _file_exporter(Paths.of(settings).log / "traces" / f"{part}.jsonl")
    elif settings.traces.startswith(("http://", "https://")):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=settings.traces)
    else:
        raise TracesSettingWrong(
            f"JISHI_TRACES is {settings.traces!r}; write file, or the URL of an OTLP receiver such as "
            "http://127.0.0.1:4318/v1/traces, or leave it empty"
        )
    return Tracer(exporter, part, settings.traces_rate)


def headers_of(context: SpanContext) -> list[tuple[str, str | bytes | None]]:
    """Headers of a record of Kafka whose readers go on with this span."""
    return [(HEADER, f"00-{context.trace_id:032x}-{context.span_id:016x}-01".encode())]


def context_in(headers: Iterable[tuple[str, Any]] | None) -> SpanContext | None:
    """The span that a record of Kafka goes on from; None where its headers name none that is sampled."""
    for name, value in headers or ():
        if name == HEADER and isinstance(value, bytes):
            match value.split(b"-"):
                case [b"00", trace_id, span_id, b"01"] if len(trace_id) == 32 and len(span_id) == 16:
                    try:
                        return _context(int(trace_id, 16), int(span_id, 16))
                    except ValueError:
                        return None
    return None


def _context(trace_id: int, span_id: int) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _file_exporter(file: Path) -> SpanExporter:
    """Adds spans to a file, one a line in the SDK's own JSON; the file may be moved aside between."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class FileExporter(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            lines = "".join(span.to_json(indent=None) + "\n" for span in spans).encode()
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                try:
                    os.write(descriptor, lines)  # at once, so that the lines of several processes stay whole
                finally:
                    os.close(descriptor)
            except OSError:  # a full disk costs traces and nothing else
                return SpanExportResult.FAILURE
            return SpanExportResult.SUCCESS

    return FileExporter()
