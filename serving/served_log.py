"""The log of what requests used and got: feature values, decisions. A request only puts entries into a queue; a thread of
its own writes them.

Serving never waits for this log and never fails because of it: what does not fit the queue or the disk is dropped and counted.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event
from typing import Any, Protocol

from jishi.features.served import is_sampled

EVERY_S = 1.0
KEPT_DAYS = 8
# Of one process and day; at 300 bytes a value a million values.
MOST_BYTES = 2**28
_QUEUED = 10_000


class ServedEntry(Protocol):
    """What is logged: a line, and the UTC date that it belongs to."""

    @property
    def read_on(self) -> date:
        """UTC date."""

    def line(self) -> bytes:
        """The line that stands in the log."""


def one_part(_: ServedEntry) -> str:
    """All entries in the same files."""
    return ""


@dataclass
class ServedLog:
    """Appends entries to files by day below ``folder``; days that are too old are deleted. ``rate`` is the share of reads that
    ``takes`` says yes to. Entries of another part have files of their own, ``<name><part>.jsonl``, of ``most_bytes`` each:
    where a busy day's entries are cut off, a sample among them is not. ``sinks`` get what was written.
    """

    folder: Path
    name: str  # of this process alone, so that nobody writes behind a line that was cut when it died
    rate: float
    most_bytes: int = MOST_BYTES
    logged: int = 0
    dropped: int = 0
    problem: str | None = None
    part_of: Callable[[Any], str] = one_part
    sinks: list[Callable[[list[Any]], None]] = field(default_factory=list)
    _queue: Queue[ServedEntry] = field(default_factory=lambda: Queue(_QUEUED))

    def takes(self, shop_id: str, entity_id: str, read_at_ms: int) -> bool:
        """Whether a read belongs to the sample."""
        return is_sampled(shop_id, entity_id, read_at_ms, self.rate)

    def note(self, served: ServedEntry) -> None:
        """Keep an entry for the next round of writing."""
        try:
            self._queue.put_nowait(served)
        except Full:
            self.dropped += 1

    def run(self, stop: Event) -> None:
        """Write once a second until ``stop`` is set, and once more then."""
        while not stop.wait(EVERY_S):
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        by_file: dict[tuple[date, str], list[ServedEntry]] = defaultdict(list)
        for served in self._drain():
            by_file[served.read_on, self.part_of(served)].append(served)
        for (day, part), values in by_file.items():
            if self._try(self._append, day, part, values):
                self.logged += len(values)
            else:
                self.dropped += len(values)
            for sink in self.sinks:  # what befalls one concerns no other
                self._try(sink, values)

    def _try(self, write: Callable[..., bool | None], *given: Any) -> bool | None:
        try:
            return write(*given)
        except OSError as error:
            self.problem = f"{type(error).__name__}: {error}"
            return False

    def _drain(self) -> list[ServedEntry]:
        drained: list[ServedEntry] = []
        try:
            while True:
                drained.append(self._queue.get_nowait())
        except Empty:
            return drained

    def _append(self, day: date, part: str, values: list[ServedEntry]) -> bool:
        folder = self.folder / day.isoformat()
        if not folder.exists():
            folder.mkdir(parents=True)
            self._drop_days_before(day - timedelta(days=KEPT_DAYS))
        lines = b"".join(served.line() for served in values)
        with (folder / f"{self.name}{part}.jsonl").open("ab", buffering=0) as file:
            size = file.tell()
            if size + len(lines) > self.most_bytes:
                self.problem = f"{file.name} may not grow beyond {self.most_bytes} bytes a day"
                return False
            if file.write(lines) < len(lines):
                file.truncate(size)
                self.problem = f"{file.name}: the disk is full"
                return False
        self.problem = None
        return True

    def _drop_days_before(self, oldest: date) -> None:
        for folder in self.folder.iterdir():
            if folder.name < oldest.isoformat():
                shutil.rmtree(folder)
