"""How many events of each shop were acknowledged, in all and by day, counted from the write-ahead log alone."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from collector.ledger import EntryCounts, RetiredLedger, ledger_file, read_ledger
from collector.wal.damage import noted_damage
from collector.wal.durable import read_durable
from collector.wal.reader import WalChunk, read_chunk
from collector.wal.segments import Position, WalCorrupt, segment_file, segment_starts
from jishi.files import write_atomically

DAY_MS = 24 * 3600 * 1000


def count_accepted(folder: Path) -> dict[str, int]:
    """Acknowledged events by shop that can be read, or could when they were counted; see ``count_entries``."""
    return dict(sorted(count_entries(folder).shops.items()))


def count_entries(folder: Path) -> EntryCounts:
    """Counts of all that was acknowledged. Works beside a running collector and a running forwarder.

    Sealed segments are counted once and remembered; those that were deleted are counted in the ledger. An entry that cannot be
    read counts as lost. Raises WalCorrupt when the ledger is damaged, or what it does not count is not there.
    """
    ledger = read_ledger(folder)
    while True:
        error: WalCorrupt | None = None
        counts = EntryCounts()
        try:
            counts = _count_all(folder, ledger)
        except WalCorrupt as corrupt:
            error = corrupt
        except FileNotFoundError as missing:
            error = WalCorrupt(f"{missing.filename} is missing; bring it back from a backup")
        before, ledger = ledger, read_ledger(folder)
        if ledger.upto != before.upto:
            continue  # a segment was deleted under our eyes; the ledger has its counts now
        if error is not None:
            raise error
        return counts


def _count_all(folder: Path, ledger: RetiredLedger) -> EntryCounts:
    durable = read_durable(folder)
    starts = [start for start in segment_starts(folder) if start >= ledger.upto]
    if durable is None:
        if starts or ledger.upto:
            raise WalCorrupt(
                f"{folder / 'durable'} is missing beside segments; start the collector once, it writes the file anew"
            )
        return EntryCounts()
    starts = [start for start in starts if start <= durable.segment]
    if not starts or starts[-1] != durable.segment:
        raise WalCorrupt(f"{segment_file(folder, durable.segment)} is missing; bring it back from a backup")
    total = ledger.counts + EntryCounts(lost=lost_before(folder, ledger, starts[0]))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        total += _count(folder, start, durable) if following is None else count_sealed(folder, start, following)
    return total


def acknowledged(folder: Path) -> dict[str, Any]:
    """What this collector has acknowledged, for the reconciliation: its id, how far its numbers go, counts by day, and damage.

    Raises WalCorrupt.
    """
    durable, counts = read_durable(folder) or Position(), count_entries(folder)
    days = counts.as_json()["days"]
    damaged = [{"first_seq": note.first_seq, "next_seq": note.next_seq} for note in noted_damage(folder)]
    collector_id = (folder / "collector_id").read_text(encoding="utf-8").strip()
    return {"collector_id": collector_id, "upto": durable.seq, "days": days, "damaged": damaged}


def find_entries(folder: Path, seqs: Iterable[int]) -> dict[int, str]:
    """``shop_id/event_id`` of the entries of these numbers that are still in a segment and can be read."""
    durable, starts = read_durable(folder) or Position(), segment_starts(folder)
    wanted, names = set(seqs), {}
    for segment in {starts[at - 1] for seq in wanted if (at := bisect_right(starts, seq))}:
        following = next((start for start in starts if start > segment), durable.seq)
        end = (
            durable
            if segment == durable.segment
            else Position(segment, segment_file(folder, segment).stat().st_size, following)
        )
        for chunk in chunks_of(folder, segment, end):
            for entry in chunk.entries:
                if entry.after.seq - 1 in wanted:
                    record = orjson.loads(entry.body)
                    names[entry.after.seq - 1] = f"{record['shop_id']}/{record['event_id']}"
    return names


def lost_before(folder: Path, ledger: RetiredLedger, first: int) -> int:
    """How many entries between the ledger and the oldest segment were noted as lost. Raises WalCorrupt unless all were."""
    absent = range(ledger.upto, first)
    noted = sum(max(0, min(note.next_seq, absent.stop) - max(note.first_seq, absent.start)) for note in noted_damage(folder))
    if noted < len(absent):
        raise WalCorrupt(
            f"events {absent.start} to {absent.stop - 1} are neither in a segment nor counted in {ledger_file(folder)}; "
            "bring the missing file back from a backup"
        )
    return len(absent)


def count_sealed(folder: Path, start: int, following: int) -> EntryCounts:
    """Counts of a sealed segment, behind which the log goes on with ``following``; from its sidecar file when there is one."""
    size = segment_file(folder, start).stat().st_size
    sidecar = counts_file(folder, start)
    if sidecar.exists():
        remembered = json.loads(sidecar.read_text(encoding="utf-8"))
        if remembered["bytes"] == size and "days" in remembered and remembered["following"] == following:
            return EntryCounts.of_json(remembered)
    counts = _count(folder, start, Position(start, size, following))
    write_atomically(sidecar, json.dumps({"bytes": size, "following": following} | counts.as_json()))
    return counts


def counts_file(folder: Path, start: int) -> Path:
    """Sidecar of a sealed segment that remembers its counts."""
    return segment_file(folder, start).with_suffix(".counts.json")


def chunks_of(folder: Path, start: int, end: Position) -> Iterator[WalChunk]:
    """A segment from its start to ``end``, chunk by chunk."""
    position = Position(start, 0, start)
    while position.seq < end.seq:
        chunk = read_chunk(folder, position, end)
        yield chunk
        position = chunk.after


def _count(folder: Path, start: int, end: Position) -> EntryCounts:
    counts = EntryCounts()
    days: dict[int, str] = {}
    for chunk in chunks_of(folder, start, end):
        for entry in chunk.entries:
            record = orjson.loads(entry.body)
            number = record.get("collected_at_ms", 0) // DAY_MS
            day = days.get(number) or days.setdefault(number, f"{datetime.fromtimestamp(number * DAY_MS / 1000, UTC):%Y-%m-%d}")
            counts.add(record["shop_id"], day, record["seq"])
        counts.lost += sum(damage.next_seq - damage.first_seq for damage in chunk.damage)
    return counts
