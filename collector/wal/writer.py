"""The one writer of a write-ahead log: recover the tail, append and sync, seal segments of a bounded size."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from collector.wal.durable import DurableFile, read_durable
from collector.wal.entries import encode, scan
from collector.wal.lock import lock
from collector.wal.segments import Position, WalCorrupt, fsync_folder, segment_file, segment_starts
from jishi.contract import Record
from jishi.files import write_atomically

log = logging.getLogger(__name__)


class WalWriter:
    """Appends records durably. One instance a folder (locked), used by one thread at a time.

    ``torn_bytes`` is what recovery cut off the tail: bytes of requests that were never acknowledged.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        """Lock the folder, make it ready and recover its tail. Raises WalLocked, WalCorrupt, or OSError."""
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
        except BaseException:
            self.close()
            raise

    @property
    def end(self) -> Position:
        """Where the next entry goes; everything before it is on disk."""
        return self._end

    def append(self, records: Sequence[Record]) -> None:
        """Number the records, write and sync them: when this returns they are on disk, in this order.

        Raises OSError when the disk does not take them; then none is in the log and the same numbers are used again.
        """
        if self._is_dirty:
            self._cut()
        if self._end.offset >= self._segment_bytes:
            self._rotate()
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
        """Open the newest segment behind its last sound entry; cut off a torn tail."""
        known = self._known_durable()
        starts = segment_starts(self.folder)
        if not starts:
            if known.seq > 0:
                raise WalCorrupt(f"{self.folder} has no segment although {known.seq} events were acknowledged; {_ADVICE}")
            self._descriptor = self._create(0)
            return Position()
        first_seq = starts[-1]
        file = segment_file(self.folder, first_seq)
        data = file.read_bytes()
        tail = scan(data, first_seq)
        if tail.next_seq < known.seq:
            what = tail.fault or "the end of the file"
            raise WalCorrupt(
                f"{file}: {what} at byte {tail.end}, but events up to seq {known.seq - 1} were acknowledged; {_ADVICE}"
            )
        self._descriptor = os.open(file, os.O_RDWR | os.O_APPEND)
        if tail.fault is not None:
            self.torn_bytes = len(data) - tail.end
            log.warning("%s: %s; %d bytes that were never acknowledged are cut off", file, tail.fault, self.torn_bytes)
            os.ftruncate(self._descriptor, tail.end)
        os.fsync(self._descriptor)
        return Position(first_seq, tail.end, tail.next_seq)

    def _known_durable(self) -> Position:
        try:
            return read_durable(self.folder) or Position()
        except WalCorrupt:
            # Torn by a crash of the machine: the segments are then the only witness of what was acknowledged.
            log.warning("%s is damaged and is written anew from the segments", self.folder / "durable")
            return Position()

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

    def _rotate(self) -> None:
        descriptor = self._create(self._end.seq)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._end = Position(self._end.seq, 0, self._end.seq)

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._end.offset)
        os.fsync(self._descriptor)
        self._is_dirty = False

    def _publish(self) -> None:
        """Tell readers. A failure here loses nothing, the entries are on disk: readers hear of them with the next append."""
        try:
            self._durable.write(self._end)
        except OSError as error:
            self._is_published = False
            log.error("%s: %s; readers wait until it can be written", self.folder / "durable", error)
        else:
            self._is_published = True


_ADVICE = (
    "bring the file back from a backup, or move the whole folder away: the collector then starts a new log, and acknowledged "
    "events of the old one that were not forwarded are lost"
)


def _collector_id(folder: Path) -> str:
    file = folder / "collector_id"
    if file.exists():
        text = file.read_text().strip()
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
