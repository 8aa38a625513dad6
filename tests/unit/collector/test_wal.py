"""The write-ahead log gives back what was appended, survives a tail torn at any byte, and never hides damage."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.accepted import count_accepted
from collector.wal.durable import read_durable
from collector.wal.entries import encode, scan
from collector.wal.reader import first_position, read_entries
from collector.wal.segments import Position, WalCorrupt, WalLocked, segment_file, segment_starts
from collector.wal.writer import WalWriter

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
BATCHES = st.lists(st.lists(TEXT, min_size=1, max_size=6), min_size=1, max_size=6)


def records(lines: Sequence[str], shop_id: str = "a") -> list[Any]:
    return [{"collector_id": "c", "seq": -1, "shop_id": shop_id, "person_id": None, "line": line} for line in lines]


def stored(folder: Path, chunk_bytes: int = 64) -> list[dict[str, Any]]:
    """Everything that a reader may see, read in small chunks."""
    durable = read_durable(folder) or Position()
    position = first_position(folder)
    rows: list[dict[str, Any]] = []
    while entries := read_entries(folder, position, durable, chunk_bytes):
        rows += [orjson.loads(entry.body) for entry in entries]
        position = entries[-1].after
    assert position.seq == durable.seq
    return rows


@given(batches=BATCHES, segment_bytes=st.sampled_from([1, 200, 10_000]), reopen=st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_was_appended_is_read_in_order(batches: list[list[str]], segment_bytes: int, reopen: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wal = WalWriter(folder, segment_bytes)
        identity = wal.collector_id
        for batch in batches:
            if reopen:
                wal.close()
                wal = WalWriter(folder, segment_bytes)
            wal.append(records(batch))
        wal.close()
        assert wal.collector_id == identity
        wanted = [line for batch in batches for line in batch]
        assert [(r["seq"], r["line"]) for r in stored(folder)] == list(enumerate(wanted))
        assert count_accepted(folder) == {"a": len(wanted)}
        assert count_accepted(folder) == {"a": len(wanted)}  # the second time from the sidecars


def test_a_tail_torn_at_any_byte_is_cut_to_the_last_whole_entry(tmp_path: Path) -> None:
    whole = b"".join(encode(record | {"seq": seq}) for seq, record in enumerate(records(["x", "多", "z" * 9])))
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "collector_id").write_text("c" * 32)
        segment_file(folder, 0).write_bytes(whole[:cut])
        wal = WalWriter(folder, 10_000)
        sound = [end for end in ends if end <= cut]
        assert wal.end == Position(0, max(sound, default=0), len(sound))
        assert wal.torn_bytes == cut - max(sound, default=0)
        wal.append(records(["after"]))
        wal.close()
        assert [r["line"] for r in stored(folder)] == [*["x", "多", "z" * 9][: len(sound)], "after"]
        shutil.rmtree(folder)


@given(flip=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
@settings(max_examples=60, deadline=None)
def test_one_flipped_bit_is_found(flip: int, bit: int) -> None:
    lines = [encode(record | {"seq": seq}) for seq, record in enumerate(records(["one", "two", "three"]))]
    whole = bytearray(b"".join(lines))
    at = flip % len(whole)
    whole[at] ^= 1 << bit
    result = scan(bytes(whole), 0)
    assert result.fault is not None
    assert result.end <= at


def test_entries_out_of_sequence_are_found() -> None:
    first, second = (encode(record | {"seq": 7 + 2 * i}) for i, record in enumerate(records(["one", "two"])))
    assert scan(first + second, 7).fault == "an entry with seq 9 where 8 belongs"
    assert scan(first, 7).next_seq == 8


def test_damage_to_what_was_acknowledged_is_no_torn_tail(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 10_000)
    wal.append(records(["one", "two"]))
    wal.close()
    file = segment_file(tmp_path, 0)
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(WalCorrupt, match=r"segment-0+\.log: a torn entry at byte \d+, but events up to seq 1"):
        WalWriter(tmp_path, 10_000)
    with pytest.raises(WalCorrupt, match="ends before byte"):
        count_accepted(tmp_path)


def test_damage_in_a_sealed_segment_names_the_file(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 1)
    for line in ("one", "two", "three"):
        wal.append(records([line]))
    wal.close()
    assert segment_starts(tmp_path) == [0, 1, 2]
    file = segment_file(tmp_path, 1)
    file.write_bytes(file.read_bytes().replace(b"two", b"TWO"))
    with pytest.raises(WalCorrupt, match=file.name):
        count_accepted(tmp_path)
    file.unlink()
    with pytest.raises(WalCorrupt, match=f"{file.name} is missing"):
        stored(tmp_path)


def test_a_missing_log_beside_acknowledged_events_is_refused(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 10_000)
    wal.append(records(["one"]))
    wal.close()
    segment_file(tmp_path, 0).unlink()
    with pytest.raises(WalCorrupt, match="has no segment although 1 events were acknowledged"):
        WalWriter(tmp_path, 10_000)


def test_a_damaged_durable_file_is_written_anew(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 10_000)
    wal.append(records(["one"]))
    wal.close()
    (tmp_path / "durable").write_bytes(b"0" * 72)
    with pytest.raises(WalCorrupt, match="start the collector once"):
        count_accepted(tmp_path)
    WalWriter(tmp_path, 10_000).close()
    assert count_accepted(tmp_path) == {"a": 1}


def test_two_collectors_cannot_share_a_log(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 10_000)
    with pytest.raises(WalLocked, match="used by another running process"):
        WalWriter(tmp_path, 10_000)
    wal.close()
    WalWriter(tmp_path, 10_000).close()


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_failing_disk_leaves_no_trace_and_numbers_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    wal = WalWriter(tmp_path, 10_000)
    wal.append(records(["one"]))
    real = getattr(os, failing)

    def fail(descriptor: int, *data: Any) -> Any:
        if failing == "write":
            real(descriptor, data[0][:3])  # a part arrives, as on a full disk
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space"):
        wal.append(records(["lost", "lost too"]))
    with pytest.raises(OSError, match="No space"):
        wal.probe() if failing == "fsync" else wal.append(records(["lost"]))
    monkeypatch.undo()
    wal.probe()
    wal.append(records(["two"]))
    wal.close()
    assert [(r["seq"], r["line"]) for r in stored(tmp_path)] == [(0, "one"), (1, "two")]


def test_nothing_is_counted_before_the_first_collector_ran(tmp_path: Path) -> None:
    assert count_accepted(tmp_path / "wal") == {}
