"""Read what is on disk, in order, beside the running writer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from collector.wal.entries import body_of
from collector.wal.segments import Position, WalCorrupt, segment_file, segment_starts

CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class WalEntry:
    """One record as JSON bytes, and the position behind it."""

    body: bytes
    after: Position


def first_position(folder: Path) -> Position:
    """The start of the oldest segment that there is."""
    starts = segment_starts(folder)
    return Position(starts[0], 0, starts[0]) if starts else Position()


def read_entries(folder: Path, start: Position, durable: Position, chunk_bytes: int = CHUNK_BYTES) -> list[WalEntry]:
    """Entries from ``start``, about ``chunk_bytes`` of them and never beyond ``durable``; empty when there is nothing new.

    Raises WalCorrupt for a damaged or missing segment.
    """
    if start.seq >= durable.seq:
        return []
    segment, offset = start.segment, start.offset
    if segment != start.seq and not segment_file(folder, segment).exists() and segment_file(folder, start.seq).exists():
        segment, offset = start.seq, 0  # the position is the end of a segment that was deleted since
    end = _readable_end(folder, segment, durable)
    if offset >= end:  # a sealed segment is used up: its successor is named by the seq that comes next
        segment, offset = start.seq, 0
        end = _readable_end(folder, segment, durable)
    data = _read(segment_file(folder, segment), offset, end, chunk_bytes)
    entries: list[WalEntry] = []
    seq, begin = start.seq, 0
    while begin < len(data):
        stop = data.find(b"\n", begin)
        body = body_of(data[begin:stop]) if stop >= 0 else None
        if body is None:
            file = segment_file(folder, segment)
            raise WalCorrupt(
                f"{file}: the entry of seq {seq} at byte {offset + begin} is damaged; bring the file back from a backup"
            )
        begin, seq = stop + 1, seq + 1
        entries.append(WalEntry(body, Position(segment, offset + begin, seq)))
    return entries


def _readable_end(folder: Path, segment: int, durable: Position) -> int:
    if segment == durable.segment:
        return durable.offset
    file = segment_file(folder, segment)
    try:
        return file.stat().st_size
    except FileNotFoundError:
        raise WalCorrupt(f"{file} is missing, it holds the events from seq {segment} on; bring it back from a backup") from None


def _read(file: Path, offset: int, end: int, chunk_bytes: int) -> bytes:
    """Whole lines from ``offset``, at least one, about ``chunk_bytes``, not beyond ``end``."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        raise WalCorrupt(f"{file} is missing; bring it back from a backup") from None
    try:
        wanted = chunk_bytes
        while True:
            size = min(wanted, end - offset)
            data = os.pread(descriptor, size, offset)
            if len(data) < size:
                raise WalCorrupt(f"{file} ends before byte {end}, up to which it was on disk; bring it back from a backup")
            if size == end - offset:
                return data
            if (cut := data.rfind(b"\n")) >= 0:
                return data[: cut + 1]
            wanted *= 2
    finally:
        os.close(descriptor)
