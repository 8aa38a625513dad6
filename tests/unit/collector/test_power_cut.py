"""The machine loses power at any sync of the write-ahead log: what was acknowledged is there, once, in order."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from collector.wal.durable import read_durable
from collector.wal.reader import read_entries
from collector.wal.segments import Position
from collector.wal.writer import WalWriter
from tests.power_cut import Disk, PowerCutError

CUTS, MOST_SYNCS = 120, 14
SEGMENT_BYTES = 300  # a new one every few batches


def event_ids(folder: Path) -> list[str]:
    """Those that a reader gets, in its order."""
    durable, at, ids = read_durable(folder), Position(), list[str]()
    assert durable is not None
    while entries := read_entries(folder, at, durable):
        at = entries[-1].after
        ids += [json.loads(entry.body)["event_id"] for entry in entries]
    return ids


def test_no_acknowledged_event_is_lost_at_any_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, left = random.Random(11), 0

    def before_sync() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise PowerCutError

    disk, folder = Disk(monkeypatch, before_sync), tmp_path / "wal"
    acknowledged: list[str] = []
    cuts = 0
    for number in range(CUTS):
        left = chance.randrange(MOST_SYNCS)
        writer = None
        try:
            writer = WalWriter(folder, SEGMENT_BYTES)
            for batch in range(6):
                events = [f"{number}-{batch}-{place}" for place in range(chance.randint(1, 3))]
                records: Any = [{"collector_id": writer.collector_id, "seq": 0, "event_id": each} for each in events]
                writer.append(records)
                acknowledged += events
        except PowerCutError:
            cuts += 1
        if writer is not None:
            writer.close()
        disk.cut_back(folder)
        left = 1_000
        WalWriter(folder, SEGMENT_BYTES).close()
        there = event_ids(folder)
        assert [each for each in there if each in set(acknowledged)] == acknowledged, f"after cut {number}"
        assert max(Counter(there).values(), default=1) == 1
        acknowledged = there  # what was not acknowledged and is there may not go any more
    assert cuts > CUTS // 2
    assert len(acknowledged) > CUTS
