"""The small file ``durable``: how far the log is on disk. It is synced before anything is acknowledged.

It is rewritten in place with a checksum instead of by rename, because a rename that lasts costs an fsync of its own. It is
never newer than the segments: they are synced first. So after a crash of the machine, what lies behind it was not
acknowledged, and what lies before it was.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from zlib import crc32

from collector.wal.segments import Position, WalCorrupt

_BYTES = 72
_TRIES = 5


class DurableFile:
    """The writer's side of the file."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / "durable", os.O_RDWR | os.O_CREAT, 0o644)

    def write(self, position: Position) -> None:
        """Say, durably, that everything before ``position`` is on disk. Raises OSError when the file cannot be written."""
        os.pwrite(self._descriptor, _encode(position), 0)
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)


def read_durable(folder: Path) -> Position | None:
    """How far the log is on disk, or None where no collector has run. Raises WalCorrupt when the file makes no sense."""
    file = folder / "durable"
    for _ in range(_TRIES):  # a read may meet a write half way
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            return None
        if not text:
            return None
        position = _decode(text)
        if position is not None:
            return position
        time.sleep(0.001)
    raise WalCorrupt(f"{file} is damaged; start the collector once, it writes the file anew from the segments")


def _encode(position: Position) -> bytes:
    text = b"%020d %020d %020d" % (position.segment, position.offset, position.seq)
    return b"%s %08x\n" % (text, crc32(text))


def _decode(text: bytes) -> Position | None:
    if len(text) != _BYTES or text[63:71] != b"%08x" % crc32(text[:62]):
        return None
    segment, offset, seq = map(int, text[:62].split())
    return Position(segment, offset, seq)
