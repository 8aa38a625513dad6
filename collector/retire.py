"""Delete segments that the event log has, without losing count of what was in them.

One segment at a time, oldest first: count it; take its counts into the ledger, which replaces the old one in one step; make
the ledger and the forwarder's position durable; delete the segment, then its sidecar. A crash leaves either the old ledger and
the segment, or the new ledger and a segment that nobody counts any more and the next run deletes.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from collector.accepted import chunks_of, count_sealed, counts_file, lost_before
from collector.catalogue_store import snapshot_upto
from collector.ledger import EntryCounts, read_ledger, write_ledger
from collector.wal.damage import set_aside
from collector.wal.segments import Position, segment_file, segment_starts
from jishi.files import fsync_folder


def retire_segments(folder: Path, *, forwarded: Position, durable: Position, keep_s: float, now_s: float) -> int:
    """Delete the sealed segments whose every event is before ``forwarded`` and that were last written ``keep_s`` ago.

    ``forwarded`` is the position that the forwarder has saved: it never reads before it again. Nor is a segment deleted whose
    changes of items the collector's snapshot of the catalogue has not seen. ``now_s`` is the wall clock in
    epoch seconds. What of a segment cannot be read is set aside first. Returns how many were deleted. Raises WalCorrupt when a
    segment is missing that nobody counted, OSError when the disk refuses.
    """
    ledger = read_ledger(folder)
    starts = segment_starts(folder)
    limit = min(forwarded.seq, durable.segment, snapshot_upto(folder))
    deleted = 0
    for start, following in pairwise(starts):
        file = segment_file(folder, start)
        if following > limit or now_s - file.stat().st_mtime < keep_s:
            break
        if start >= ledger.upto:
            counts = count_sealed(folder, start, following)
            if counts.lost:
                set_aside_damage(folder, start, Position(start, file.stat().st_size, following))
            ledger = ledger.taking(following, counts + EntryCounts(lost=lost_before(folder, ledger, start)))
            write_ledger(folder, ledger)
        fsync_folder(folder)
        file.unlink()
        counts_file(folder, start).unlink(missing_ok=True)
        deleted += 1
    for sidecar in folder.glob("segment-*.counts.json"):  # of a segment whose deletion was cut off half way
        if not sidecar.with_name(sidecar.name.removesuffix(".counts.json") + ".log").exists():
            sidecar.unlink(missing_ok=True)
    return deleted


def set_aside_damage(folder: Path, start: int, end: Position) -> None:
    """Set aside what of a segment cannot be read. Raises OSError."""
    for chunk in chunks_of(folder, start, end):
        for damage in chunk.damage:
            set_aside(folder, damage)
