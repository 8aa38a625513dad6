"""Read what is on disk, in order, beside the running writer.

What was on disk and is damaged is passed over, up to the next sound entry, and said: ``WalChunk.damage`` names the seqs that
cannot be read, so that one changed byte costs one entry and not all that come behind it.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from collector.wal.entries import sound_entries
from collector.wal.segments import Position, segment_file, segment_starts

CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class WalEntry:
    """One record as JSON bytes, and the position behind it."""

    body: bytes
    after: Position


@dataclass(frozen=True, slots=True)
class Damage:
    """Entries ``first_seq`` to ``next_seq`` − 1 cannot be read: they lie (or lay) from byte ``offset`` of ``segment`` on, of
    which ``size`` bytes are there. ``after`` is the position behind them.
    """

    segment: int
    offset: int
    size: int
    first_seq: int
    next_seq: int
    after: Position


@dataclass
class WalChunk:
    """Sound entries and damage between two positions, each in order; reading goes on at ``after``."""

    after: Position
    entries: list[WalEntry] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)


def first_position(folder: Path) -> Position:
    """The start of the oldest segment that there is."""
    starts = segment_starts(folder)
    return Position(starts[0], 0, starts[0]) if starts else Position()


def read_entries(folder: Path, start: Position, durable: Position, chunk_bytes: int = CHUNK_BYTES) -> list[WalEntry]:
    """The next sound entries from ``start``, about ``chunk_bytes`` of them; empty when there is none up to ``durable``."""
    while start.seq < durable.seq:
        chunk = read_chunk(folder, start, durable, chunk_bytes)
        if chunk.entries:
            return chunk.entries
        start = chunk.after
    return []


def read_chunk(folder: Path, start: Position, durable: Position, chunk_bytes: int = CHUNK_BYTES) -> WalChunk:
    """Entries from ``start``, about ``chunk_bytes`` of them and never beyond ``durable``; its ``after`` is ``start`` only where
    there is nothing new. Segments that a retention deletes meanwhile are damage like any other: read behind what is kept.
    """
    if start.seq >= durable.seq:
        return WalChunk(start)
    starts = segment_starts(folder)
    segment, offset = start.segment, start.offset
    if segment != start.seq and segment not in starts and start.seq in starts:
        segment, offset = start.seq, 0  # the position is the end of a segment that was deleted since
    following, end = _extent(folder, segment, starts, durable)
    if offset >= end.offset and following is not None and end.seq <= start.seq:  # used up: go on in its successor
        segment, offset = following, 0
        following, end = _extent(folder, segment, starts, durable)
    data = _read(segment_file(folder, segment), offset, end.offset, chunk_bytes, start.seq)
    chunk = WalChunk(start)
    place, seq = 0, start.seq
    for entry in sound_entries(data, start.seq):
        if entry.seq >= end.seq:
            break  # a seq that belongs to the next segment: this line is damaged
        if entry.seq != seq or entry.begin != place:
            behind = Position(segment, offset + entry.begin, entry.seq)
            chunk.damage.append(Damage(segment, offset + place, entry.begin - place, seq, entry.seq, behind))
        place, seq = entry.end, entry.seq + 1
        chunk.after = Position(segment, offset + place, seq)
        chunk.entries.append(WalEntry(entry.body, chunk.after))
    if offset + len(data) >= min(end.offset, _size(segment_file(folder, segment))) and seq < end.seq:
        behind = end if following is None else Position(following, 0, following)
        chunk.damage.append(Damage(segment, offset + place, len(data) - place, seq, end.seq, behind))
        chunk.after = behind
    return chunk


def _extent(folder: Path, segment: int, starts: list[int], durable: Position) -> tuple[int | None, Position]:
    """The segment behind this one, if it is sealed, and where this one ends: its last byte, and the seq that comes next."""
    if segment == durable.segment:
        return None, durable
    at = bisect_right(starts, segment)
    following = min(starts[at], durable.segment) if at < len(starts) else durable.segment
    return following, Position(segment, _size(segment_file(folder, segment)), following)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _read(file: Path, offset: int, end: int, chunk_bytes: int, seq: int) -> bytes:
    """Whole lines from ``offset``, about ``chunk_bytes`` and with a sound entry among them unless the end comes first."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        wanted = chunk_bytes
        while True:
            size = min(wanted, end - offset)
            data = os.pread(descriptor, size, offset) if size > 0 else b""
            if len(data) < size or size >= end - offset:
                return data
            cut = data.rfind(b"\n") + 1
            if cut and next(sound_entries(data[:cut], seq), None) is not None:
                return data[:cut]
            wanted *= 2
    finally:
        os.close(descriptor)
