"""How many events of each shop were acknowledged, counted from the write-ahead log alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import orjson

from collector.ledger import RetiredLedger, ledger_file, read_ledger
from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position, WalCorrupt, segment_file, segment_starts
from jishi.files import write_atomically


def count_accepted(folder: Path) -> dict[str, int]:
    """Acknowledged events by shop. Works beside a running collector and a running forwarder.

    Sealed segments are counted once and remembered; those that were deleted are counted in the ledger.
    Raises WalCorrupt when a segment or the ledger is damaged or missing.
    """
    ledger = read_ledger(folder)
    while True:
        try:
            return dict(sorted(_count_all(folder, ledger).items()))
        except (WalCorrupt, FileNotFoundError) as error:
            before, ledger = ledger, read_ledger(folder)
            if ledger != before:
                continue  # a segment was deleted under our eyes; the ledger has its counts now
            if isinstance(error, WalCorrupt):
                raise
            raise WalCorrupt(f"{error.filename} is missing; bring it back from a backup") from None


def _count_all(folder: Path, ledger: RetiredLedger) -> Counter[str]:
    durable = read_durable(folder)
    starts = [start for start in segment_starts(folder) if start >= ledger.upto]
    if durable is None:
        if starts or ledger.upto:
            raise WalCorrupt(
                f"{folder / 'durable'} is missing beside segments; start the collector once, it writes the file anew"
            )
        return Counter()
    starts = [start for start in starts if start <= durable.segment]
    if not starts or starts[-1] != durable.segment:
        raise WalCorrupt(f"{segment_file(folder, durable.segment)} is missing; bring it back from a backup")
    if starts[0] != ledger.upto:
        raise WalCorrupt(
            f"events {ledger.upto} to {starts[0] - 1} are neither in a segment nor counted in {ledger_file(folder)}; "
            "bring the missing file back from a backup"
        )
    total = Counter(ledger.shops)
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        total += _count(folder, start, durable) if following is None else count_sealed(folder, start, following)
    return total


def count_sealed(folder: Path, start: int, following: int) -> Counter[str]:
    """Counts of a sealed segment, behind which the log goes on with ``following``; from its sidecar file when there is one."""
    file = segment_file(folder, start)
    size = file.stat().st_size
    sidecar = counts_file(folder, start)
    if sidecar.exists():
        remembered = json.loads(sidecar.read_text())
        if remembered["bytes"] == size:
            return Counter(remembered["shops"])
    counts = _count(folder, start, Position(start, size, following))
    write_atomically(sidecar, json.dumps({"bytes": size, "shops": counts}))
    return counts


def counts_file(folder: Path, start: int) -> Path:
    """Sidecar of a sealed segment that remembers its counts."""
    return segment_file(folder, start).with_suffix(".counts.json")


def _count(folder: Path, start: int, end: Position) -> Counter[str]:
    counts: Counter[str] = Counter()
    position = Position(start, 0, start)
    while entries := read_entries(folder, position, end):
        counts.update(orjson.loads(entry.body)["shop_id"] for entry in entries)
        position = entries[-1].after
    if position != end:
        raise WalCorrupt(
            f"{segment_file(folder, start)} holds events up to seq {position.seq - 1}, but the log goes on with {end.seq}; "
            "bring it back from a backup"
        )
    return counts
