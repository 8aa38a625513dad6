"""Ids of the events acknowledged lately, so that the answer to a repeated one says so.

A convenience for the sender: the repetition is written down and acknowledged like any event, and the batch job alone decides
what counts. So the memory may be bounded. It is rebuilt from the newest segments of the write-ahead log at a start.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson

from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position, WalCorrupt, segment_starts


class RecentIds:
    """At least the last ``capacity`` event ids of all shops, at most twice as many; about 70 bytes each.

    Ids are kept as 64-bit hashes: among a million ids the chance that any new one is taken for another is 1 in 10^13.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: set[int] = set()
        self._old: set[int] = set()

    def is_repeated(self, shop_id: str, event_id: str) -> bool:
        """Whether the event was seen before; it is remembered from now on."""
        key = hash((shop_id, event_id))
        if key in self._young:
            return True
        is_known = key in self._old
        self._young.add(key)
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, set()
        return is_known

    @classmethod
    def of_log(cls, folder: Path, capacity: int) -> RecentIds:
        """The memory of the newest ``capacity`` entries of a write-ahead log.

        Of a damaged log it holds what could be read: the forwarder and the count of accepted events stop at the damage and
        report it, and shops must be able to send meanwhile.
        """
        recent = cls(capacity)
        with suppress(WalCorrupt):
            recent._read(folder, capacity)
        return recent

    def _read(self, folder: Path, capacity: int) -> None:
        durable = read_durable(folder) or Position()
        starts = [start for start in segment_starts(folder) if start <= durable.segment]
        first = next((start for start in reversed(starts) if durable.seq - start >= capacity), starts[0] if starts else 0)
        position = Position(first, 0, first)
        while entries := read_entries(folder, position, durable):
            for entry in entries:
                record = orjson.loads(entry.body)
                if record["invalid_reason"] is None:
                    self.is_repeated(record["shop_id"], record["event_id"])
            position = entries[-1].after
