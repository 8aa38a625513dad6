"""This moment in the shop: provisional counters of the running day, pushed to the page as they change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from dashboard.portal.columns import column_named
from dashboard.portal.formats import Formats
from dashboard.portal.front_door import access_of
from dashboard.portal.live_streams import message
from dashboard.portal.now_numbers import HOURS, WeekBefore, day_before, now_numbers, stream_state, week_before
from dashboard.portal.visit import NoSuchPage, PageVisit
from jishi.lake import TableNotPublished

LOOK_EVERY_S = 0.25
# Minutes pass and the stream may fall behind while no counter changes.
DRAW_EVERY_S = 5.0
KEEP_ALIVE_S = 15.0
CHECK_EVERY_S = 2.0  # whether the person is still logged in and belongs to the shop
MARTS_EVERY_S = 300.0


def now(visit: PageVisit) -> Response:
    """The page with the numbers as they are; its script follows the stream."""
    visit.portal.counter_reader.start()
    visit.audit("saw", page="now")
    return visit.page("now.html", stream=visit.path("now", "stream"), **NowPage().values(visit))


def now_stream(visit: PageVisit) -> Response:
    """The parts of the page as they change, until the session ends or the browser goes away."""
    visit.portal.counter_reader.start()
    return StreamingResponse(_messages(visit), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@dataclass
class NowPage:
    """What one open page keeps: the week before, which is read again when the day or the listed items are others."""

    before: WeekBefore | None = None
    formats: Formats | None = None
    read_at: float = field(default=float("-inf"))

    def values(self, visit: PageVisit) -> dict[str, Any]:
        """Values of the template at ``visit.now``."""
        portal, shop_id = visit.portal, visit.shop.shop.shop_id
        today = visit.today()
        day, yesterday = (portal.counters.day(shop_id, today - timedelta(days=back)) for back in (0, 1))
        items = list(day.items) if day else []
        before = self._before(visit, items)
        assert self.formats is not None
        clock = portal.counters.clock
        return {
            "numbers": now_numbers(day, before, clock, self.formats, visit.now, yesterday),
            "state": stream_state(portal.counter_reader.state, clock, visit.now).value,
            "behind_since": visit.local_time(clock.as_of_ms / 1000) if clock else "",
            "before": before,
            "formats": self.formats,
            "mart": HOURS,
            "column_named": column_named,
            "item_columns": [column_named(name) for name in ("order_lines", "cart_adds", "item_views")],
        }

    def _before(self, visit: PageVisit, items: list[str]) -> WeekBefore:
        today = visit.today()
        is_old = time.monotonic() - self.read_at > MARTS_EVERY_S
        if self.before is None or is_old or self.before.day != day_before(today) or set(items) - self.before.asked:
            self.read_at = time.monotonic()
            shop = visit.shop.shop
            try:
                with visit.marts() as marts:
                    self.formats = visit.formats(marts)
                    title = "title" if visit.language == "zh" else "title_en"
                    self.before = week_before(marts, today, items, title)
            except TableNotPublished:
                self.formats = Formats(visit.language, shop.currency, shop.time_zone)
                self.before = WeekBefore(day_before(today), asked=frozenset(items))
        return self.before


async def _messages(visit: PageVisit) -> AsyncIterator[str]:
    streams, person_id = visit.portal.streams, visit.person.person_id
    stream, page = streams.enter(person_id), NowPage()
    began = time.monotonic()
    drawn_at = checked_at = sent_at = float("-inf")
    version, last = -1, ""
    try:
        yield "retry: 2000\n\n"
        while True:
            moment = time.monotonic()
            if moment - checked_at >= CHECK_EVERY_S:
                checked_at = moment
                if not await run_in_threadpool(_may_still_see, visit):
                    yield message("", "ended")
                    return
            if not streams.holds(person_id, stream):
                yield message("", "replaced")
                return
            newest = visit.portal.counters.version_of(visit.shop.shop.shop_id)
            if newest != version or moment - drawn_at >= DRAW_EVERY_S:
                version, drawn_at = newest, moment
                text = await run_in_threadpool(_drawn, visit, page)
                if text != last:
                    last, sent_at = text, moment
                    yield message(text)
            if moment - sent_at >= KEEP_ALIVE_S:
                sent_at = moment
                yield ": still here\n\n"
            if moment - began >= streams.longest_s:
                return
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        streams.leave(person_id, stream)


def _may_still_see(visit: PageVisit) -> bool:
    """Whether the session goes on and its person still belongs to the shop; looking is not using."""
    session = visit.portal.sessions.session_of(visit.cookie, visit.portal.clock(), is_used=False)
    try:
        return session is not None and access_of(visit, session).may("see")
    except NoSuchPage:
        return False


def _drawn(visit: PageVisit, page: NowPage) -> str:
    at = replace(visit, now=visit.portal.clock())
    return bytes(at.page("_now.html", **page.values(at)).body).decode()
