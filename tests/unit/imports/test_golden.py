"""The golden case of landing: lines in, bronze rows out."""

from __future__ import annotations

import json
from pathlib import Path

from imports.bronze import LineCounts, bronze_rows

CASE = Path(__file__).parents[2] / "golden" / "landing_history"


def test_history_lines_become_the_expected_bronze_rows():
    lines = (CASE / "events.jsonl").read_bytes().splitlines()
    rows = list(bronze_rows(lines, LineCounts(), shop_id="s", first_seq=0))
    assert [row.pop("line") for row in rows] == [line.decode() for line in lines]
    assert [{k: v for k, v in row.items() if v is not None} for row in rows] == json.loads((CASE / "expect.json").read_text())
