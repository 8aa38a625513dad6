"""A backfill goes on after the step that failed, and begins anew when it has ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from jishi.paths import Paths
from ops import backfill
from ops.backfill import Backfill, BackfillFailed, run_backfill
from ops.work_up import NOTHING_TO_DO, WorkStep

DAY = Backfill(date(2026, 11, 20), date(2026, 11, 21), only_marts=True)


class Steps:
    """In place of the processes of the steps: notes which were run, and ends them as the test says."""

    def __init__(self, ends: dict[str, int]) -> None:
        self.ends, self.run, self.series = ends, [], []  # type: ignore[var-annotated]

    def __call__(self, step: WorkStep, paths: Paths, run_id: str, out: int, show: Callable[[float], None]) -> int:
        self.run.append(step.name)
        os.write(out, f"{step.name} ran\n\n".encode())
        self.series += [word.rpartition("@")[2] for word in step.arguments if word.startswith("backfill.")]
        return self.ends.get(step.name, 0)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(var=tmp_path / "var", envs=tmp_path / "envs")


def attempt(paths: Paths, monkeypatch: pytest.MonkeyPatch, **ends: int) -> Steps:
    steps = Steps(ends)
    monkeypatch.setattr(backfill, "run_step", steps)
    run_backfill(paths, DAY, ["a"], Console(file=StringIO()))
    return steps


def test_it_goes_on_where_it_was_and_then_begins_anew(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackfillFailed, match=r"marts.*exit 1\); marts ran; .*run the same command again"):
        attempt(paths, monkeypatch, marts=1)
    resumed = attempt(paths, monkeypatch)
    assert resumed.run == ["marts", "reconcile 2026-11-20", "reconcile 2026-11-21"]
    again = attempt(paths, monkeypatch)
    assert again.run == ["complete 2026-11-20", "complete 2026-11-21", "silver", "decisions", *resumed.run]
    assert again.series == ["1"], "shops that the first backfill has done are done again"


def test_a_day_without_anything_is_no_failure(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(attempt(paths, monkeypatch, marts=NOTHING_TO_DO).run) == 7
