"""Names and positions in the write-ahead log, and the errors of reading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PREFIX, _SUFFIX = "segment-", ".log"


class WalCorrupt(RuntimeError):
    """A part of the log that was on disk is missing or damaged; the message names the file and what can be done."""


class WalLocked(RuntimeError):
    """Another process holds the log; the message names the folder."""


@dataclass(frozen=True, order=True)
class Position:
    """A place between two entries: ``seq`` is that of the next entry, which starts at byte ``offset`` of the segment whose
    first entry has seq ``segment``."""

    segment: int = 0
    offset: int = 0
    seq: int = 0


def segment_file(folder: Path, first_seq: int) -> Path:
    """The file of the segment whose first entry has this seq."""
    return folder / f"{_PREFIX}{first_seq:020d}{_SUFFIX}"


def segment_starts(folder: Path) -> list[int]:
    """First seqs of the segments that there are, ascending."""
    return sorted(int(file.name[len(_PREFIX) : -len(_SUFFIX)]) for file in folder.glob(f"{_PREFIX}{'[0-9]' * 20}{_SUFFIX}"))
