"""The job goes on from the newest complete checkpoint of any earlier run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("pyarrow", reason="runs in the flink environment")

from flink_jobs.checkpoints import (
    Handover,
    Origin,
    drop_checkpoints_of_other_runs,
    drop_other_computations,
    newest_checkpoint,
    of_job,
    origin,
)
from flink_jobs.state_folder import StateFolder, StateSettingWrong, StoredState
from jishi.paths import Paths
from jishi.settings import Settings

on_disk = StateFolder.on_disk


def checkpoint(folder: Path, run: str, number: int, *, at: int, complete: bool = True) -> StoredState:
    built = folder / run / f"chk-{number}"
    built.mkdir(parents=True)
    if complete:
        (built / "_metadata").write_text("")
        os.utime(built / "_metadata", (at, at))
    return StoredState(built.as_uri(), at * 10**9)


def test_none_at_first(tmp_path: Path) -> None:
    assert newest_checkpoint(on_disk(tmp_path / "absent")) is None


def test_an_incomplete_checkpoint_is_none(tmp_path: Path) -> None:
    older = checkpoint(tmp_path, "run1", 9, at=100)
    checkpoint(tmp_path, "run1", 10, at=200, complete=False)
    assert newest_checkpoint(on_disk(tmp_path)) == older


def test_the_newest_counts_across_runs_whatever_its_number(tmp_path: Path) -> None:
    checkpoint(tmp_path, "run1", 10, at=100)
    newer = checkpoint(tmp_path, "run2", 2, at=200)
    assert newest_checkpoint(on_disk(tmp_path)) == newer


def test_of_one_moment_the_higher_number_counts(tmp_path: Path) -> None:
    checkpoint(tmp_path, "run1", 9, at=100)
    higher = checkpoint(tmp_path, "run1", 10, at=100)
    assert newest_checkpoint(on_disk(tmp_path)) == higher


def test_earlier_runs_are_dropped_only_when_the_new_one_has_its_own(tmp_path: Path) -> None:
    checkpoint(tmp_path, "run1", 10, at=100)
    checkpoint(tmp_path, "run2", 11, at=200, complete=False)
    drop_checkpoints_of_other_runs(on_disk(tmp_path), "run2")
    assert (tmp_path / "run1").exists()
    checkpoint(tmp_path, "run2", 12, at=300)
    drop_checkpoints_of_other_runs(on_disk(tmp_path), "run2")
    assert [run.name for run in tmp_path.iterdir()] == ["run2"]


def test_states_of_other_computations_go_when_the_log_has_nothing_so_old(tmp_path: Path) -> None:
    jobs = tmp_path / "checkpoints"
    for job, at in (("old", 100), ("young", 300), ("running", 100)):
        checkpoint(jobs / job, "run1", 1, at=at)
    checkpoint(jobs / "never", "run1", 1, at=300, complete=False)
    drop_other_computations(on_disk(tmp_path), "running", before_s=200)
    assert sorted(job.name for job in jobs.iterdir()) == ["running", "young"]


def handover(flink: Path, name: str, *, at: int | None, may_drop_state: bool = False) -> Handover:
    states = on_disk(flink)
    built = Handover.named(states, name, may_drop_state, ("new", "old"))
    folder = flink / "savepoints" / name
    folder.mkdir(parents=True)
    built.note(flink, states)
    if at is not None:
        (folder / "savepoint-1").mkdir()
        (folder / "savepoint-1" / "_metadata").write_text("")
        os.utime(folder / "savepoint-1" / "_metadata", (at, at))
    return built


def test_an_upgrade_goes_on_from_its_savepoint(tmp_path: Path) -> None:
    built = handover(tmp_path, "s1", at=200, may_drop_state=True)
    result = origin(on_disk(tmp_path), "new", tmp_path)
    assert result is not None
    assert (result.state.uri, result.may_drop_state) == (f"{built.folder.uri}/savepoint-1", True)
    assert result.name == "savepoint savepoint-1"


def test_until_the_savepoint_is_complete_the_checkpoint_counts(tmp_path: Path) -> None:
    newest = checkpoint(tmp_path / "checkpoints" / "old", "run1", 10, at=100)
    handover(tmp_path, "s1", at=None)
    result = origin(on_disk(tmp_path), "old", tmp_path)
    assert result is not None
    assert (result.state, result.may_drop_state, result.name) == (newest, False, "checkpoint run1/chk-10")


def test_a_checkpoint_made_after_the_savepoint_counts(tmp_path: Path) -> None:
    handover(tmp_path, "s1", at=200, may_drop_state=True)
    newest = checkpoint(tmp_path / "checkpoints" / "old", "run2", 3, at=300)
    result = origin(on_disk(tmp_path), "old", tmp_path)
    assert result is not None
    assert (result.state, result.may_drop_state) == (newest, False)


def test_another_job_than_those_of_the_upgrade_does_not_take_its_savepoint(tmp_path: Path) -> None:
    handover(tmp_path, "s1", at=200)
    assert origin(on_disk(tmp_path), "third", tmp_path) is None


def test_savepoints_of_earlier_upgrades_are_dropped(tmp_path: Path) -> None:
    handover(tmp_path, "s1", at=200)
    second = handover(tmp_path, "s2", at=300)
    assert [folder.name for folder in (tmp_path / "savepoints").iterdir()] == [second.folder.name]
    assert Handover.noted(tmp_path, on_disk(tmp_path)) == second


def test_a_state_is_as_old_as_its_metadata(tmp_path: Path) -> None:
    checkpoint(tmp_path, "job", 3, at=1_000)
    [state] = [each.state() for each in on_disk(tmp_path / "job").folders()]
    assert state is not None
    assert Origin(state).age_s(now_s=4_660) == 3_660
    assert Origin(state).age_s(now_s=900) == 0


def settings_with(folder: str, tmp_path: Path) -> Settings:
    values = {"var": tmp_path, "flink_state_folder": folder, "lake_s3_endpoint": "http://127.0.0.1:1"}
    return Settings(_env_file=None, **values)  # type: ignore[call-arg,arg-type]


def test_state_lies_where_the_setting_says(tmp_path: Path) -> None:
    settings = settings_with("", tmp_path)
    paths = Paths.of(settings)
    assert of_job(StateFolder.of(settings, paths), "f").uri == (tmp_path / "flink" / "checkpoints" / "f").as_uri()
    in_store = settings_with("s3://bucket/flink/", tmp_path)
    in_store.flink_target, in_store.lake_warehouse = "remote", "s3://bucket/lake"
    states = StateFolder.of(in_store, paths) / "checkpoints"
    assert (states.uri, states.path) == ("s3://bucket/flink/checkpoints", "bucket/flink/checkpoints")


@pytest.mark.parametrize(
    ("folder", "target", "fix"),
    [
        ("hdfs://name/flink", "remote", "write s3://BUCKET/PATH"),
        ("s3:///flink", "remote", "write s3://BUCKET/PATH"),
        ("s3://bucket/flink", "local", "set JISHI_FLINK_TARGET=remote"),
        ("s3://bucket/flink", "remote", "set JISHI_LAKE_WAREHOUSE=s3://BUCKET/PATH"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_with_the_fix(
    folder: str, target: Literal["local", "remote"], fix: str, tmp_path: Path
) -> None:
    settings = settings_with(folder, tmp_path)
    settings.flink_target = target
    with pytest.raises(StateSettingWrong, match=f"JISHI_FLINK_STATE_FOLDER.*{fix}"):
        StateFolder.of(settings, Paths.of(settings))
