"""What of the log cannot be read is noted and set aside, never cut: ``damaged.jsonl``, ``damaged-<segment>-<offset>.bin``.

Each line of ``damaged.jsonl`` is one damage: ``segment``, ``offset``, ``size`` in bytes, ``first_seq`` and ``next_seq`` (the
entries from the first up to, not with, the next), ``found_at_ms``. The file beside it holds the bytes as they were.
Reconciliation names these entries; a person may mend what the bytes still show.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from collector.wal.reader import Damage
from collector.wal.segments import segment_file
from jishi.files import append_line, fsync_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NotedDamage:
    """Damage as it was noted; see the module."""

    segment: int
    offset: int
    size: int
    first_seq: int
    next_seq: int


def damage_notes(folder: Path) -> Path:
    """The file of notes of a write-ahead log."""
    return folder / "damaged.jsonl"


def noted_damage(folder: Path) -> list[NotedDamage]:
    """Everything that was noted, in the order of ``first_seq``; the same damage found twice stands once."""
    try:
        lines = damage_notes(folder).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    notes = set()
    for line in lines:
        try:
            note = orjson.loads(line)
            notes.add(NotedDamage(**{name: int(note[name]) for name in NotedDamage.__dataclass_fields__}))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue  # a line that a crash cut off; the damage is found and noted again
    return sorted(notes, key=lambda note: (note.first_seq, note.next_seq))


def set_aside(folder: Path, damage: Damage) -> None:
    """Keep the damaged bytes and note them, once; both are on disk when this returns. Raises OSError."""
    note = NotedDamage(damage.segment, damage.offset, damage.size, damage.first_seq, damage.next_seq)
    if note in noted_damage(folder):
        return
    kept = folder / f"damaged-{damage.segment:020d}-{damage.offset}.bin"
    if damage.size:
        with segment_file(folder, damage.segment).open("rb") as source:
            data = os.pread(source.fileno(), damage.size, damage.offset)
        with kept.open("wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
    fields = {name: getattr(note, name) for name in NotedDamage.__dataclass_fields__}
    append_line(damage_notes(folder), orjson.dumps(fields | {"found_at_ms": time.time_ns() // 1_000_000}).decode())
    fsync_folder(folder)
    log.error(
        "%s: entries %d to %d cannot be read (byte %d); what is there of them (%d bytes) is kept in %s, reading goes on behind",
        segment_file(folder, damage.segment),
        damage.first_seq,
        damage.next_seq - 1,
        damage.offset,
        damage.size,
        kept.name if damage.size else "no file",
    )
