"""Segments go when the event log has them; what was accepted stays counted, whatever step a crash cuts off."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import pytest

import collector.retire
from collector import accepted, ledger
from collector.accepted import count_accepted, count_entries
from collector.catalogue import ShopCatalogues
from collector.catalogue_store import save_snapshot
from collector.ledger import KEPT_DAYS, ledger_file
from collector.progress import load_position, save_position
from collector.retire import retire_segments
from collector.wal.damage import noted_damage
from collector.wal.durable import read_durable
from collector.wal.reader import first_position, read_entries
from collector.wal.segments import Position, WalCorrupt, segment_file, segment_starts
from collector.wal.writer import WalWriter

LATER = 4e9  # a clock at which every segment is old


class Crash(BaseException):
    """The machine stopped here."""


def fill(folder: Path, batches: int) -> Position:
    """A log of one event of shop a and two of shop b a batch, every batch in a segment of its own."""
    wal = WalWriter(folder, 1)
    for _ in range(batches):
        records: list[Any] = [{"collector_id": "c", "seq": -1, "shop_id": shop, "person_id": None} for shop in "abb"]
        wal.append(records)
    wal.close()
    durable = read_durable(folder)
    assert durable is not None
    save_snapshot(folder, ShopCatalogues(), durable.seq)
    return durable


def retire(folder: Path, forwarded: Position, keep_s: float = 0) -> int:
    return retire_segments(folder, forwarded=forwarded, durable=read_durable(folder) or Position(), keep_s=keep_s, now_s=LATER)


def test_what_the_event_log_has_is_deleted_and_stays_counted(tmp_path: Path) -> None:
    durable = fill(tmp_path, 5)
    assert segment_starts(tmp_path) == [0, 3, 6, 9, 12]
    assert retire(tmp_path, Position(3, 10, 5)) == 1, "the second segment is forwarded in part"
    assert segment_starts(tmp_path) == [3, 6, 9, 12]
    assert count_accepted(tmp_path) == {"a": 5, "b": 10}
    assert retire(tmp_path, durable) == 3, "the one that is written stays"
    assert retire(tmp_path, durable) == 0
    assert segment_starts(tmp_path) == [12]
    assert count_accepted(tmp_path) == {"a": 5, "b": 10}
    assert sorted(file.name for file in tmp_path.iterdir() if "counts" in file.name) == ["deleted.counts"]
    fill(tmp_path, 2)
    assert count_accepted(tmp_path) == {"a": 7, "b": 14}


def test_what_is_not_forwarded_or_young_stays(tmp_path: Path) -> None:
    durable = fill(tmp_path, 3)
    assert retire(tmp_path, Position()) == 0
    young = os.stat(segment_file(tmp_path, 3)).st_mtime
    os.utime(segment_file(tmp_path, 0), (1, 1))
    result = retire_segments(tmp_path, forwarded=durable, durable=durable, keep_s=60, now_s=young + 59)
    assert (result, segment_starts(tmp_path)) == (1, [3, 6])


def test_what_the_catalogue_has_not_seen_stays(tmp_path: Path) -> None:
    durable = fill(tmp_path, 3)
    save_snapshot(tmp_path, ShopCatalogues(), 5)
    assert retire(tmp_path, durable) == 1
    assert segment_starts(tmp_path) == [3, 6]


def test_the_forwarder_reads_on_behind_a_deleted_segment(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    end_of_first = Position(0, segment_file(tmp_path, 0).stat().st_size, 3)
    save_position(tmp_path, end_of_first)
    assert retire(tmp_path, end_of_first) == 1
    durable = read_durable(tmp_path) or Position()
    entries = read_entries(tmp_path, load_position(tmp_path), durable)
    assert [orjson.loads(entry.body)["seq"] for entry in entries] == [3, 4, 5]
    (tmp_path / "forwarded.json").unlink()
    assert load_position(tmp_path) == first_position(tmp_path) == Position(3, 0, 3)


STEPS: list[tuple[Any, str]] = [
    (accepted, "write_atomically"),  # the sidecar
    (ledger, "write_atomically"),
    (collector.retire, "fsync_folder"),
    (Path, "unlink"),  # the segment, then the sidecar
]


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(12))
def test_a_crash_at_any_step_neither_loses_nor_doubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_done: bool
) -> None:
    durable = fill(tmp_path, 4)
    wanted = {"a": 4, "b": 8}
    steps: list[str] = []

    def breaking(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            steps.append(name)
            is_crash = len(steps) == number + 1
            if is_crash and not is_done:
                raise Crash
            result = real(*arguments, **options)
            if is_crash:
                raise Crash
            return result

        return step

    with monkeypatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, breaking(name, getattr(owner, name)))
        with pytest.raises(Crash):
            retire(tmp_path, durable)
    assert count_accepted(tmp_path) == wanted
    retire(tmp_path, durable)
    assert count_accepted(tmp_path) == wanted
    assert segment_starts(tmp_path) == [9]
    assert not list(tmp_path.glob("segment-*.counts.json"))


def test_the_crash_test_covers_all_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    durable = fill(tmp_path, 4)
    for owner, name in STEPS:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, _r=real, _n=name, **o: (steps.append(_n), _r(*a, **o))[1])
    retire(tmp_path, durable)
    assert steps == ["write_atomically", "write_atomically", "fsync_folder", "unlink", "unlink"] * 3


def delete_slowly(folder: Path, upto: int) -> None:
    for seq in range(0, upto, 3):
        retire(folder, Position(seq, 0, seq))


def test_counting_beside_the_deletion_is_exact(tmp_path: Path) -> None:
    durable = fill(tmp_path, 120)
    forwarder = get_context("spawn").Process(target=delete_slowly, args=(tmp_path, durable.segment))
    forwarder.start()
    counts = 0
    while forwarder.is_alive():
        assert count_accepted(tmp_path) == {"a": 120, "b": 240}
        counts += 1
    forwarder.join()
    assert forwarder.exitcode == 0
    assert counts > 2
    assert len(segment_starts(tmp_path)) <= 2
    assert count_accepted(tmp_path) == {"a": 120, "b": 240}


def test_a_ledger_that_is_damaged_or_gone_is_told(tmp_path: Path) -> None:
    durable = fill(tmp_path, 3)
    retire(tmp_path, durable)
    file = ledger_file(tmp_path)
    sound = file.read_text()
    file.write_text(sound.replace('"a": 2', '"a": 3', 1))
    with pytest.raises(WalCorrupt, match=r"deleted\.counts is damaged"):
        count_accepted(tmp_path)
    file.unlink()
    with pytest.raises(WalCorrupt, match="events 0 to 5 are neither in a segment nor counted"):
        count_accepted(tmp_path)
    file.write_text(sound)
    assert count_accepted(tmp_path) == {"a": 3, "b": 6}


def test_what_is_damaged_is_set_aside_before_its_segment_goes(tmp_path: Path) -> None:
    durable = fill(tmp_path, 3)
    file = segment_file(tmp_path, 0)
    file.write_bytes(file.read_bytes().replace(b'"shop_id":"a"', b'"shop_id":"x"'))
    assert retire(tmp_path, durable) == 2
    [note] = noted_damage(tmp_path)
    assert (note.first_seq, note.next_seq) == (0, 1)
    assert b'"shop_id":"x"' in next(tmp_path.glob("damaged-*.bin")).read_bytes()
    counts = count_entries(tmp_path)
    assert (dict(counts.shops), counts.lost) == ({"a": 2, "b": 6}, 1)


def test_days_of_deleted_segments_stay_counted_and_old_ones_are_summed(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 1)
    for day in range(60):
        wal.append([{"collector_id": "c", "seq": -1, "shop_id": "a", "collected_at_ms": day * 86_400_000}])  # type: ignore[list-item]
    wal.close()
    durable = read_durable(tmp_path) or Position()
    save_snapshot(tmp_path, ShopCatalogues(), durable.seq)
    retire(tmp_path, durable)
    counts = count_entries(tmp_path)
    assert dict(counts.shops) == {"a": 60}
    assert len(counts.days) == KEPT_DAYS + 1  # and the day of the segment that is still there
    assert (counts.days["1970-02-28"].first, counts.days["1970-02-28"].upto) == (58, 59)
