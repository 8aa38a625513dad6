"""A folder of events read as a log gives the rows that the landing step gives for the same lines."""

from __future__ import annotations

from pathlib import Path

from imports.bronze import LineCounts, bronze_rows
from jishi.features.event_log import rows_of_lines

GOLDEN = Path(__file__).parent.parent / "golden" / "landing_history" / "events.jsonl"
POSITION = ("log_partition", "log_offset")


def test_rows_are_those_of_the_landing_step() -> None:
    lines = GOLDEN.read_bytes().splitlines()
    landed = list(bronze_rows(lines, LineCounts(), shop_id="s", first_seq=0))
    read = list(rows_of_lines(lines, "s"))
    assert [{k: v for k, v in row.items() if k not in POSITION} for row in read] == [
        {k: v for k, v in row.items() if k not in POSITION} for row in landed
    ]
