"""Upgrade and go back, with intake running: first what lies on disk, format by format, then part by part.

After a run that was cut off the next one goes on: a migration that was begun is run again from its start, and a part that runs
the new code already is started once more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from jishi.heartbeat import last_beat
from jishi.lake.table_creation import create_tables, missing_columns
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from ops import lifecycle
from ops.backup.copying import copy_database, copy_file
from ops.formats import FORMATS, FormatChange, Noted, require_current
from ops.parts import Part, parts, working_directory
from ops.supervisor import is_running, states, stop_part
from ops.upgrade.migrations import MIGRATIONS, Migration

Say = Callable[[str], None]
STREAM_WAIT_S = 180.0
INTAKE = ("kafka", "collector", "forwarder")  # go on while a state is taken back
# Small, and not in the lake's own versions: what a person may want when all else fails.
_KEPT = ("shops.json", "formats.json", "portal/portal.db", "lake/catalog.db", "lake/versions.db")


class PlatformNotUpgraded(RuntimeError):
    """The platform was not upgraded; the message says why and what to do."""


def plan(settings: Settings) -> list[str]:
    """What an upgrade would do to the state on disk. Raises WrongFormat."""
    noted = Noted.of(settings)
    noted.refuse_newer()
    lines = [f"{each.part} {each.to - 1} to {each.to}: {each.what}" for each in _forward(noted)]
    lines += [f"new column {column}, null in the rows that are there" for column in missing_columns(settings)]
    return lines or ["the state on disk is that of this code"]


def check_stream(settings: Settings, *, may_drop_state: bool = False) -> None:
    """Say what becomes of the state of the stream, if it runs. Raises PlatformNotUpgraded when it would be lost and may not."""
    if _stream_runs(settings):
        _stream(settings, ["--dry-run", *(["--drop-state"] if may_drop_state else [])])


def upgrade(settings: Settings, now: datetime, say: Say, *, may_drop_state: bool = False) -> None:
    """Bring state and running parts to the code that is here. Raises PlatformNotUpgraded, WrongFormat, MigrationFailed, and
    PlatformError when a part does not come up; then the next call goes on.
    """
    paths, drop = Paths.of(settings), ["--drop-state"] if may_drop_state else []
    with _alone(paths):
        noted = Noted.of(settings)
        noted.refuse_newer()
        check_stream(settings, may_drop_state=may_drop_state)
        if noted.is_whole:
            _keep_aside(settings, say)
            noted.upgrade, noted.is_whole = now.strftime("%Y-%m-%dT%H:%M:%SZ"), False
            noted.write(settings)
        for migration in _forward(noted):
            if noted.doing is None:
                newest = Versions.of(settings).latest()
                noted.doing = FormatChange(migration.part, migration.to, noted.upgrade, newest.number if newest else 0)
                noted.write(settings)
            say(f"{migration.part} {migration.to - 1} to {migration.to}: {migration.what}")
            _stop(paths, migration.stops)
            migration.forward(settings, say)
            migration.check(settings)
            noted.formats[migration.part] = migration.to
            noted.done.append(noted.doing)
            noted.doing = None
            noted.write(settings)
        require_current(settings)
        for column in missing_columns(settings):
            say(f"new column {column}, null in the rows that are there")
        create_tables(settings)
        if is_running(paths):
            _renew(settings, say, drop)
        else:
            say("the platform does not run; start it: jishi up")
        noted = Noted.of(settings)
        noted.is_whole = True
        noted.write(settings)


def roll_back(settings: Settings, say: Say) -> list[FormatChange]:
    """Take back what the newest upgrade changed on disk, newest first; returns it. The parts that read it are stopped first and
    stay so, for this code does not read what it is then. Raises PlatformNotUpgraded, WrongFormat, and what a migration raises.
    """
    paths = Paths.of(settings)
    with _alone(paths):
        noted = Noted.of(settings)
        noted.refuse_newer()
        if noted.doing is not None:
            noted.done.append(noted.doing)
            noted.doing = None
        changes = [change for change in noted.done if change.upgrade == noted.upgrade]
        if changes:
            _stop(paths, [name for name in states(paths) if name not in INTAKE])
        for change in reversed(changes):
            migration = next(each for each in MIGRATIONS if (each.part, each.to) == (change.part, change.to))
            say(f"{change.part} {change.to} to {change.to - 1}: {migration.what}, taken back")
            noted.formats[change.part], noted.doing = change.to - 1, change
            noted.done.remove(change)
            noted.write(settings)
            migration.backward(settings, change, say)
            noted.doing = None
        noted.is_whole = True
        noted.write(settings)
        return changes


def _forward(noted: Noted) -> list[Migration]:
    return [each for each in MIGRATIONS if each.to > noted.formats.get(each.part, FORMATS[each.part])]


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """One upgrade at a time. Raises PlatformNotUpgraded."""
    paths.upgrades.mkdir(parents=True, exist_ok=True)
    with (paths.upgrades / "lock").open("w", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlatformNotUpgraded("another upgrade runs; wait until it has ended") from None
        yield


def _keep_aside(settings: Settings, say: Say) -> None:
    """Copies of small databases as they are before anything changes, in the place of those of the upgrade before."""
    paths = Paths.of(settings)
    aside, target = paths.upgrades / ".before", paths.upgrades / "before"
    shutil.rmtree(aside, ignore_errors=True)
    for name in _KEPT:
        source = paths.var / name
        if source.exists():
            copy_database(source, aside / name) if source.suffix == ".db" else copy_file(source, aside / name)
    if aside.exists():
        shutil.rmtree(target, ignore_errors=True)
        os.replace(aside, target)
        say(f"as it was before: {target}")


def _stop(paths: Paths, names: Sequence[str]) -> None:
    running = {name for name, info in states(paths).items() if info["statename"] in ("RUNNING", "STARTING", "BACKOFF")}
    for name in names:
        if name in running:
            stop_part(paths, name)


def _renew(settings: Settings, say: Say, drop: list[str]) -> None:
    """The code that is here in the place of each running part; the collector's goes last."""
    paths = Paths.of(settings)
    all_parts = parts(settings, paths)
    by_name = {part.name: part for part in all_parts}
    later = ("flink", "kafka", "serving", "collector")
    early = [part for part in all_parts if part.name not in later]
    lifecycle.renew(settings, say, _of_stage(early, "after_kafka"), all_parts)
    if _stream_runs(settings):
        say("stream: savepoint, stop, start from it")
        _stream(settings, drop)
    for stage in ("after_airflow", "after_superset", "first"):
        lifecycle.renew(settings, say, _of_stage(early, stage), all_parts)
    for name in ("serving", "collector"):
        if name in by_name:
            lifecycle.renew(settings, say, [by_name[name]], all_parts)
    lifecycle.up(settings, say)  # what does not run, after an upgrade that was cut off or taken back


def _of_stage(chosen: Sequence[Part], stage: str) -> list[Part]:
    return [part for part in chosen if part.stage == stage]


def _stream_runs(settings: Settings) -> bool:
    """Whether the stream's job runs; one that begins is given its time, then PlatformNotUpgraded is raised."""
    paths = Paths.of(settings)
    if states(paths).get("flink", {}).get("statename") not in ("RUNNING", "STARTING", "BACKOFF"):
        return False
    deadline = time.monotonic() + STREAM_WAIT_S
    while (beat := last_beat(paths, "flink")) is None or not beat.is_fresh or beat.facts["state"] != "RUNNING":
        if time.monotonic() > deadline:
            raise PlatformNotUpgraded(f"the stream's job does not run; see {paths.log / 'flink.log'}, or stop it: jishi down")
        time.sleep(0.5)
    return True


def _stream(settings: Settings, options: list[str]) -> None:
    """Hand over to the stream's own upgrade. Raises PlatformNotUpgraded when it refuses."""
    paths = Paths.of(settings)
    command = [str(paths.python("flink")), "-m", "flink_jobs.upgrade", *options]
    environment = os.environ | lifecycle.common_environment(settings, paths)
    if subprocess.run(command, cwd=working_directory(), env=environment, check=False).returncode:
        raise PlatformNotUpgraded("the stream was not upgraded, see above; jishi upgrade goes on when that is mended")
