"""``make survive`` ends with one page: each part with whether it held, and the stages' tests added up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaos import crash_report

STAGE: dict[str, Any] = {"stage": "lake", "writes": 208, "kinds": {"write": 200, "rename": 8}}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(crash_report, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(crash_report, "PAGE", tmp_path / "survive.md")
    return tmp_path / "survive.md"


def write(folder: Path, parts: list[tuple[str, int | str, int]]) -> tuple[Path, Path, str]:
    tried = [
        STAGE | {"points": 100, "killed": 99, "met": 10, "reads": 50},
        STAGE | {"filled": 11, "reads": 7},
        STAGE | {"stage": "rules", "points": 5},
    ]
    rows, done = folder / "rows", folder / "parts"
    rows.write_text("".join(json.dumps(each) + "\n" for each in tried))
    done.write_text("".join(f"{title}\t{code}\t{seconds}\t2026-12-03 01:02\tcommand -x\n" for title, code, seconds in parts))
    return rows, done, "abc1234"


def test_a_stage_has_one_row_of_what_its_tests_did_together(page: Path, tmp_path: Path) -> None:
    assert crash_report.main(*write(tmp_path, [("a week's pause", 0, 90)])) == 0
    assert "| lake | 208 | 100 | 99 | 11 | 10 | 0 | 57 |" in page.read_text()
    assert "**Together 105 points, 11 full disks, 10 meetings and 57 reads**" in page.read_text()
    assert "| a week's pause | held | 2 | 2026-12-03 01:02 |" in page.read_text()


def test_a_part_that_did_not_hold_is_named_and_fails_the_run(page: Path, tmp_path: Path) -> None:
    assert crash_report.main(*write(tmp_path, [("kills", 1, 600), ("soak", 0, 60)])) == 1
    assert "| kills | **did not hold** | 10 | 2026-12-03 01:02 |" in page.read_text()
    assert "| soak | held | 1 | 2026-12-03 01:02 |" in page.read_text()


def test_a_part_that_was_left_out_is_not_taken_for_one_that_held(page: Path, tmp_path: Path) -> None:
    assert crash_report.main(*write(tmp_path, [("kills", "not-run", 0), ("soak", 0, 60)])) == 1
    assert "| kills | not run | | |" in page.read_text()
