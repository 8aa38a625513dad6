"""The job goes on from the newest complete checkpoint of any earlier run."""

from __future__ import annotations

import os
from pathlib import Path

from flink_jobs.checkpoints import Handover, Origin, drop_checkpoints_of_other_runs, newest_checkpoint, origin


def checkpoint(folder: Path, run: str, number: int, *, at: int, complete: bool = True) -> Path:
    built = folder / run / f"chk-{number}"
    built.mkdir(parents=True)
    if complete:
        (built / "_metadata").write_text("")
        os.utime(built / "_metadata", (at, at))
    return built


def test_none_at_first(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "absent") is None


def test_an_incomplete_checkpoint_is_none(tmp_path: Path) -> None:
    older = checkpoint(tmp_path, "run1", 9, at=100)
    checkpoint(tmp_path, "run1", 10, at=200, complete=False)
    assert newest_checkpoint(tmp_path) == older


def test_the_newest_counts_across_runs_whatever_its_number(tmp_path: Path) -> None:
    checkpoint(tmp_path, "run1", 10, at=100)
    newer = checkpoint(tmp_path, "run2", 2, at=200)
    assert newest_checkpoint(tmp_path) == newer


def test_of_one_moment_the_higher_number_counts(tmp_path: Path) -> None:
    checkpoint(tmp_path, "run1", 9, at=100)
    higher = checkpoint(tmp_path, "run1", 10, at=100)
    assert newest_checkpoint(tmp_path) == higher


def test_earlier_runs_are_dropped_only_when_the_new_one_has_its_own(tmp_path: Path) -> None:
    checkpoint(tmp_path, "run1", 10, at=100)
    checkpoint(tmp_path, "run2", 11, at=200, complete=False)
    drop_checkpoints_of_other_runs(tmp_path, "run2")
    assert (tmp_path / "run1").exists()
    checkpoint(tmp_path, "run2", 12, at=300)
    drop_checkpoints_of_other_runs(tmp_path, "run2")
    assert [run.name for run in tmp_path.iterdir()] == ["run2"]


def handover(flink: Path, name: str, *, at: int | None, may_drop_state: bool = False) -> Handover:
    built = Handover(flink / "savepoints" / name, may_drop_state, ("new", "old"))
    built.folder.mkdir(parents=True)
    built.note(flink)
    if at is not None:
        (built.folder / "savepoint-1").mkdir()
        (built.folder / "savepoint-1" / "_metadata").write_text("")
        os.utime(built.folder / "savepoint-1" / "_metadata", (at, at))
    return built


def test_an_upgrade_goes_on_from_its_savepoint(tmp_path: Path) -> None:
    built = handover(tmp_path, "s1", at=200, may_drop_state=True)
    result = origin(tmp_path / "new", tmp_path)
    assert result is not None
    assert (result.path, result.may_drop_state) == (built.folder / "savepoint-1", True)


def test_until_the_savepoint_is_complete_the_checkpoint_counts(tmp_path: Path) -> None:
    newest = checkpoint(tmp_path / "old", "run1", 10, at=100)
    handover(tmp_path, "s1", at=None)
    result = origin(tmp_path / "old", tmp_path)
    assert result is not None
    assert (result.path, result.may_drop_state) == (newest, False)


def test_a_checkpoint_made_after_the_savepoint_counts(tmp_path: Path) -> None:
    handover(tmp_path, "s1", at=200, may_drop_state=True)
    newest = checkpoint(tmp_path / "old", "run2", 3, at=300)
    result = origin(tmp_path / "old", tmp_path)
    assert result is not None
    assert (result.path, result.may_drop_state) == (newest, False)


def test_another_job_than_those_of_the_upgrade_does_not_take_its_savepoint(tmp_path: Path) -> None:
    handover(tmp_path, "s1", at=200)
    assert origin(tmp_path / "third", tmp_path) is None


def test_savepoints_of_earlier_upgrades_are_dropped(tmp_path: Path) -> None:
    handover(tmp_path, "s1", at=200)
    second = handover(tmp_path, "s2", at=300)
    assert list((tmp_path / "savepoints").iterdir()) == [second.folder]
    assert Handover.noted(tmp_path) == second


def test_a_state_is_as_old_as_its_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "job" / "chk-3"
    folder.mkdir(parents=True)
    (folder / "_metadata").touch()
    os.utime(folder / "_metadata", (1_000, 1_000))
    assert Origin(folder, "a checkpoint").age_s(now_s=4_660) == 3_660
    assert Origin(folder, "a checkpoint").age_s(now_s=900) == 0
