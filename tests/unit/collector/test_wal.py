"""The write-ahead log gives back what was appended, survives a tail torn at any byte, and never cuts or hides damage."""

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

from collector.accepted import count_accepted, count_entries
from collector.progress import save_position
from collector.wal.damage import noted_damage
from collector.wal.durable import DurableFile, read_durable
from collector.wal.entries import encode, scan, sound_entries
from collector.wal.reader import first_position, read_chunk, read_entries
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
        sound = [end for end in ends if end <= cut]
        acknowledge(folder, Position(0, max(sound, default=0), len(sound)))
        wal = WalWriter(folder, 10_000)
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
    assert result.has_damage or result.lines_behind
    spoiled = next(i for i in range(3) if at < sum(map(len, lines[: i + 1])))
    behind = 2 if at == sum(map(len, lines[: spoiled + 1])) - 1 else 1  # a lost line end costs the next entry, too
    expected = [seq for seq in range(3) if not spoiled <= seq < spoiled + behind]
    assert [entry.seq for entry in sound_entries(bytes(whole), 0)] == expected


def acknowledge(folder: Path, position: Position) -> None:
    durable = DurableFile(folder)
    durable.write(position)
    durable.close()


def written(folder: Path, lines: Sequence[str], segment_bytes: int = 10_000) -> None:
    wal = WalWriter(folder, segment_bytes)
    for line in lines:
        wal.append(records([line]))
    wal.close()


def test_one_changed_byte_costs_one_entry_which_is_set_aside_and_named(tmp_path: Path) -> None:
    written(tmp_path, ["one", "two", "three"])
    file = segment_file(tmp_path, 0)
    bad = file.read_bytes().replace(b'"two"', b'"tWo"')
    file.write_bytes(bad)
    wal = WalWriter(tmp_path, 10_000)
    assert wal.torn_bytes == 0
    wal.append(records(["four"]))
    wal.close()
    assert file.read_bytes().startswith(bad), "never cut"
    assert [(r["seq"], r["line"]) for r in stored(tmp_path)] == [(0, "one"), (2, "three"), (3, "four")]
    [note] = noted_damage(tmp_path)
    assert (note.first_seq, note.next_seq) == (1, 2)
    [kept] = tmp_path.glob("damaged-*.bin")
    assert b'"tWo"' in kept.read_bytes()
    counts = count_entries(tmp_path)
    assert (dict(counts.shops), counts.lost) == ({"a": 3}, 1)
    WalWriter(tmp_path, 10_000).close()
    assert len(noted_damage(tmp_path)) == 1, "noted once"


@pytest.mark.parametrize("spoil", [lambda data: data[:-5], lambda data: data[:-40] + b"\0" * 40, lambda data: b"", None])
def test_numbers_of_acknowledged_entries_are_never_given_again(tmp_path: Path, spoil: Any) -> None:
    written(tmp_path, ["one", "two"])
    file = segment_file(tmp_path, 0)
    before = file.read_bytes()
    if spoil is None:
        file.unlink()
    else:
        file.write_bytes(spoil(before))
    wal = WalWriter(tmp_path, 10_000)
    assert wal.end.seq == 2
    wal.append(records(["three"]))
    wal.close()
    rows = [(r["seq"], r["line"]) for r in stored(tmp_path)]
    assert rows[-1] == (2, "three")
    assert set(rows) <= {(0, "one"), (1, "two"), (2, "three")}
    lost = {seq for note in noted_damage(tmp_path) for seq in range(note.first_seq, note.next_seq)}
    assert lost == {0, 1, 2} - {seq for seq, _ in rows}
    assert count_entries(tmp_path).lost == len(lost)
    if spoil is not None:
        assert file.read_bytes() == spoil(before), "never cut"


def test_without_the_durable_file_nothing_is_cut(tmp_path: Path) -> None:
    written(tmp_path, ["one", "two", "three"])
    file = segment_file(tmp_path, 0)
    torn = file.read_bytes()[:-5]
    file.write_bytes(torn)
    (tmp_path / "durable").unlink()
    wal = WalWriter(tmp_path, 10_000)
    assert wal.torn_bytes == 0
    assert wal.end.seq == 3, "the torn entry may have been acknowledged, so its number is spent"
    wal.close()
    assert file.read_bytes() == torn
    assert [(note.first_seq, note.next_seq) for note in noted_damage(tmp_path)] == [(2, 3)]


def test_numbers_that_the_forwarder_knows_are_spent(tmp_path: Path) -> None:
    written(tmp_path, ["one", "two"])
    save_position(tmp_path, read_durable(tmp_path) or Position())
    segment_file(tmp_path, 0).unlink()
    (tmp_path / "durable").unlink()
    wal = WalWriter(tmp_path, 10_000)
    assert wal.end.seq == 2
    wal.close()


def test_a_segment_that_others_cut_is_left_for_a_new_one(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 10_000)
    wal.append(records(["one", "two"]))
    os.truncate(segment_file(tmp_path, 0), 10)
    wal.append(records(["three"]))
    wal.close()
    assert [(r["seq"], r["line"]) for r in stored(tmp_path)] == [(2, "three")]


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_every_entry_is_read_or_named_whatever_was_spoiled(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = data.draw(st.lists(TEXT, min_size=1, max_size=12))
        written(folder, lines, data.draw(st.sampled_from([1, 200, 10_000])))
        for start in segment_starts(folder):
            bad = bytearray(segment_file(folder, start).read_bytes())
            for at in data.draw(st.lists(st.integers(0, max(0, len(bad) - 1)), max_size=2)):
                bad[at] ^= data.draw(st.integers(1, 255))
            cut = data.draw(st.sampled_from([0, 0, 1, 30]))
            segment_file(folder, start).write_bytes(bytes(bad)[: max(0, len(bad) - cut)])
        wal = WalWriter(folder, 10_000)
        wal.append(records(["after"]))
        wal.close()
        durable = read_durable(folder) or Position()
        assert durable.seq == len(lines) + 1
        position, read, lost = first_position(folder), [], []
        while position.seq < durable.seq:
            chunk = read_chunk(folder, position, durable, data.draw(st.sampled_from([16, 64, 2**20])))
            read += [orjson.loads(entry.body) for entry in chunk.entries]
            lost += [seq for damage in chunk.damage for seq in range(damage.first_seq, damage.next_seq)]
            position = chunk.after
        assert sorted([*(r["seq"] for r in read), *lost]) == list(range(len(lines) + 1))
        assert all(r["line"] == [*lines, "after"][r["seq"]] for r in read)
        assert count_entries(folder).lost == len(lost)


def test_damage_in_a_sealed_segment_and_a_missing_one_cost_their_own_entries(tmp_path: Path) -> None:
    wal = WalWriter(tmp_path, 1)
    for line in ("one", "two", "three"):
        wal.append(records([line]))
    wal.close()
    assert segment_starts(tmp_path) == [0, 1, 2]
    file = segment_file(tmp_path, 1)
    file.write_bytes(file.read_bytes().replace(b"two", b"TWO"))
    assert (count_accepted(tmp_path), count_entries(tmp_path).lost) == ({"a": 2}, 1)
    file.unlink()
    assert [r["seq"] for r in stored(tmp_path)] == [0, 2]
    assert (count_accepted(tmp_path), count_entries(tmp_path).lost) == ({"a": 2}, 1)


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
