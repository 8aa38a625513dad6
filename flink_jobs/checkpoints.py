"""Find the checkpoint to go on from: ``<folder>/<job id>/chk-<n>/_metadata``, written last and renamed into place."""

from __future__ import annotations

import shutil
from pathlib import Path


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint below ``folder``, or None when there is none.

    A checkpoint is complete when its ``_metadata`` is there. Files of the archive are named only after that moment, so going on
    from the newest one neither loses rows nor repeats them.
    """
    complete = sorted((m.stat().st_mtime_ns, _number(m.parent), m.parent) for m in folder.glob("*/chk-*/_metadata"))
    return complete[-1][2] if complete else None


def drop_checkpoints_of_other_runs(folder: Path, job_id: str) -> None:
    """Delete the checkpoints of earlier runs; call it when the run ``job_id`` has a complete one of its own."""
    if any(folder.glob(f"{job_id}/chk-*/_metadata")):
        for run in folder.iterdir():
            if run.name != job_id:
                shutil.rmtree(run, ignore_errors=True)


def _number(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("chk-"))
