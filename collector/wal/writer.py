"""The one writer of a write-ahead log: recover the tail, append and sync, seal segments of a bounded size."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from collector.wal.damage import set_aside
from collector.wal.durable import DurableFile, read_durable
from collector.wal.entries import encode, scan
from collector.wal.lock import lock
from collector.wal.numbers import numbers_counted, numbers_used
from collector.wal.reader import Damage, read_chunk
from collector.wal.segments import Position, WalCorrupt, segment_file, segment_starts
from jishi.contract import Record
from jishi.files import fsync_folder, write_atomically

log = logging.getLogger(__name__)


class WalWriter:
    """Appends records durably. One instance a folder (locked), used by one thread at a time.

    ``torn_bytes`` is what recovery cut off the tail: bytes of requests that were never acknowledged, as ``durable`` says, which
    is on disk before an acknowledgement. Whatever may have been acknowledged stays where it is; what of it is damaged is
    set aside (``collector.wal.damage``), and its numbers are not given away again.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        """Lock the folder, make it ready and recover its tail. Raises WalLocked, WalCorrupt (no collector id), or OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.torn_bytes = 0
        self._segment_bytes = segment_bytes
        self._lock = lock(folder / "lock")
        self._descriptor = -1
        self._is_dirty = False  # bytes behind _end may be in the file although nobody got an acknowledgement for them
        self._is_published = False
        try:
            self.collector_id = _collector_id(folder)
            self._durable = DurableFile(folder)
            self._end = self._recover()
            self._publish()
            fsync_folder(folder)
        except BaseException:
            self.close()
            raise

    @property
    def end(self) -> Position:
        """Where the next entry goes; everything before it is on disk."""
        return self._end

    def append(self, records: Sequence[Record]) -> None:
        """Number the records, write and sync them: when this returns they are on disk, in this order.

        Raises OSError when the disk does not take them; then none is in the log and the same numbers are used again. It also
        raises when they are on disk and ``durable`` is not: nobody is told that they were taken, and they stay.
        """
        if self._is_dirty:
            self._cut()
        if self._end.offset >= self._segment_bytes or self._was_cut():
            self._end = self._begin(self._end.seq)
        for seq, record in enumerate(records, self._end.seq):
            record["seq"] = seq
        data = b"".join(map(encode, records))
        self._is_dirty = True
        try:
            _write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):  # it stays dirty then, and the next append cuts before it writes
                self._cut()
            raise
        self._is_dirty = False
        self._end = Position(self._end.segment, self._end.offset + len(data), self._end.seq + len(records))
        self._publish()

    def probe(self) -> None:
        """Try whether the disk takes bytes again, without an event. Raises OSError when it does not."""
        if self._is_dirty:
            self._cut()
        file = self.folder / ".probe"
        try:
            with file.open("wb") as probe:
                probe.write(bytes(4096))
                probe.flush()
                os.fsync(probe.fileno())
        finally:
            file.unlink(missing_ok=True)
        if not self._is_published:
            self._publish()

    def close(self) -> None:
        """Give the folder back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if hasattr(self, "_durable"):
            self._durable.close()
            del self._durable
        self._lock.close()

    def _recover(self) -> Position:
        """Open the newest segment behind its last sound entry, or begin a new one where that could lose or number anew what may
        have been acknowledged.
        """
        known = self._known_durable()
        used = max(numbers_used(self.folder), known.seq if known else 0)
        starts = segment_starts(self.folder)
        if not starts:
            if used:
                log.error(
                    "%s has no segment although %d events were acknowledged; numbers go on behind them", self.folder, used
                )
            self._descriptor = self._create(used)
            first = min(used, numbers_counted(self.folder))
            if first < used:
                set_aside(self.folder, Damage(used, 0, 0, first, used, Position(used, 0, used)))
            return Position(used, 0, used)
        newest = starts[-1]
        file = segment_file(self.folder, newest)
        data = file.read_bytes()
        tail = scan(data, newest)
        self._descriptor = os.open(file, os.O_RDWR | os.O_APPEND)
        torn = len(data) - tail.end
        if torn and known is not None and tail.next_seq >= used:
            self.torn_bytes = torn
            log.warning("%s: %d bytes at its end that were never acknowledged are cut off", file, torn)
            os.ftruncate(self._descriptor, tail.end)
            torn = 0
        os.fsync(self._descriptor)
        end = Position(newest, tail.end, tail.next_seq)
        if torn or tail.next_seq < used:  # what stands at the end stays as it is, and its numbers are not used again
            end = self._begin(max(used, tail.next_seq + tail.lines_behind))
        if tail.has_damage or end.segment != newest:
            self._set_aside(Position(newest, 0, newest), end)
        return end

    def _set_aside(self, start: Position, end: Position) -> None:
        while start.seq < end.seq:
            chunk = read_chunk(self.folder, start, end)
            for damage in chunk.damage:
                set_aside(self.folder, damage)
            start = chunk.after

    def _known_durable(self) -> Position | None:
        """What the log was known to hold; None when nothing says so any more."""
        try:
            return read_durable(self.folder) or (None if segment_starts(self.folder) else Position())
        except WalCorrupt:
            log.warning("%s is damaged and is written anew from the segments", self.folder / "durable")
            return None

    def _create(self, first_seq: int) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        descriptor = os.open(segment_file(self.folder, first_seq), flags, 0o640)
        try:
            os.fsync(descriptor)
            fsync_folder(self.folder)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _begin(self, first_seq: int) -> Position:
        """Go on in a new segment."""
        descriptor = self._create(first_seq)
        os.close(self._descriptor)
        self._descriptor = descriptor
        return Position(first_seq, 0, first_seq)

    def _was_cut(self) -> bool:
        """Whether the segment does not end where it should: what is written now would not lie where readers look for it."""
        if (size := os.fstat(self._descriptor).st_size) == self._end.offset:
            return False
        file = segment_file(self.folder, self._end.segment)
        log.error("%s has %d bytes, of %d that were written; a new segment goes on", file, size, self._end.offset)
        return True

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._end.offset)
        os.fsync(self._descriptor)
        self._is_dirty = False

    def _publish(self) -> None:
        """Tell readers and the next recovery. Raises OSError: the entries are on disk, and not known to be."""
        self._is_published = False
        self._durable.write(self._end)
        self._is_published = True


def _collector_id(folder: Path) -> str:
    file = folder / "collector_id"
    if file.exists():
        text = file.read_text(encoding="utf-8").strip()
        if len(text) != 32:
            raise WalCorrupt(f"{file} holds no collector id (32 hexadecimal digits); every record of the segments names it")
        return text
    if segment_starts(folder):
        raise WalCorrupt(f"{file} is missing beside segments; write the collector_id that their records name into it")
    text = uuid.uuid4().hex
    write_atomically(file, text + "\n")
    fsync_folder(folder)
    return text


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
