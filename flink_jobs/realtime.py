"""``python -m flink_jobs.realtime``: run the real-time job in the foreground until SIGTERM or SIGINT.

    Kafka jishi.events → readable → numbered → events ─┬→ bronze      (the lake's table, exactly once)
                       ↘ unreadable (kept)             └→ features → Kafka jishi.features

It goes on from the newest checkpoint of the same computation or the savepoint of an upgrade (``flink_jobs.upgrade``), or from
the start of the log. Exit code 0 after a signal or an upgrade, 1 when the job ended by itself or could not be started.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
import time
from types import FrameType

import psutil
from py4j.protocol import Py4JError
from pyflink.util.exceptions import JavaException

from flink_jobs import bronze_restore, checkpoints, engine
from flink_jobs.job import FlinkJob, realtime_job
from flink_jobs.plan import compile_job, operators
from flink_jobs.rest_api import RestApi, is_timeout
from flink_jobs.state_folder import StateFolder
from jishi.features import live_views
from jishi.heartbeat import beat
from jishi.java import JavaMissing
from jishi.json_logs import log_as_json
from jishi.paths import Paths
from jishi.settings import Settings, get_settings

log = logging.getLogger("flink")
BEAT_EVERY_S = 1.0
# A JVM that hangs (a stopped process, a long collection of garbage) is waited for: a new start takes as long.
PATIENCE_S = 30.0
JOB_ENDS_WITHIN_S = 60.0
# A process that ends within its first second counts as one that cannot start: after ten of these the supervisor gives it up.
CLUSTER_ANSWERS_WITHIN_S = 10.0
STARTS_WITHIN_S = 300.0  # from the look at the state's age to the first record
# After a machine slept, the state has aged and the log has not moved on for the job. A new start takes that into account.
LONGEST_PAUSE_S = 600.0
# State of another computation serves a way back to it; the log holds nothing older than a week to go on with (jishi.topics).
KEEP_OTHER_STATES_S = 8 * 86_400.0


class StopAsked(BaseException):
    """A signal asked this process to stop."""


def main() -> int:
    """Wire settings, job and engine; returns the exit code."""
    log_as_json("flink")
    settings = get_settings()
    paths = Paths.of(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ask_to_stop)
    jvm: psutil.Process | None = None
    rest = RestApi(settings.flink_address)
    job_id: str | None = None
    try:
        states = StateFolder.of(settings, paths)
        end_earlier_run(settings, paths, rest)
        jvm = engine.start_jvm(paths, settings.flink_jvm)
        job = realtime_job(settings, paths, live_views())
        job_id = start(settings, paths, job, states)
        return watch(paths, rest, job_id, states, job.fingerprint, web=settings.flink_address)
    except StopAsked:
        if job_id is not None:
            _cancel(rest, job_id)
        log.info("stopped; the next start goes on from the newest checkpoint")
        return 0
    except (FileNotFoundError, JavaMissing, NotStartable, bronze_restore.BronzeUnusable, ValueError) as error:
        log.error("%s", error)
        return 1
    except (JavaException, Py4JError) as error:
        log.error("Flink did not start the job: %s; see %s", reason_of(error), paths.log / "flink-jvm.log")
        return 1
    finally:
        if jvm is not None:
            engine.stop_jvm(jvm)


class NotStartable(RuntimeError):
    """The job's port is taken, or its cluster does not answer; the message says what to do."""


def end_earlier_run(settings: Settings, paths: Paths, rest: RestApi) -> None:
    """End what a run whose driver was killed left behind: two jobs would each commit every row. Raises NotStartable."""
    if engine.end_leftover_jvm(paths):
        log.info("the JVM of an earlier run was still there and has been ended")
    if settings.flink_target == "local":
        return refuse_taken_port(settings.host, settings.flink_port)
    engine.cluster_address(settings)
    wait_for_cluster(settings, rest)
    deadline = time.monotonic() + JOB_ENDS_WITHIN_S
    try:
        for job_id in rest.going_on(engine.JOB_NAME):
            log.info("job %s of an earlier run was still there and is cancelled", job_id)
            rest.cancel(job_id)
        while left := rest.going_on(engine.JOB_NAME):
            if time.monotonic() > deadline:
                raise NotStartable(f"job {left[0]} of an earlier run does not end; cancel it on {settings.flink_address}")
            time.sleep(0.2)
    except OSError as error:
        raise _no_cluster(settings, error) from error


def wait_for_cluster(settings: Settings, rest: RestApi) -> None:
    """Wait until the JobManager answers. Raises NotStartable when it does not in a while: the next start waits again."""
    deadline = time.monotonic() + CLUSTER_ANSWERS_WITHIN_S
    while True:
        try:
            rest.going_on(engine.JOB_NAME)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise _no_cluster(settings, error) from error
        time.sleep(0.5)


def _no_cluster(settings: Settings, error: OSError) -> NotStartable:
    return NotStartable(f"no Flink answers at {settings.flink_address} ({error}); start its JobManager or set JISHI_FLINK_URL")


def refuse_taken_port(host: str, port: int) -> None:
    """Raise NotStartable when something listens on ``host:port``: after half a minute Flink would only say that it failed."""
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise NotStartable(f"port {port} on {host} is taken; end what uses it or set JISHI_FLINK_PORT")


def start(settings: Settings, paths: Paths, job: FlinkJob, states: StateFolder) -> str:
    """Submit the job, from an upgrade's savepoint or its newest checkpoint below ``states``, if any; returns its id."""
    began = time.monotonic()
    folder = checkpoints.of_job(states, job.fingerprint)
    origin = checkpoints.origin(states, job.fingerprint, paths.flink)
    if taken_out := bronze_restore.put_back(settings, origin):
        log.info("bronze had %d commits that the job's state does not know; they are out and come again", taken_out)
    options = engine.realtime_options(settings, paths, checkpoints=folder, resume_from=origin)
    state_age_s = origin.age_s(time.time()) + STARTS_WITHIN_S if origin else 0.0
    compiled = compile_job(engine.table_environment(options), job, state_age_s=state_age_s)
    client = compiled.execute().get_job_client()
    operators(compiled).note(paths.flink)
    job_id = str(client.get_job_id())
    start_of_job = origin.name if origin else "the start of the log"
    log.info("job %s submitted from %s in %.1f s", job_id, start_of_job, time.monotonic() - began)
    return job_id


def watch(paths: Paths, rest: RestApi, job_id: str, states: StateFolder, fingerprint: str, *, web: str) -> int:
    """Tell every second how the job is; returns 1 when it has ended, 0 when it has for an upgrade."""
    known = checkpoints.Handover.noted(paths.flink, states)
    announced = tidied = False
    last_error: str | None = None
    answered, looked_at = time.monotonic(), time.time()
    while True:
        slept_s, looked_at = time.time() - looked_at, time.time()
        if slept_s > LONGEST_PAUSE_S:
            log.error("nothing ran for %.0f s; the job starts again from its newest checkpoint", slept_s)
            return 1
        try:
            facts = rest.facts(job_id)
            answered = time.monotonic()
            announced = announced or _announce_when_running(rest, job_id, web)
        except OSError as error:
            if is_timeout(error) and time.monotonic() - answered < PATIENCE_S:
                continue
            if _has_handed_over(paths, states, known):
                return _report_upgrade()
            # With its only job the embedded cluster ends too, so this is how a failed job usually shows.
            last_failure = f"; the job's last failure: {last_error}" if last_error else ""
            log.error("Flink no longer answers (%s)%s; see %s", error, last_failure, paths.log / "flink-jvm.log")
            return 1
        last_error = facts.last_error
        beat(
            paths,
            "flink",
            job_id=job_id,
            state=facts.state if announced or facts.has_ended else "STARTING",
            restarts=facts.restarts,
            checkpoints=facts.checkpoints,
            failed_checkpoints=facts.failed_checkpoints,
            last_error=facts.last_error,
        )
        if facts.has_ended:
            if _has_handed_over(paths, states, known):
                return _report_upgrade()
            log.error("the job is %s: %s", facts.state, facts.last_error)
            return 1
        if facts.checkpoints and not tidied:
            checkpoints.drop_checkpoints_of_other_runs(checkpoints.of_job(states, fingerprint), job_id)
            checkpoints.drop_other_computations(states, fingerprint, before_s=time.time() - KEEP_OTHER_STATES_S)
            tidied = True
        time.sleep(BEAT_EVERY_S)


def reason_of(error: Exception) -> str:
    """The first line of an error of Java; where Java threw it, that of its innermost cause."""
    cause = getattr(error, "java_exception", None)
    while cause is not None and cause.getCause() is not None:
        cause = cause.getCause()
    lines = str(error if cause is None else cause.toString()).strip().splitlines()
    return lines[0] if lines else repr(error)


def _has_handed_over(paths: Paths, states: StateFolder, known: checkpoints.Handover | None) -> bool:
    """Whether an upgrade has stopped the job with a savepoint since ``known`` was noted."""
    noted = checkpoints.Handover.noted(paths.flink, states)
    return noted is not None and noted != known and noted.savepoint is not None


def _report_upgrade() -> int:
    log.info("the job has stopped with a savepoint; the next start goes on from there")
    return 0


def _announce_when_running(rest: RestApi, job_id: str, web: str) -> bool:
    if not rest.all_tasks_run(job_id):
        return False
    log.info("job %s is running; %s", job_id, web)
    return True


def _cancel(rest: RestApi, job_id: str) -> None:
    try:
        rest.cancel(job_id)
    except OSError as error:
        log.warning("the job could not be asked to stop (%s); its JVM is ended", error)


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    raise StopAsked(number)


if __name__ == "__main__":
    sys.exit(main())
