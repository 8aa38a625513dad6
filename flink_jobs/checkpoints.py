"""Find the state to go on from: a checkpoint ``<folder>/<job id>/chk-<n>/_metadata`` of the same computation, or the savepoint
of an upgrade. ``_metadata`` is written last and renamed into place.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from jishi.files import write_json


@dataclass(frozen=True)
class Handover:
    """What an upgrade left for the job that starts next: ``folder`` gets the savepoint; state that the new job has no operator
    for is dropped if ``may_drop_state``, else it refuses to start. It is meant for the jobs of these ``fingerprints``: the new
    one, and the old one in case that it has to come back.
    """

    folder: Path
    may_drop_state: bool
    fingerprints: tuple[str, ...]

    def note(self, flink: Path) -> None:
        """Leave it in the job's folder. Savepoints of earlier upgrades go: the running job has checkpoints of its own."""
        for earlier in self.folder.parent.glob("*"):
            if earlier != self.folder:
                shutil.rmtree(earlier)
        write_json(flink / _HANDOVER, asdict(self) | {"folder": str(self.folder)})

    @classmethod
    def noted(cls, flink: Path) -> Handover | None:
        """What was left in the job's folder, or None."""
        file = flink / _HANDOVER
        if not file.exists():
            return None
        payload = json.loads(file.read_text())
        return cls(Path(payload["folder"]), bool(payload["may_drop_state"]), tuple(payload["fingerprints"]))

    @property
    def savepoint(self) -> Path | None:
        """The savepoint, or None until it is complete."""
        return next((file.parent for file in self.folder.glob("savepoint-*/_metadata")), None)


@dataclass(frozen=True)
class Origin:
    """State to go on from, what it is called, and whether a part of it may be dropped."""

    path: Path
    name: str
    may_drop_state: bool = False

    def age_s(self, now_s: float) -> float:
        """Seconds since the state was made; ``now_s`` is the wall clock in epoch seconds."""
        return max(0.0, now_s - _made_at(self.path) / 1e9)

    def is_of(self, job_id: str) -> bool:
        """Whether the job has made this state: ``…/<job id>/chk-<n>``, or ``…/savepoint-<start of the job id>-…``."""
        if self.path.name.startswith("savepoint-"):
            return job_id.startswith(self.path.name.split("-")[1])
        return self.path.parent.name == job_id

    def covers(self, job_id: str, checkpoint: int) -> bool:
        """Whether this state holds what the job had read by its ``checkpoint``; a savepoint is the last that a job makes."""
        return self.is_of(job_id) and (self.path.name.startswith("savepoint-") or checkpoint <= _number(self.path))


_HANDOVER = "upgrade.json"


def origin(folder: Path, flink: Path) -> Origin | None:
    """The newest of the checkpoints below ``folder``, which is named by the job's fingerprint, and the savepoint of an upgrade
    to or from that job; None is the start of the log.
    """
    checkpoint, handover = newest_checkpoint(folder), Handover.noted(flink)
    savepoint = handover.savepoint if handover is not None and folder.name in handover.fingerprints else None
    if handover is not None and savepoint is not None and (checkpoint is None or _made_at(savepoint) > _made_at(checkpoint)):
        return Origin(savepoint, f"savepoint {savepoint.name}", handover.may_drop_state)
    return Origin(checkpoint, f"checkpoint {checkpoint.parent.name}/{checkpoint.name}") if checkpoint is not None else None


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint below ``folder``, or None when there is none.

    A checkpoint is complete when its ``_metadata`` is there. Bronze gets its rows only after that moment, so going on from the
    newest one neither loses rows nor repeats them.
    """
    complete = sorted((m.stat().st_mtime_ns, _number(m.parent), m.parent) for m in folder.glob("*/chk-*/_metadata"))
    return complete[-1][2] if complete else None


def drop_checkpoints_of_other_runs(folder: Path, job_id: str) -> None:
    """Delete the checkpoints of earlier runs; call it when the run ``job_id`` has a complete one of its own."""
    if any(folder.glob(f"{job_id}/chk-*/_metadata")):
        for run in folder.iterdir():
            if run.name != job_id:
                shutil.rmtree(run, ignore_errors=True)


def _made_at(state: Path) -> int:
    return (state / "_metadata").stat().st_mtime_ns


def _number(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("chk-"))
