"""Find the state to go on from: a checkpoint ``<folder>/<job id>/chk-<n>`` of the same computation, or the savepoint of an
upgrade.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flink_jobs.state_folder import StateFolder, StoredState
from jishi.files import write_json

_SAVEPOINT = "savepoint-"
_CHECKPOINT = "chk-"
_HANDOVER = "upgrade.json"


@dataclass(frozen=True)
class Handover:
    """What an upgrade left for the job that starts next: ``folder`` gets the savepoint; state that the new job has no operator
    for is dropped if ``may_drop_state``, else it refuses to start. It is meant for the jobs of these ``fingerprints``: the new
    one, and the old one in case that it has to come back.
    """

    folder: StateFolder
    may_drop_state: bool
    fingerprints: tuple[str, ...]

    @classmethod
    def named(cls, states: StateFolder, name: str, may_drop_state: bool, fingerprints: tuple[str, ...]) -> Handover:
        """One whose savepoint will lie in the folder of that name below ``states``, the job's folder of all states."""
        return cls(states / "savepoints" / name, may_drop_state, fingerprints)

    def note(self, flink: Path, states: StateFolder) -> None:
        """Leave it in the job's folder. Savepoints of earlier upgrades go: the running job has checkpoints of its own."""
        for earlier in (states / "savepoints").folders():
            if earlier.name != self.folder.name:
                earlier.delete()
        noted = {"folder": self.folder.name, "may_drop_state": self.may_drop_state, "fingerprints": self.fingerprints}
        write_json(flink / _HANDOVER, noted)

    @classmethod
    def noted(cls, flink: Path, states: StateFolder) -> Handover | None:
        """What was left in the job's folder, or None."""
        file = flink / _HANDOVER
        if not file.exists():
            return None
        payload = json.loads(file.read_text(encoding="utf-8"))
        # Notes of earlier versions hold the whole path.
        name = Path(payload["folder"]).name
        return cls.named(states, name, bool(payload["may_drop_state"]), tuple(payload["fingerprints"]))

    @property
    def savepoint(self) -> StoredState | None:
        """The savepoint, or None until it is complete."""
        return next((state for each in self.folder.folders() if (state := each.state()) is not None), None)


@dataclass(frozen=True)
class Origin:
    """State to go on from, and whether a part of it may be dropped."""

    state: StoredState
    may_drop_state: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return f"savepoint {self.state.name}" if self._is_savepoint else f"checkpoint {self.state.run}/{self.state.name}"

    def age_s(self, now_s: float) -> float:
        """Seconds since the state was made; ``now_s`` is the wall clock in epoch seconds."""
        return max(0.0, now_s - self.state.made_at_ns / 1e9)

    def is_of(self, job_id: str) -> bool:
        """Whether the job has made this state: ``…/<job id>/chk-<n>``, or ``…/savepoint-<start of the job id>-…``."""
        if self._is_savepoint:
            return job_id.startswith(self.state.name.split("-")[1])
        return self.state.run == job_id

    def covers(self, job_id: str, checkpoint: int) -> bool:
        """Whether this state holds what the job had read by its ``checkpoint``; a savepoint is the last that a job makes."""
        return self.is_of(job_id) and (self._is_savepoint or checkpoint <= _number(self.state.name))

    @property
    def _is_savepoint(self) -> bool:
        return self.state.name.startswith(_SAVEPOINT)


def origin(states: StateFolder, fingerprint: str, flink: Path) -> Origin | None:
    """The newest of the checkpoints of the job that ``fingerprint`` names and the savepoint of an upgrade to or from that job;
    None is the start of the log.
    """
    checkpoint, handover = newest_checkpoint(of_job(states, fingerprint)), Handover.noted(flink, states)
    savepoint = handover.savepoint if handover is not None and fingerprint in handover.fingerprints else None
    if handover is not None and savepoint is not None and (checkpoint is None or savepoint.made_at_ns > checkpoint.made_at_ns):
        return Origin(savepoint, handover.may_drop_state)
    return Origin(checkpoint) if checkpoint is not None else None


def of_job(states: StateFolder, fingerprint: str) -> StateFolder:
    """Where the checkpoints of the job that ``fingerprint`` names lie."""
    return states / "checkpoints" / fingerprint


def newest_checkpoint(folder: StateFolder) -> StoredState | None:
    """The newest complete checkpoint of any run below ``folder``, or None when there is none.

    Bronze gets a checkpoint's rows only after it is complete, so going on from the newest one neither loses rows nor repeats
    them.
    """
    complete = [state for run in folder.folders() for state in _complete(run)]
    return max(complete, key=lambda state: (state.made_at_ns, _number(state.name)), default=None)


def drop_checkpoints_of_other_runs(folder: StateFolder, job_id: str) -> None:
    """Delete the checkpoints of earlier runs; call it when the run ``job_id`` has a complete one of its own."""
    if _complete(folder / job_id):
        for run in folder.folders():
            if run.name != job_id:
                run.delete()


def drop_other_computations(states: StateFolder, fingerprint: str, *, before_s: float) -> None:
    """Delete the checkpoints of other jobs than that of ``fingerprint`` where none is complete and made since ``before_s``
    (epoch seconds).
    """
    for job in (states / "checkpoints").folders():
        newest = newest_checkpoint(job)
        if job.name != fingerprint and (newest is None or newest.made_at_ns < before_s * 1e9):
            job.delete()


def _complete(run: StateFolder) -> list[StoredState]:
    folders = [each for each in run.folders() if each.name.startswith(_CHECKPOINT)]
    return [state for each in folders if (state := each.state()) is not None]


def _number(checkpoint: str) -> int:
    return int(checkpoint.removeprefix(_CHECKPOINT))
