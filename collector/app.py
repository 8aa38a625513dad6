"""The intake over HTTP: ``POST /v1/events``, the contract's schemas, health, metrics."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from collector import batch
from collector.group_commit import BacklogFull, DiskFailing, GroupCommit
from collector.keys import KeyRing
from collector.limits import RateLimit
from collector.metrics import Metrics
from collector.refusals import Refused
from collector.wal.writer import WalWriter
from jishi.contract import EVENT_TYPES, event_json_schema
from jishi.settings import Settings

log = logging.getLogger(__name__)

BODY_TIMEOUT_S = 30.0


class Intake:
    """The handlers of one collector. ``clock_ms`` is the wall clock in epoch milliseconds, ``clock_s`` a monotonic one."""

    def __init__(
        self, wal: WalWriter, keys: KeyRing, settings: Settings, clock_ms: Callable[[], int], clock_s: Callable[[], float]
    ) -> None:
        self._wal = wal
        self._keys = keys
        self._settings = settings
        self._clock_ms = clock_ms
        self._rate = RateLimit(settings.collector_events_per_s, settings.collector_max_events, clock_s)
        self.metrics = Metrics()
        self.metrics.torn_bytes.set(wal.torn_bytes)
        self.commit = GroupCommit(wal, settings.collector_max_backlog, clock_s, self.metrics.observe_group)

    async def post_events(self, request: Request) -> Response:
        """Take a batch; answer 200 only when every event of it is on disk."""
        try:
            return await self._take(request)
        except Refused as refused:
            self.metrics.refused.labels(refused.code).inc()
            if refused.status == 401 or refused.code == "no_write_right":
                self.metrics.wrong_keys.inc()
            return refused.response()
        except ClientDisconnect:
            self.metrics.refused.labels("client_gone").inc()
            return Response(status_code=400)  # nobody reads it

    async def _take(self, request: Request) -> Response:
        shop_id = self._keys.shop_that_may_write(request.headers.get("authorization"))
        body = await _read_body(request, self._settings.collector_max_bytes)
        events = batch.decode(body, self._settings.collector_max_events)
        checked = batch.check(events, shop_id=shop_id, collector_id=self._wal.collector_id, collected_at_ms=self._clock_ms())
        self._check_limits(shop_id, len(events))
        try:
            await self.commit.write(checked.records)
        except DiskFailing as error:
            message = f"the disk takes no events now ({error}); none of this batch was accepted, send it again"
            raise Refused(503, "disk_failing", "body", message, retry_after_s=2) from None
        self.metrics.accepted.labels(shop_id).inc(len(events))
        for reason, count in checked.quarantined.items():
            self.metrics.quarantined.labels(shop_id, reason).inc(count)
        answer = {
            "accepted": len(events),
            "quarantined": sum(checked.quarantined.values()),
            "results": checked.results,
        }
        return Response(orjson.dumps(answer), media_type="application/json")

    def _check_limits(self, shop_id: str, events: int) -> None:
        try:
            self.commit.check_room(events)
        except BacklogFull as error:
            message = f"{error}; send the same batch again later"
            raise Refused(503, "backlog_full", "body", message, retry_after_s=1) from None
        wait_s = self._rate.take(shop_id, events)
        if wait_s is not None:
            limit = self._settings.collector_events_per_s
            message = f"shop {shop_id!r} sends more than {limit} events a second; send this batch again after Retry-After"
            raise Refused(429, "rate_limited", "body", message, retry_after_s=wait_s)

    async def healthz(self, request: Request) -> Response:
        """The process answers."""
        return _json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether a batch would be taken now; 503 says why not."""
        failure = self.commit.failure
        if failure is not None:
            return _json({"status": "not ready", "reason": f"the disk takes no events: {failure}"}, 503)
        if self.commit.backlog >= self._settings.collector_max_backlog:
            return _json({"status": "not ready", "reason": "the backlog is full"}, 503)
        return _json({"status": "ready"})

    async def show_metrics(self, request: Request) -> Response:
        """Prometheus text."""
        self.metrics.backlog.set(self.commit.backlog)
        self.metrics.disk_failing.set(self.commit.failure is not None)
        self.metrics.next_seq.set(self._wal.end.seq)
        return Response(generate_latest(self.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def show_types(self, request: Request) -> Response:
        """Names of the event types."""
        return _json({"types": list(EVENT_TYPES)})

    async def show_schema(self, request: Request) -> Response:
        """JSON Schema of one event type."""
        name = request.path_params["event_type"]
        if name not in EVENT_TYPES:
            return Refused(404, "unknown_type", "type", "no such event type; GET /v1/schemas lists them").response()
        return _json(event_json_schema(name), media_type="application/schema+json")


async def _read_body(request: Request, max_bytes: int) -> bytes:
    """The body, refused early where its headers say that it cannot be taken."""
    headers = request.headers
    kind = headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Refused(415, "not_json", "Content-Type", "send JSON with Content-Type: application/json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "encoded", "Content-Encoding", "send the body without compression")
    too_large = Refused(413, "too_many_bytes", "body", f"the body is larger than {max_bytes} bytes; send fewer events at once")
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        message = f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s; send it again"
        raise Refused(408, "slow_body", "body", message) from None
    return b"".join(chunks)


def create_app(intake: Intake) -> Starlette:
    """The ASGI application around an intake; its writer runs as long as the application."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        writer = asyncio.create_task(intake.commit.run())
        writer.add_done_callback(_stop_when_broken)
        yield
        intake.commit.close()
        await writer

    routes = [
        Route("/v1/events", intake.post_events, methods=["POST"]),
        Route("/v1/schemas", intake.show_types),
        Route("/v1/schemas/{event_type}", intake.show_schema),
        Route("/healthz", intake.healthz),
        Route("/readyz", intake.readyz),
        Route("/metrics", intake.show_metrics),
    ]
    return Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _http_error, Exception: _internal_error}
    )


def _stop_when_broken(writer: asyncio.Task[None]) -> None:
    """A collector without its writer can acknowledge nothing: end, and let the supervisor start a new one."""
    if not writer.cancelled() and writer.exception() is not None:
        log.critical("the writer ended with an error, the collector stops", exc_info=writer.exception())
        os.kill(os.getpid(), signal.SIGTERM)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: ("not_found", "path", "no such address; events go to POST /v1/events")}
    codes[405] = ("wrong_method", "method", "use POST for /v1/events and GET for everything else")
    code, field, message = codes.get(error.status_code, ("refused", "request", error.detail))
    response = Refused(error.status_code, code, field, message).response()
    response.headers.update(error.headers or {})
    return response


async def _internal_error(request: Request, error: Exception) -> Response:
    return Refused(
        500, "internal", "", "the collector failed; nothing of this batch was acknowledged, send it again"
    ).response()


def _json(value: object, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(value), status, media_type=media_type)
