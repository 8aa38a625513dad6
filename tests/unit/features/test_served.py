"""The log of values that serving used: its sample and its lines."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from jishi.features.served import Served, ServedValueUnreadable, is_sampled, read_served

READ = Served("a", "人", "last_items", ["i1"], 1_788_220_799_000, 1_788_220_800_000)
ON = date(2026, 9, 1)


def test_the_sample_is_a_share_of_all_reads_and_the_same_for_the_same_read() -> None:
    reads = [("a", f"p{n % 50}", n) for n in range(20_000)]
    assert not any(is_sampled(*read, 0.0) for read in reads)
    assert all(is_sampled(*read, 1.0) for read in reads)
    sampled = [read for read in reads if is_sampled(*read, 0.25)]
    assert 0.24 < len(sampled) / len(reads) < 0.26
    assert len({person for _, person, _ in sampled}) == 50
    assert sampled == [read for read in reads if is_sampled(*read, 0.25)]


def test_a_line_is_read_as_it_was_written_and_a_cut_one_is_not_read(tmp_path: Path) -> None:
    assert READ.read_on == ON
    (tmp_path / "2026-09-01").mkdir()
    (tmp_path / "2026-09-01" / "1.jsonl").write_bytes(READ.line() * 2 + READ.line()[:20])
    assert list(read_served(tmp_path, ON)) == [READ, READ]
    assert list(read_served(tmp_path, date(2026, 9, 2))) == []


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"shop_id": "a"}'])
def test_a_line_that_is_no_value_is_named(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "2026-09-01").mkdir()
    (tmp_path / "2026-09-01" / "1.jsonl").write_bytes(READ.line() + line + b"\n")
    with pytest.raises(ServedValueUnreadable, match=r"1\.jsonl, line 2"):
        list(read_served(tmp_path, ON))
