"""Take events: whose they are, whether there is room, what the contract says, and the answer when they are on disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from collector import batch, track
from collector.body import read_body, require_json
from collector.group_commit import BacklogFull, DiskFailing, GroupCommit
from collector.keys import KeyRing
from collector.limits import RateLimit
from collector.metrics import Metrics
from collector.recent_ids import RecentIds
from collector.refusals import Refused
from collector.wal.writer import WalWriter
from jishi.settings import Settings

_WRONG_KEY = frozenset({"no_write_right", "no_track_right", "foreign_origin"})


class Intake:
    """The handlers of one collector. ``clock_ms`` is the wall clock in epoch milliseconds, ``clock_s`` a monotonic one."""

    def __init__(
        self, wal: WalWriter, keys: KeyRing, settings: Settings, clock_ms: Callable[[], int], clock_s: Callable[[], float]
    ) -> None:
        self.wal = wal
        self._keys = keys
        self.settings = settings
        self._clock_ms = clock_ms
        self._rate = RateLimit(settings.collector_events_per_s, settings.collector_max_events, clock_s)
        self._recent = RecentIds.of_log(wal.folder, settings.collector_recent_ids)
        self.metrics = Metrics()
        self.metrics.torn_bytes.set(wal.torn_bytes)
        self.commit = GroupCommit(wal, settings.collector_max_backlog, clock_s, self.metrics.observe_group)

    async def post_events(self, request: Request) -> Response:
        """A batch of a shop's server, with its write key."""
        return await self._answer(request, self._take_events)

    async def post_track(self, request: Request) -> Response:
        """A batch of a shopper's browser, with the shop's track key, from any site that the key allows."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=track.CORS)
        response = await self._answer(request, self._take_track)
        response.headers.update(track.CORS)
        return response

    async def _answer(self, request: Request, take: Callable[[Request], Awaitable[Response]]) -> Response:
        """200 only when every event of the batch is on disk; a refusal is counted."""
        try:
            return await take(request)
        except Refused as refused:
            self.metrics.refused.labels(refused.code).inc()
            if refused.status == 401 or refused.code in _WRONG_KEY:
                self.metrics.wrong_keys.inc()
            return refused.response()
        except ClientDisconnect:
            self.metrics.refused.labels("client_gone").inc()
            return Response(status_code=400)  # nobody reads it

    async def _take_events(self, request: Request) -> Response:
        shop_id = self._keys.shop_that_may_write(request.headers.get("authorization"))
        require_json(request)
        body = await read_body(request, self.settings.collector_max_bytes)
        return await self._accept(shop_id, batch.decode(body, self.settings.collector_max_events))

    async def _take_track(self, request: Request) -> Response:
        shop_id = self._keys.shop_that_may_track(request.query_params.get("key"), request.headers.get("origin"))
        body = await read_body(request, self.settings.collector_max_bytes)
        events = batch.decode(body, self.settings.collector_max_events)
        track.check_types(events)
        return await self._accept(shop_id, events)

    async def _accept(self, shop_id: str, events: list[Any]) -> Response:
        """Check, write and sync the events of a shop; the answer names the outcome of each."""
        checked = batch.check(events, shop_id=shop_id, collector_id=self.wal.collector_id, collected_at_ms=self._clock_ms())
        self._check_limits(shop_id, len(events))
        try:
            await self.commit.write(checked.records)
        except DiskFailing as error:
            message = f"the disk takes no events now ({error}); none of this batch was accepted, send it again"
            raise Refused(503, "disk_failing", "body", message, retry_after_s=2) from None
        # Only now: requests return from the write in the order of the log, so the first one that is on disk is the first.
        duplicates = checked.mark_repeated(self._recent)
        self.metrics.accepted.labels(shop_id).inc(len(events))
        self.metrics.duplicates.labels(shop_id).inc(duplicates)
        for reason, count in checked.quarantined.items():
            self.metrics.quarantined.labels(shop_id, reason).inc(count)
        answer = {
            "accepted": len(events),
            "duplicates": duplicates,
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
            limit = self.settings.collector_events_per_s
            message = f"shop {shop_id!r} sends more than {limit} events a second; send this batch again after Retry-After"
            raise Refused(429, "rate_limited", "body", message, retry_after_s=wait_s)
