"""Take events: whose they are, whether there is room, what the contract says, and the answer when they are on disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from collector import batch, track
from collector.body import read_body, require_json
from collector.catalogue import ShopCatalogues
from collector.group_commit import BacklogFull, DiskFailing, GroupCommit
from collector.items import item_events
from collector.keys import KeyRing
from collector.limits import RateLimit
from collector.metrics import CollectorMetrics
from collector.recent_ids import RecentIds
from collector.refusals import RequestRefused
from collector.wal.writer import WalWriter
from jishi.contract import Record
from jishi.contract.clock import with_corrected_clock
from jishi.contract.sender import Sender
from jishi.settings import Settings

_WRONG_KEY = frozenset({"no_write_right", "no_track_right", "foreign_origin"})


class Intake:
    """The handlers of one collector. ``clock_ms`` is the wall clock in epoch milliseconds, ``clock_s`` a monotonic one."""

    def __init__(
        self,
        wal: WalWriter,
        keys: KeyRing,
        settings: Settings,
        clock_ms: Callable[[], int],
        clock_s: Callable[[], float],
        catalogue: ShopCatalogues | None = None,
    ) -> None:
        self.wal = wal
        self.catalogue = catalogue if catalogue is not None else ShopCatalogues()
        self.seen_upto = wal.end.seq  # every event with a smaller seq has been noted in the catalogue
        self._keys = keys
        self.settings = settings
        self._clock_ms = clock_ms
        self._rate = RateLimit(self._events_per_s, settings.collector_max_events, clock_s)
        self._recent = RecentIds.of_log(wal.folder, settings.collector_recent_ids)
        self.metrics = CollectorMetrics()
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
        except RequestRefused as refused:
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
        return _json(await self._accept(shop_id, "server", batch.decode(body, self.settings.collector_max_events)))

    async def put_items(self, request: Request) -> Response:
        """Items of a shop in their whole state, with its write key."""
        return await self._answer(request, self._take_items)

    async def _take_items(self, request: Request) -> Response:
        shop_id = self._keys.shop_that_may_write(request.headers.get("authorization"))
        if request.path_params["shop_id"] != shop_id:
            message = f"the address names another shop than {shop_id!r}, whose key this is; use that shop's own key"
            raise RequestRefused(403, "foreign_shop", "shop_id", message)
        require_json(request)
        body = await read_body(request, self.settings.collector_max_bytes)
        items = batch.decode(body, self.settings.collector_max_events, "items")
        events, answers = item_events(items, shop_id=shop_id, catalogue=self.catalogue, now_ms=self._clock_ms())
        answer: dict[str, Any] = {"accepted": 0, "duplicates": 0, "quarantined": 0, "results": []}
        if events:
            answer = await self._accept(shop_id, "server", events)
        taken = iter(zip(events, answer["results"], strict=True))
        results = []
        for unchanged in answers:
            if unchanged is not None:
                results.append(unchanged)
                continue
            event, result = next(taken)
            properties = event["properties"] if isinstance(event, dict) else event.value
            results.append({"item_id": properties.get("item_id") if isinstance(properties, dict) else None, **result})
        return _json(answer | {"unchanged": len(results) - len(events), "results": results})

    async def _take_track(self, request: Request) -> Response:
        shop_id = self._keys.shop_that_may_track(request.query_params.get("key"), request.headers.get("origin"))
        body = await read_body(request, self.settings.collector_max_bytes)
        events = batch.decode(body, self.settings.collector_max_events)
        return _json(await self._accept(shop_id, "page", events))

    async def _accept(self, shop_id: str, sent_by: Sender, events: list[Any]) -> dict[str, Any]:
        """Correct clocks, fill gaps, check, write and sync the events of a shop; the answer names the outcome of each."""
        now_ms = self._clock_ms()
        events[:] = [with_corrected_clock(event, now_ms) if type(event) is dict else event for event in events]
        filled = self.catalogue.fill(shop_id, events)
        checked = batch.check_batch(
            events,
            shop_id=shop_id,
            collector_id=self.wal.collector_id,
            collected_at_ms=now_ms,
            sent_by=sent_by,
            orders_from=self._keys.orders_from(shop_id),
        )
        self._check_limits(shop_id, sent_by, len(events))
        try:
            await self.commit.write(checked.records)
        except DiskFailing as error:
            message = f"the disk takes no events now ({error}); none of this batch was accepted, send it again"
            raise RequestRefused(503, "disk_failing", "body", message, retry_after_s=2) from None
        # Only now: requests return from the write in the order of the log, so the first one that is on disk is the first.
        duplicates = checked.mark_repeated(self._recent)
        self._note_items(shop_id, events, checked.records)
        self.metrics.accepted.labels(sent_by).inc(len(events))
        self.metrics.filled.labels(sent_by).inc(filled)
        self.metrics.duplicates.labels(sent_by).inc(duplicates)
        for reason, count in checked.quarantined.items():
            self.metrics.quarantined.labels(sent_by, reason).inc(count)
        return {
            "accepted": len(events),
            "duplicates": duplicates,
            "quarantined": sum(checked.quarantined.values()),
            "results": checked.results,
        }

    def _note_items(self, shop_id: str, events: list[Any], records: list[Record]) -> None:
        """Take accepted changes of items over into the catalogue, but none that is dated ahead."""
        limit_ms = self._clock_ms() + self.settings.future_tolerance_s * 1000
        for event, record in zip(events, records, strict=True):
            if record["type"] == "item_changed" and record["invalid_reason"] is None:
                at_ms = record["occurred_at_ms"]
                if at_ms is not None and at_ms <= limit_ms:
                    self.catalogue.note(shop_id, event["properties"], at_ms)
        self.seen_upto = records[-1]["seq"] + 1

    def _check_limits(self, shop_id: str, sent_by: Sender, events: int) -> None:
        try:
            self.commit.check_room(events)
        except BacklogFull as error:
            message = f"{error}; send the same batch again later"
            raise RequestRefused(503, "backlog_full", "body", message, retry_after_s=1) from None
        wait_s = self._rate.take(shop_id, sent_by, events)
        if wait_s is not None:
            limit = self._events_per_s(shop_id)
            message = f"the {sent_by} of shop {shop_id!r} sends more than {limit} events a second; send again after Retry-After"
            raise RequestRefused(429, "rate_limited", "body", message, retry_after_s=wait_s)

    def _events_per_s(self, shop_id: str) -> int:
        return self._keys.events_per_s(shop_id) or self.settings.collector_events_per_s


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
