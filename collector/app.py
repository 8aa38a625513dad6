"""The intake's addresses: events, the contract's schemas, health, metrics."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.catalogue_store import keep_snapshot
from collector.intake import Intake
from collector.live import LIVE_FILES, LIVE_POLICY
from collector.refusals import RequestRefused
from collector.track import TRACKER
from jishi.contract import EVENT_TYPES, event_json_schema

log = logging.getLogger(__name__)


class Pages:
    """The pages beside the intake: health, readiness, metrics, the contract's schemas, the tracker and the live page."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._live_files = {file.name: file.read_bytes() for file in LIVE_FILES}
        self._tracker = TRACKER.read_bytes()
        self._tracker_tag = f'"{hashlib.sha256(self._tracker).hexdigest()[:16]}"'

    async def healthz(self, request: Request) -> Response:
        """The process answers."""
        return _json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether a batch would be taken now; 503 says why not."""
        commit = self._intake.commit
        if commit.failure is not None:
            return _json({"status": "not ready", "reason": f"the disk takes no events: {commit.failure}"}, 503)
        if commit.backlog >= self._intake.settings.collector_max_backlog:
            return _json({"status": "not ready", "reason": "the backlog is full"}, 503)
        return _json({"status": "ready"})

    async def show_metrics(self, request: Request) -> Response:
        """Prometheus text."""
        metrics, commit = self._intake.metrics, self._intake.commit
        metrics.backlog.set(commit.backlog)
        metrics.disk_failing.set(commit.failure is not None)
        metrics.next_seq.set(self._intake.wal.end.seq)
        return Response(generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def show_tracker(self, request: Request) -> Response:
        """The script for a shop's pages, which any site may load; browsers ask for a newer one after an hour."""
        headers = {"Cache-Control": "public, max-age=3600", "ETag": self._tracker_tag, "X-Content-Type-Options": "nosniff"}
        headers |= {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
        if request.headers.get("if-none-match") == self._tracker_tag:
            return Response(status_code=304, headers=headers)
        return Response(self._tracker, headers=headers, media_type="text/javascript")

    async def show_live_page(self, request: Request) -> Response:
        """The live page, which holds nothing of a shop: its script asks for the events with the key that a person gives it."""
        name = request.url.path.rpartition("/")[2]
        name = name if name in self._live_files else "live.html"
        headers = {
            "Content-Security-Policy": LIVE_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        media_type = {"html": "text/html", "js": "text/javascript", "css": "text/css"}[name.rpartition(".")[2]]
        return Response(self._live_files[name], headers=headers, media_type=media_type)

    async def show_types(self, request: Request) -> Response:
        """Names of the event types."""
        return _json({"types": list(EVENT_TYPES)})

    async def show_schema(self, request: Request) -> Response:
        """JSON Schema of one event type."""
        name = request.path_params["event_type"]
        if name not in EVENT_TYPES:
            return RequestRefused(404, "unknown_type", "type", "no such event type; GET /v1/schemas lists them").response()
        return _json(event_json_schema(name), media_type="application/schema+json")


def create_app(intake: Intake) -> Starlette:
    """The ASGI application around an intake; its writer runs as long as the application."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        writer = asyncio.create_task(intake.commit.run())
        writer.add_done_callback(_stop_when_broken)
        snapshots = asyncio.create_task(keep_snapshot(intake))
        yield
        intake.commit.close()
        await writer
        snapshots.cancel()
        await asyncio.gather(snapshots, return_exceptions=True)

    pages = Pages(intake)
    routes = [
        Route("/v1/events", intake.post_events, methods=["POST"]),
        Route("/v1/track", intake.post_track, methods=["POST", "OPTIONS"]),
        Route("/v1/tracker.js", pages.show_tracker),
        Route("/v1/shops/{shop_id}/items", intake.put_items, methods=["PUT"]),
        Route("/v1/live", pages.show_live_page),
        Route("/v1/live/events", intake.get_live),
        *(Route(f"/v1/live/{file.name}", pages.show_live_page, name=file.name) for file in LIVE_FILES),
        Route("/v1/schemas", pages.show_types),
        Route("/v1/schemas/{event_type}", pages.show_schema),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/metrics", pages.show_metrics),
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
    codes[405] = ("wrong_method", "method", "use POST for events, PUT for items and GET for everything else")
    code, field, message = codes.get(error.status_code, ("refused", "request", error.detail))
    response = RequestRefused(error.status_code, code, field, message).response()
    response.headers.update(error.headers or {})
    return response


async def _internal_error(request: Request, error: Exception) -> Response:
    return RequestRefused(
        500, "internal", "", "the collector failed; nothing of this batch was acknowledged, send it again"
    ).response()


def _json(value: object, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(value), status, media_type=media_type)
