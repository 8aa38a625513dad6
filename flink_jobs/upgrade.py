"""``python -m flink_jobs.upgrade``: put the code that is here in the place of the running job, which keeps its state.

The running job writes a savepoint and stops; the supervisor starts it again, from the savepoint, with the code that is here.
Operators are matched by their uids (``flink_jobs.operators``): a new view begins without state and knows what comes from now
on. When state of the running job would find no operator in the new one, nothing is stopped and the exit code is 1, unless
``--drop-state`` says that it may be lost. ``--dry-run`` stops nothing and has the same exit code. ``jishi upgrade`` calls it.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from py4j.protocol import Py4JError
from pyflink.util.exceptions import JavaException

from flink_jobs import engine
from flink_jobs.checkpoints import Handover
from flink_jobs.job import realtime_job
from flink_jobs.operators import Operators
from flink_jobs.plan import compile_job, operators
from flink_jobs.rest_api import RestApi
from flink_jobs.state_folder import StateFolder, StoredState
from jishi.features import live_views
from jishi.heartbeat import last_beat
from jishi.java import JavaMissing
from jishi.paths import Paths
from jishi.settings import Settings, get_settings

SAVEPOINT_WAIT_S = 120.0
START_WAIT_S = 180.0


class UpgradeFailed(RuntimeError):
    """The job was not upgraded; the message says what is the case now and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Upgrade once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flink_jobs.upgrade", description="Upgrade the running job.")
    parser.add_argument("--drop-state", action="store_true", help="state that the new job has no operator for may be lost")
    parser.add_argument("--dry-run", action="store_true", help="tell what would become of the state, and stop nothing")
    parser.add_argument("--names", action="store_true", help="print the names of this code's operators with state, and end")
    chosen = parser.parse_args(arguments)
    settings = get_settings()
    paths = Paths.of(settings)
    try:
        if chosen.names:
            print("\n".join(_operators_of_this_code(settings, paths).uids))
            return 0
        running, new = Operators.noted(paths.flink), _operators_of_this_code(settings, paths)
        _report_difference(running, new)
        lost = running.lost_to(new)
        if lost and not chosen.drop_state:
            raise UpgradeFailed(
                f"the state of {', '.join(lost)} would be lost and nothing was stopped; give --drop-state if it may, or remove "
                "the checkpoints and let the job read the log from its start"
            )
        if chosen.dry_run:
            return 0
        _upgrade(settings, paths, may_drop_state=chosen.drop_state)
    except (UpgradeFailed, OSError, JavaMissing, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (JavaException, Py4JError) as error:
        print(
            f"error: the new job does not compile, nothing was stopped: {str(error).strip().splitlines()[0]}", file=sys.stderr
        )
        return 1
    return 0


def _operators_of_this_code(settings: Settings, paths: Paths) -> Operators:
    """Compile the job in a JVM of this process; its files stay apart from those of the running job."""
    jvm = engine.start_jvm(Paths(var=paths.flink / "upgrade", envs=paths.envs), settings.flink_jvm)
    try:
        checkpoints = StateFolder.of(settings, paths) / "checkpoints"
        options = engine.realtime_options(settings, paths, checkpoints=checkpoints, resume_from=None)
        job = realtime_job(settings, paths, live_views())
        return operators(compile_job(engine.table_environment(options), job))
    finally:
        engine.stop_jvm(jvm)


def _upgrade(settings: Settings, paths: Paths, *, may_drop_state: bool) -> None:
    beat = last_beat(paths, "flink")
    if beat is None or not beat.is_fresh or beat.facts["state"] != "RUNNING":
        raise UpgradeFailed("the job does not run, so there is no state to take over; start it, or see jishi status")
    stopped = str(beat.facts["job_id"])
    states = StateFolder.of(settings, paths)
    old = [job.name for job in (states / "checkpoints").folders() if stopped in {run.name for run in job.folders()}]
    fingerprints = (realtime_job(settings, paths, live_views()).fingerprint, *old)
    handover = Handover.named(states, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), may_drop_state, fingerprints)
    handover.note(paths.flink, states)  # before the job stops: its process ends with it and is started again at once
    RestApi(settings.flink_address).stop_with_savepoint(stopped, handover.folder.uri)
    print(f"job {stopped} has written {_wait_for_savepoint(handover).uri} and stopped", flush=True)
    _wait_for_other_job(paths, stopped)


def _wait_for_savepoint(handover: Handover) -> StoredState:
    deadline = time.monotonic() + SAVEPOINT_WAIT_S
    while (savepoint := handover.savepoint) is None:
        if time.monotonic() > deadline:
            raise UpgradeFailed(f"no savepoint came into {handover.folder.uri}; the job goes on, its page says why it failed")
        time.sleep(0.2)
    return savepoint


def _wait_for_other_job(paths: Paths, stopped: str) -> None:
    """Wait until the supervisor has started the job again."""
    deadline = time.monotonic() + START_WAIT_S
    while time.monotonic() < deadline:
        beat = last_beat(paths, "flink")
        if beat is not None and beat.is_fresh and beat.facts["job_id"] != stopped and beat.facts["state"] == "RUNNING":
            print(f"job {beat.facts['job_id']} goes on from there", flush=True)
            return
        time.sleep(0.5)
    raise UpgradeFailed(
        f"no job has started again within {START_WAIT_S:.0f} s; start it (python -m flink_jobs.realtime), it goes on from the "
        f"savepoint, or see {paths.log / 'flink.log'}"
    )


def _report_difference(running: Operators, new: Operators) -> None:
    for word, uids in (("keeps", running.kept_by(new)), ("loses", running.lost_to(new)), ("begins", new.lost_to(running))):
        for uid in uids:
            print(f"{word:7} {uid}")


if __name__ == "__main__":
    sys.exit(main())
