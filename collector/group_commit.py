"""Many requests, one fsync: requests that wait while the disk is busy are written together as soon as it is free."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from collector.wal.writer import WalWriter
from jishi.contract import Record

log = logging.getLogger(__name__)

GROUP_EVENTS = 5_000  # bounds how long the first of a group waits for the bytes of the last
PROBE_EVERY_S = 1.0


class BacklogFull(RuntimeError):
    """Too many events wait for the disk."""


class DiskFailing(RuntimeError):
    """The disk did not take the events; none of them is in the log."""


@dataclass(frozen=True)
class _Waiting:
    records: list[Record]
    written: asyncio.Future[None]


class GroupCommit:
    """The only user of a ``WalWriter`` while the collector runs; ``run`` is its task.

    ``observe`` gets the seconds and the number of events of each write with its fsync.
    """

    def __init__(
        self, wal: WalWriter, max_backlog: int, clock_s: Callable[[], float], observe: Callable[[float, int], None]
    ) -> None:
        self._wal = wal
        self._max_backlog = max_backlog
        self._clock_s = clock_s
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._is_closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fsync")
        self.backlog = 0
        self.failure: str | None = None

    def check_room(self, events: int) -> None:
        """Raises BacklogFull when ``events`` more do not fit. An empty backlog takes any request."""
        if self.backlog and self.backlog + events > self._max_backlog:
            raise BacklogFull(f"{self.backlog} events wait for the disk")

    async def write(self, records: list[Record]) -> None:
        """Return when the records are on disk. Raises DiskFailing when they are not, and then none of them is."""
        if self._is_closing:
            raise DiskFailing("the collector is stopping")
        waiting = _Waiting(records, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self.backlog += len(records)
        self._wake.set()
        await waiting.written

    async def run(self) -> None:
        """Write groups until ``close``; then write what still waits and end."""
        try:
            while True:
                await self._wait()
                group = self._next_group()
                if group:
                    await self._commit(group)
                elif self._is_closing:
                    return
                elif self.failure is not None:
                    await self._probe()
        finally:
            self._is_closing = True
            self._settle(list(self._queue), DiskFailing("the collector's writer ended"))
            self._queue.clear()
            self._thread.shutdown()

    def close(self) -> None:
        """Take nothing more; ``run`` ends when what waits is written."""
        self._is_closing = True
        self._wake.set()

    async def _wait(self) -> None:
        if self._queue or self._is_closing:
            return
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), PROBE_EVERY_S if self.failure is not None else None)
        except TimeoutError:
            return

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        events = 0
        while self._queue and (not group or events + len(self._queue[0].records) <= GROUP_EVENTS):
            waiting = self._queue.popleft()
            events += len(waiting.records)
            group.append(waiting)
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        records = [record for waiting in group for record in waiting.records]
        began = self._clock_s()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._wal.append, records)
        except OSError as error:
            self._failed(error)
            self._settle(group, DiskFailing(str(error.strerror or error)))
        else:
            self._observe(self._clock_s() - began, len(records))
            self._recovered()
            self._settle(group, None)
        finally:
            self._settle(group, DiskFailing("the collector's writer ended"))  # only what is still open

    async def _probe(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._wal.probe)
        except OSError as error:
            self._failed(error)
        else:
            self._recovered()

    def _settle(self, group: list[_Waiting], failure: DiskFailing | None) -> None:
        for waiting in group:
            if waiting.written.done():
                continue
            self.backlog -= len(waiting.records)
            if failure is None:
                waiting.written.set_result(None)
            else:
                waiting.written.set_exception(failure)

    def _failed(self, error: OSError) -> None:
        reason = str(error.strerror or error)
        if reason != self.failure:
            log.error("%s: %s; events are refused with 503 until the disk takes them", self._wal.folder, reason)
        self.failure = reason

    def _recovered(self) -> None:
        if self.failure is not None:
            log.warning("%s takes events again", self._wal.folder)
        self.failure = None
