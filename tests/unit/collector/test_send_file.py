"""A file of events is cut into requests line by line; only a line that would tear its neighbours stops it."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.send import SendFailed, _batches


def test_odd_lines_are_sent_for_the_collector_to_refuse(tmp_path: Path) -> None:
    lines = [b'{"event_id":"a"}', rb'{"event_id":"cut \ud83d"}', b'{"event_id":"n","x":1e999}', b'{"a":1,"a":2}']
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([*lines, b"", b""]))
    assert list(_batches(file, 3)) == [lines[:3], lines[3:]]


@pytest.mark.parametrize("torn", [b'{"event_id":"b"', b"[1]]", b'"'])
def test_a_torn_line_is_named(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"event_id":"a"}\n' + torn + b"\n")
    with pytest.raises(SendFailed, match="line 2"):
        list(_batches(file, 100))
