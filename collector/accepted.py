"""How many events of each shop were acknowledged, counted from the write-ahead log alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import orjson

from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position, WalCorrupt, segment_file, segment_starts
from jishi.lake import write_atomically


def count_accepted(folder: Path) -> dict[str, int]:
    """Acknowledged events by shop. Works beside a running collector; sealed segments are counted once and remembered.

    Raises WalCorrupt when a segment is damaged or missing.
    """
    durable = read_durable(folder)
    if durable is None:
        if segment_starts(folder):
            raise WalCorrupt(
                f"{folder / 'durable'} is missing beside segments; start the collector once, it writes the file anew"
            )
        return {}
    total: Counter[str] = Counter()
    starts = [start for start in segment_starts(folder) if start <= durable.segment]
    if not starts or starts[-1] != durable.segment:
        raise WalCorrupt(f"{segment_file(folder, durable.segment)} is missing; bring it back from a backup")
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        if following is None:
            total += _count(folder, start, durable)
        else:
            total += _count_sealed(folder, start, following)
    return dict(sorted(total.items()))


def _count_sealed(folder: Path, start: int, following: int) -> Counter[str]:
    file = segment_file(folder, start)
    size = file.stat().st_size
    sidecar = file.with_suffix(".counts.json")
    if sidecar.exists():
        remembered = json.loads(sidecar.read_text())
        if remembered["bytes"] == size:
            return Counter(remembered["shops"])
    counts = _count(folder, start, Position(start, size, following))
    write_atomically(sidecar, json.dumps({"bytes": size, "shops": counts}))
    return counts


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
