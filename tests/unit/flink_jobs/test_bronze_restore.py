"""Which commits of bronze the state that a job goes on from does not cover."""

from __future__ import annotations

import pytest

pytest.importorskip("pyflink", reason="runs in the flink environment")

from flink_jobs.bronze_restore import Commit, not_covered
from flink_jobs.checkpoints import Origin
from flink_jobs.state_folder import StoredState

OLD, JOB, NEXT = "1aaa", "2bbb", "3ccc"


def checkpoint(job_id: str, number: int) -> Origin:
    return Origin(StoredState(f"s3://b/flink/checkpoints/f/{job_id}/chk-{number}", 0))


def history(*commits: tuple[str | None, int]) -> list[Commit]:
    """Commits given oldest first, as the table's history has them: newest first; without a job it is a compaction."""
    history = [
        Commit(number, number - 1 or None, "append" if job_id else "replace", job_id, covered)
        for number, (job_id, covered) in enumerate(commits, start=1)
    ]
    return history[::-1]


COMPACTION = (None, 0)
CASES = [
    # name, history (oldest first), origin, snapshots that are taken out (newest first)
    ("newest checkpoint, all committed", [(JOB, 1), (JOB, 2)], checkpoint(JOB, 2), []),
    ("newest checkpoint, its commit is missing", [(JOB, 1)], checkpoint(JOB, 2), []),
    ("one checkpoint back", [(JOB, 1), (JOB, 2)], checkpoint(JOB, 1), [2]),
    ("checkpoints without rows have no commit", [(JOB, 3), (JOB, 9)], checkpoint(JOB, 5), [2]),
    ("compaction after a covered commit stays", [(JOB, 1), COMPACTION], checkpoint(JOB, 1), []),
    ("compaction that swallowed a later commit goes", [(JOB, 1), (JOB, 2), COMPACTION], checkpoint(JOB, 1), [3, 2]),
    ("compaction between stays", [(JOB, 1), COMPACTION, (JOB, 2)], checkpoint(JOB, 1), [3]),
    ("before the first commit of the job", [(OLD, 7), (JOB, 9), (JOB, 10)], checkpoint(JOB, 8), [3, 2]),
    ("back to an earlier job's checkpoint", [(OLD, 7), (OLD, 8), (JOB, 9), (NEXT, 12)], checkpoint(OLD, 7), [4, 3, 2]),
    ("a restored job's commits after it", [(JOB, 1), (NEXT, 5), COMPACTION, (NEXT, 6)], checkpoint(JOB, 3), [4, 3, 2]),
    ("a savepoint is the last of its job", [(JOB, 1), (JOB, 8)], Origin(StoredState("file:///s/savepoint-2b-9f", 0)), []),
    ("a job after the savepoint", [(JOB, 8), (NEXT, 9)], Origin(StoredState("file:///s/savepoint-2b-9f", 0)), [2]),
    ("nothing of the job is there", [(OLD, 7)], checkpoint(JOB, 8), []),
    ("empty table", [], checkpoint(JOB, 8), []),
]


@pytest.mark.parametrize(("commits", "origin", "taken_out"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_the_state_does_not_know(commits: list[tuple[str | None, int]], origin: Origin, taken_out: list[int]) -> None:
    assert [commit.snapshot_id for commit in not_covered(history(*commits), origin)] == taken_out
