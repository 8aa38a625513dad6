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
from collector.home_money import ShopMoneys
from collector.items import item_events
from collector.keys import KeyRing, Owner
from collector.limits import RateLimit
from collector.live import RecentEvents
from collector.metrics import CollectorMetrics
from collector.recent_ids import RecentIds
from collector.refusals import RequestRefused
from collector.traces import trace_batch
from collector.wal.writer import WalWriter
from jishi.contract import Record
from jishi.contract.clock import with_corrected_clock
from jishi.contract.sender import Sender
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tracing import Tracer

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
        tracer: Tracer | None = None,
    ) -> None:
        self.wal = wal
        self.catalogue = catalogue if catalogue is not None else ShopCatalogues()
        self.seen_upto = wal.end.seq  # every event with a smaller seq has been noted in the catalogue
        self._keys = keys
        self._tracer = tracer
        self.settings = settings
        self._moneys = ShopMoneys(Paths.of(settings).fx_rates)
        self._clock_ms = clock_ms
        self._rate = RateLimit(self._events_per_s, settings.collector_max_events, clock_s)
        self._recent = RecentIds.of_log(wal.folder, settings.collector_recent_ids)
        self._recent_tests = RecentIds(settings.collector_recent_ids)
        self._live = RecentEvents(settings, clock_ms())
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
            if (owner := getattr(request.state, "owner", None)) is not None:
                self._live.note_refusal(owner.shop_id, owner.is_test, refused, self._clock_ms())
            self.metrics.refused.labels(refused.code).inc()
            if refused.status == 401 or refused.code in _WRONG_KEY:
                self.metrics.wrong_keys.inc()
            return refused.response()
        except ClientDisconnect:
            self.metrics.refused.labels("client_gone").inc()
            return Response(status_code=400)  # nobody reads it

    async def _take_events(self, request: Request) -> Response:
        owner = request.state.owner = self._keys.writer(request.headers.get("authorization"))
        require_json(request)
        body = await read_body(request, self.settings.collector_max_bytes)
        return _json(await self._accept(owner, "server", batch.decode(body, self.settings.collector_max_events)))

    async def get_live(self, request: Request) -> Response:
        """The last events of a shop with what became of each, for who has its write key; ``after`` leaves out known ones."""
        return await self._answer(request, self._show_live)

    async def _show_live(self, request: Request) -> Response:
        shop_id = self._keys.writer(request.headers.get("authorization")).shop_id
        after = request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > 18:
            raise RequestRefused(422, "bad_parameter", "after", "after is the number of the newest event that is known")
        response = _json({"shop_id": shop_id, **self._live.of_shop(shop_id, int(after))})
        response.headers["Cache-Control"] = "no-store"
        return response

    async def put_items(self, request: Request) -> Response:
        """Items of a shop in their whole state, with its write key."""
        return await self._answer(request, self._take_items)

    async def _take_items(self, request: Request) -> Response:
        owner = request.state.owner = self._keys.writer(request.headers.get("authorization"))
        shop_id = owner.shop_id
        if request.path_params["shop_id"] != shop_id:
            message = f"the address names another shop than {shop_id!r}, whose key this is; use that shop's own key"
            raise RequestRefused(403, "foreign_shop", "shop_id", message)
        require_json(request)
        body = await read_body(request, self.settings.collector_max_bytes)
        items = batch.decode(body, self.settings.collector_max_events, "items")
        now_ms = self._clock_ms()

        def is_taken_over(event: dict[str, Any]) -> bool:
            return self._is_taken_over(self._check(shop_id, "server", [event], now_ms).records[0], now_ms)

        events, answers = item_events(
            items, shop_id=shop_id, catalogue=self.catalogue, now_ms=now_ms, is_taken_over=is_taken_over
        )
        answer: dict[str, Any] = {"accepted": 0, "duplicates": 0, "quarantined": 0, "results": []}
        if events:
            answer = await self._accept(owner, "server", events)
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
        owner = request.state.owner = self._keys.tracker(request.query_params.get("key"), request.headers.get("origin"))
        body = await read_body(request, self.settings.collector_max_bytes)
        events = batch.decode(body, self.settings.collector_max_events)
        return _json(await self._accept(owner, "page", events))

    async def _accept(self, owner: Owner, sent_by: Sender, events: list[Any]) -> dict[str, Any]:
        """Correct clocks, fill gaps, check, write and sync the events of a shop; the answer names the outcome of each.

        What a test key sent is checked alike and then forgotten: neither the log nor the catalogue gets it.
        """
        now_ms, shop_id = self._clock_ms(), owner.shop_id
        events[:] = [with_corrected_clock(event, now_ms) if type(event) is dict else event for event in events]
        filled = self.catalogue.fill(shop_id, events, self._keys.home_currency(shop_id)[0])
        checked = self._check(shop_id, sent_by, events, now_ms)
        self._check_limits(shop_id, f"{sent_by} (test)" if owner.is_test else sent_by, len(events))
        if owner.is_test:
            duplicates = checked.mark_repeated(self._recent_tests)
            self.metrics.tests.labels(sent_by).inc(len(events))
        else:
            duplicates = await self._write(shop_id, events, checked)
            self._count(sent_by, filled, duplicates, checked)
            if self._tracer is not None:
                trace_batch(self._tracer, shop_id, sent_by, checked, now_ms)
        self._live.note_batch(shop_id, checked.records, checked.results, sent_by, now_ms, is_test=owner.is_test)
        return ({"test": True} if owner.is_test else {}) | {
            "accepted": len(events),
            "duplicates": duplicates,
            "quarantined": sum(checked.quarantined.values()),
            "results": checked.results,
        }

    def _check(self, shop_id: str, sent_by: Sender, events: list[Any], now_ms: int) -> batch.Checked:
        return batch.check_batch(
            events,
            shop_id=shop_id,
            collector_id=self.wal.collector_id,
            collected_at_ms=now_ms,
            sent_by=sent_by,
            orders_from=self._keys.orders_from(shop_id),
            money=self._moneys.of(shop_id, *self._keys.home_currency(shop_id)),
        )

    async def _write(self, shop_id: str, events: list[Any], checked: batch.Checked) -> int:
        """Write and sync the batch, and take changes of items over; how many events were known before."""
        try:
            await self.commit.write(checked.records)
        except DiskFailing as error:
            message = f"the disk takes no events now ({error}); none of this batch was accepted, send it again"
            raise RequestRefused(503, "disk_failing", "body", message, retry_after_s=2) from None
        # Only now: requests return from the write in the order of the log, so the first one that is on disk is the first.
        duplicates = checked.mark_repeated(self._recent)
        self._note_items(shop_id, events, checked.records)
        return duplicates

    def _count(self, sent_by: Sender, filled: int, duplicates: int, checked: batch.Checked) -> None:
        self.metrics.accepted.labels(sent_by).inc(len(checked.records))
        self.metrics.filled.labels(sent_by).inc(filled)
        self.metrics.duplicates.labels(sent_by).inc(duplicates)
        for reason, count in checked.quarantined.items():
            self.metrics.quarantined.labels(sent_by, reason).inc(count)

    def _note_items(self, shop_id: str, events: list[Any], records: list[Record]) -> None:
        """Take accepted changes of items over into the catalogue."""
        now_ms, (home_currency, _) = self._clock_ms(), self._keys.home_currency(shop_id)
        for event, record in zip(events, records, strict=True):
            if record["type"] == "item_changed" and self._is_taken_over(record, now_ms):
                at_ms = record["occurred_at_ms"] or 0
                price = record["unit_price_minor"]
                self.catalogue.note(shop_id, record["event_id"], event["properties"], at_ms, price, home_currency)
        self.seen_upto = records[-1]["seq"] + 1

    def _is_taken_over(self, record: Record, now_ms: int) -> bool:
        """Whether the catalogue takes the state of an item over: none that was refused, and none that is dated ahead."""
        at_ms, limit_ms = record["occurred_at_ms"], now_ms + self.settings.future_tolerance_s * 1000
        return record["invalid_reason"] is None and at_ms is not None and at_ms <= limit_ms

    def _check_limits(self, shop_id: str, sent_by: str, events: int) -> None:
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
