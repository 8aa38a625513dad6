"""Bring the platform up in order, and take all of it down."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import psutil

from jishi.command_line import KEY_VARIABLE
from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import Settings
from ops import airflow, settings_in_use
from ops.formats import require_current
from ops.health import platform_health
from ops.kafka import wait_for_port
from ops.parts import Part, Stage, one_shots, parts, working_directory
from ops.processes import holder_of_port, processes_of, stop_all
from ops.proxies import direct_hosts
from ops.site.home import write_home
from ops.start_progress import AT_MOST_S, GIVE_UP_S, StartProgress, worked_s
from ops.state import claim
from ops.supervisor import (
    is_running,
    kill_watcher,
    marked,
    replace_parts,
    start_part,
    start_supervisord,
    states,
    stop_part,
    stop_supervisord,
    write_configuration,
)

Report = Callable[[str], None]
KAFKA_TIMEOUT_S = 900.0
REPORT_WAIT_S = 30.0  # what is still awaited
STOP_GRACE_S = 25.0


class PlatformError(RuntimeError):
    """The platform did not come up; the message names the part and its log."""


def common_environment(settings: Settings, paths: Paths) -> dict[str, str]:
    """Variables that every part gets: the settings as given, Java, and quiet engines."""
    given = {name: value for name, value in os.environ.items() if name.startswith("JISHI_") and name != KEY_VARIABLE}
    home = java_home(paths.envs)
    return given | {
        "JISHI_VAR": str(paths.var),
        "JISHI_ENVS": str(paths.envs),
        "JAVA_HOME": str(home),
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONUTF8": "1",
        **direct_hosts(settings),
    }


def refuse_taken_ports(all_parts: list[Part], settings: Settings) -> None:
    """Raise PlatformError for each port that somebody else holds, naming part, port, setting and holder."""
    wanted = [(part.name, port, setting) for part in all_parts for port, setting in part.listens_on]
    beside = {"kafka": ("kafka's controller", settings.kafka_controller_port, "JISHI_KAFKA_CONTROLLER_PORT")}
    if settings.flink_target == "local":
        beside["flink"] = ("flink", settings.flink_port, "JISHI_FLINK_PORT")
    wanted += [beside[part.name] for part in all_parts if part.name in beside]
    taken = [
        f"port {port} ({name}) is held by {holder}; stop it or set {setting}"
        for name, port, setting in wanted
        if (holder := holder_of_port(port)) is not None
    ]
    if taken:
        raise PlatformError("\n".join(taken))


def up(settings: Settings, report: Report, members: list[Part] | None = None) -> None:
    """Start every part (or only ``members``) and wait until all are healthy; parts that run already are left alone.

    ``report`` gets a line when something is ready. Raises PlatformError naming what did not come up.
    """
    paths = Paths.of(settings)
    began = time.monotonic()
    claim(paths.var)
    require_current(settings)
    airflow.write_secrets(paths)
    write_home(settings, paths)
    all_parts = parts(settings, paths) if members is None else members
    environment = common_environment(settings, paths)
    if not is_running(paths):
        if orphans := stop_all(paths.var, grace_s=STOP_GRACE_S, report=report):
            report(f"stopped {orphans} processes of an earlier run whose supervisor is gone")
        refuse_taken_ports(all_parts, settings)
        start_supervisord(paths, write_configuration(paths, all_parts, environment))
        settings_in_use.note(settings, paths)
    elif names := settings_in_use.changed(settings, paths):
        _take_up(names, settings, paths, all_parts, environment, report)
    running = {name for name, info in states(paths).items() if info["statename"] in ("RUNNING", "STARTING")}

    def start(stage: Stage) -> None:
        missing = [p for p in all_parts if p.stage == stage and p.name not in running]
        if not missing:
            return
        if stage == "after_kafka" and not _kafka_listens(settings, paths):
            raise PlatformError(f"Kafka does not listen at {settings.kafka_bootstrap}; see {paths.log / 'kafka.log'}")
        for title, command in one_shots(paths).get(stage, []):
            _run_once(title, command, environment, paths)
            report(f"{title} ready after {time.monotonic() - began:.0f} s")
        for part in missing:
            start_part(paths, part.name)

    start("first")
    with ThreadPoolExecutor(3) as pool:
        stages: tuple[Stage, ...] = ("after_kafka", "after_airflow", "after_superset")
        starting = [pool.submit(start, stage) for stage in stages]
        _wait_until_healthy(all_parts, settings, paths, starting, began, report)


def renew(settings: Settings, report: Report, chosen: Sequence[Part], all_parts: list[Part]) -> None:
    """Put the code that is here in the place of those of the chosen parts that run: stop them, run once what must run before
    they start, and start them as they are configured now. Raises PlatformError naming what does not come up.

    Where serving has several workers they answer until those of the new code do.
    """
    paths, began = Paths.of(settings), time.monotonic()
    running = {name for name, info in states(paths).items() if info["statename"] in ("RUNNING", "STARTING", "BACKOFF")}
    concerned = [part for part in chosen if part.name in running]
    if not concerned:
        return
    names = [part.name for part in concerned]
    environment = common_environment(settings, paths)
    if names == ["serving"] and settings.serving_workers > 1:
        kill_watcher(paths, "serving")
    else:
        write_configuration(paths, all_parts, environment)
        for name in names:
            stop_part(paths, name)
        for stage in {part.stage for part in concerned}:
            for title, command in one_shots(paths).get(stage, []):
                _run_once(title, command, environment, paths)
        replace_parts(paths, names)
        for name in names:
            start_part(paths, name)
    _wait_until_healthy(concerned, settings, paths, [], began, report)


def _take_up(
    names: list[str], settings: Settings, paths: Paths, all_parts: list[Part], environment: dict[str, str], report: Report
) -> None:
    """Stop the parts that changed settings concern and let the supervisor know their new configuration; ``up`` starts them."""
    stopped = settings_in_use.concerned(names, [part.name for part in all_parts])
    report(f"changed: {', '.join(f'JISHI_{name.upper()}' for name in names)}; starting again: {', '.join(sorted(stopped))}")
    write_configuration(paths, all_parts, environment)
    replace_parts(paths, stopped)
    settings_in_use.note(settings, paths)


def _kafka_listens(settings: Settings, paths: Paths) -> bool:
    """Wait for a port of Kafka, on a busy machine for minutes, but not for a Kafka of this machine that has given up."""
    deadline = time.monotonic() + KAFKA_TIMEOUT_S
    servers = [server.strip().rsplit(":", 1) for server in settings.kafka_bootstrap.split(",")]
    while time.monotonic() < deadline:
        if any(wait_for_port(host, int(port), 2 / len(servers)) for host, port in servers):
            return True
        if states(paths).get("kafka", {}).get("statename", "RUNNING") not in ("RUNNING", "STARTING", "BACKOFF"):
            return False
    return False


def _run_once(title: str, command: list[str], environment: dict[str, str], paths: Paths) -> None:
    log = paths.log / "setup.log"
    with log.open("ab") as out:
        done = subprocess.run(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=working_directory(),
            env=os.environ | environment | marked(paths.var),
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace", encoding="utf-8").splitlines()[-15:])
        raise PlatformError(f"{title}: {' '.join(command)} failed with exit {done.returncode}; see {log}\n{tail}")


def _wait_until_healthy(
    all_parts: list[Part], settings: Settings, paths: Paths, starting: list[Future[None]], began: float, report: Report
) -> None:
    waiting, reported_at, progress = {p.name: p for p in all_parts}, began, StartProgress()
    while waiting:
        for stage in starting:
            if stage.done():
                stage.result()
        healths = {health.name: health for health in platform_health(list(waiting.values()), settings, paths)}
        for name, health in healths.items():
            if health.is_healthy:
                del waiting[name]
                report(f"{name} healthy after {time.monotonic() - began:.0f} s")
            elif health.state == "FATAL":
                raise PlatformError(f"{name} does not stay up; see {paths.log / (name + '.log')}")
        if waiting and time.monotonic() - reported_at > REPORT_WAIT_S:
            reported_at = time.monotonic()
            lasted_s = reported_at - began
            progress.note(lasted_s, waiting, _worked_s(waiting, paths, starting))
            still_s = lasted_s - progress.moved_s
            if progress.is_given_up(lasted_s):
                troubles = "; ".join(f"{name}: {healths[name].message}" for name in sorted(waiting))
                raise PlatformError(
                    f"not healthy after {lasted_s:,.0f} s, the last {still_s:,.0f} s without progress: {troubles}; "
                    f"logs are in {paths.log}; jishi up goes on waiting"
                )
            slow = f"; as long as they work, at most {AT_MOST_S:,.0f} s" if lasted_s > GIVE_UP_S else ""
            report(f"waiting for {', '.join(sorted(waiting))}, {lasted_s:,.0f} s{slow}")
        if waiting:
            time.sleep(0.5)


def _worked_s(waiting: Collection[str], paths: Paths, starting: list[Future[None]]) -> float:
    """Processor time of the parts that are awaited, and of what runs once before some of them."""
    pids = [info["pid"] for name, info in states(paths).items() if name in waiting and info["pid"]]
    is_busy = any(not stage.done() for stage in starting)
    return worked_s([*pids, *(child.pid for child in psutil.Process().children() if is_busy)])


def down(settings: Settings, report: Report) -> int:
    """Stop every process of the platform, also when the supervisor is gone. Returns how many there were."""
    paths = Paths.of(settings)
    count = len(processes_of(paths.var))
    stop_supervisord(paths)
    stop_all(paths.var, grace_s=STOP_GRACE_S, report=report)
    for leftover in ("supervisor.sock", "supervisord.pid"):
        (paths.run / leftover).unlink(missing_ok=True)
    for beat in paths.beats.glob("*.heartbeat"):
        beat.unlink()
    return count
