"""Traces end here: a sampled event when serving hears of it, when a feature of its person arrives, and at the person's answer.

An answer to a person of whom a sampled event was heard lately ends that event's trace. Of the others a sampled share has a
trace of its own, whose id is the answer's request id. No span says who it was.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import Message

from jishi.identity import named_person
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tracing import Tracer, context_in
from serving.engine import Engine
from serving.recommend import Answer
from serving.request import Request

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

LATELY_S = 60.0  # at a start the log is read again: what is older is not heard of now
MOST_PERSONS = 10_000


@dataclass
class _Heard:
    """A sampled event that waits for its person's answer."""

    span: SpanContext
    received_ns: int
    views: set[str] = field(default_factory=set)


class AnswerTraces:
    """Spans of one serving process. All methods may be called from any thread."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._heard: OrderedDict[tuple[str, str], _Heard] = OrderedDict()  # by shop and person, the newest last
        self._lock = threading.Lock()

    def hear(self, message: Message) -> None:
        """A record of the event log was applied."""
        headers = message.headers()
        parent = context_in(headers) if isinstance(headers, list) else None
        received_ns, now_ns = message.timestamp()[1] * 1_000_000, time.time_ns()
        value = message.value()
        if parent is None or value is None or now_ns - received_ns > LATELY_S * 1e9:
            return
        record = orjson.loads(value)
        span = self._tracer.start(parent, "hear", received_ns, {"jishi.shop_id": record["shop_id"]})
        span.end(now_ns)
        heard = _Heard(span.get_span_context(), received_ns)
        named = (named_person(record["user_id"], None), named_person(None, record["anonymous_id"]))
        with self._lock:
            for person in named:
                if person is not None:
                    self._heard[record["shop_id"], person] = heard
                    self._heard.move_to_end((record["shop_id"], person))
            while len(self._heard) > MOST_PERSONS:
                self._heard.popitem(last=False)

    def hear_feature(self, view: str, shop_id: str, columns: Mapping[str, Any]) -> None:
        """A row of features was taken over: how long its way through the stream took since the event was in the log."""
        with self._lock:
            heard = self._heard.get((shop_id, columns.get("person_id", "")))
            if heard is None or view in heard.views:
                return
            heard.views.add(view)
        self._tracer.start(heard.span, "feature", heard.received_ns, {"jishi.view": view}).end()

    def end(self, request: Request, request_id: str, answer: Answer, start_ns: int) -> None:
        """An answer is given."""
        attributes: dict[str, str | int | bool] = {"jishi.shop_id": request.shop_id, "jishi.placement": request.placement}
        attributes |= {"jishi.request_id": request_id, "jishi.served_by": answer.served_by, "jishi.items": len(answer.items)}
        with self._lock:
            waiting = [self._heard.pop((request.shop_id, person), None) for person in request.persons]
        events = {heard.span.trace_id: heard for heard in waiting if heard is not None}
        for heard in events.values():
            self._tracer.start(heard.span, "answer", start_ns, attributes).end()
        if not events and (root := self._tracer.of_answer(request_id)) is not None:
            self._tracer.root(root, "answer", start_ns, time.time_ns(), attributes)

    def close(self) -> None:
        """Hand over what is waiting."""
        self._tracer.close()


@dataclass
class TracedEngine(Engine):
    """An engine whose answers are traced. A plain ``Engine`` does not know of traces and so spends nothing on them."""

    traces: AnswerTraces | None = None

    @classmethod
    def with_tracer(cls, settings: Settings, paths: Paths, tracer: Tracer) -> TracedEngine:
        """A new engine on a platform's folders."""
        engine = cls.of(settings, paths)
        engine.traces = traces = AnswerTraces(tracer)
        engine.hears, engine.hears_feature = traces.hear, traces.hear_feature
        return engine

    def answer(self, request: Request, request_id: str, order_id: str | None = None) -> Answer:
        """As the engine says, with a span."""
        start_ns = time.time_ns()
        answer = super().answer(request, request_id, order_id)
        if self.traces is not None:
            may_link = self.consents.allow(request.shop_id, request.persons)
            self.traces.end(request if may_link else request.of_nobody(), request_id, answer, start_ns)
        return answer

    def stop(self) -> None:
        """As the engine says; spans that wait are handed over."""
        super().stop()
        if self.traces is not None:
            self.traces.close()
