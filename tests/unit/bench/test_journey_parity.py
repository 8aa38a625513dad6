"""The record of proved parts: what is proved again and what is not."""

from __future__ import annotations

import json
from pathlib import Path

from bench.journey_parity import proved


def line(part: int, *, parts: int = 10, engines: tuple[str, ...] = ("spark", "flink"), differ: int = 0) -> dict[str, object]:
    return {"part": part, "parts": parts, "engines": list(engines), "differ": differ}


def test_a_part_counts_only_for_its_own_division_and_engines(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    rows = [line(0), line(1, parts=20), line(2, engines=("spark",)), line(3, differ=1), line(3)]
    record.write_text("".join(json.dumps(one) + "\n" for one in rows))

    assert proved(record, 10, ["spark", "flink"]) == {0: line(0), 3: line(3)}


def test_nothing_is_proved_without_a_record(tmp_path: Path) -> None:
    assert proved(None, 10, ["spark"]) == {}
    assert proved(tmp_path / "none.jsonl", 10, ["spark"]) == {}
