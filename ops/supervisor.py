"""supervisord, the one supervisor: its configuration, its start, and talking to it over its socket."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil

from jishi.files import write_atomically
from jishi.paths import Paths
from ops.parts import Part, working_directory

# Every process of a platform inherits this variable; ``jishi down`` finds them by it, also when the supervisor is gone.
MARKER = "JISHI_PLATFORM"
# Airflow rewrites the titles of its processes, which would overwrite the environment that the kernel shows of them.
KEEP_ENVIRONMENT_VISIBLE = {"SPT_NOENV": "1"}


def marked(var: Path) -> dict[str, str]:
    """Variables that make a process, and all that it starts, findable as part of the platform in ``var``."""
    return {MARKER: str(var), **KEEP_ENVIRONMENT_VISIBLE}


class SupervisorError(RuntimeError):
    """supervisord did not start, or refused; the message says where to look."""


def socket_file(paths: Paths) -> Path:
    """Socket of the supervisor."""
    return paths.run / "supervisor.sock"


def write_configuration(paths: Paths, parts: list[Part], environment: Mapping[str, str]) -> Path:
    """Write supervisord's configuration; programs do not start by themselves, ``up`` starts them in order."""
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.log.mkdir(parents=True, exist_ok=True)
    config = paths.run / "supervisord.conf"
    sections = [
        _section("unix_http_server", {"file": str(socket_file(paths)), "chmod": "0700"}),
        _section(
            "supervisord",
            {
                "logfile": str(paths.log / "supervisord.log"),
                "pidfile": str(paths.run / "supervisord.pid"),
                "directory": working_directory(),
                "nodaemon": "false",
                "minfds": "1024",
                "childlogdir": str(paths.log),
            },
        ),
        _section(
            "rpcinterface:supervisor", {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
        ),
    ]
    for part in parts:
        variables = {**environment, **part.environment, **marked(paths.var)}
        sections.append(
            _section(
                f"program:{part.name}",
                {
                    "command": _doubled(shlex.join(part.command)),
                    "environment": ",".join(f"{key}={_quoted(key, value)}" for key, value in sorted(variables.items())),
                    "directory": working_directory(),
                    "autostart": "false",
                    "autorestart": "true",
                    "startsecs": "1",
                    "startretries": "10",
                    "stopwaitsecs": str(part.stop_wait_s),
                    "stopasgroup": str(part.stop_whole_group).lower(),
                    "killasgroup": "true",
                    "redirect_stderr": "true",
                    "stdout_logfile": str(paths.log / f"{part.name}.log"),
                    "stdout_logfile_maxbytes": "20MB",
                    "stdout_logfile_backups": "2",
                },
            )
        )
    write_atomically(config, "\n".join(sections))
    config.chmod(0o600)
    return config


def _doubled(text: str) -> str:
    """supervisord expands ``%(name)s``; a percent sign of ours is written twice."""
    return text.replace("%", "%%")


def _quoted(key: str, value: str) -> str:
    """A value in the quotes that it does not contain itself: supervisord knows no escape, and strips quotes at the ends."""
    for quote in ('"', "'"):
        if quote not in value and "\n" not in value and value == value.strip("\"'"):
            return f"{quote}{_doubled(value)}{quote}"
    raise SupervisorError(f"{key} holds both kinds of quotes, one at an end, or a line end: supervisord cannot pass it on")


def _section(name: str, options: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())


def start_supervisord(paths: Paths, config: Path) -> None:
    """Start supervisord as a daemon and wait until it answers. Raises SupervisorError when it does not."""
    supervisord = Path(sys.executable).with_name("supervisord")
    environment = os.environ | marked(paths.var)
    done = subprocess.run([supervisord, "-c", config], capture_output=True, text=True, check=False, env=environment)
    deadline = time.monotonic() + 15
    while done.returncode == 0 and not is_running(paths):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if not is_running(paths):
        raise SupervisorError(f"supervisord did not start: {done.stderr.strip()}; see {paths.log / 'supervisord.log'}")


def rpc(paths: Paths) -> Any:
    """The supervisor's remote interface."""
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{socket_file(paths)}")
    return ServerProxy("http://127.0.0.1", transport=transport).supervisor


def is_running(paths: Paths) -> bool:
    """Whether a supervisor answers on the socket."""
    if not socket_file(paths).exists():
        return False
    try:
        return bool(rpc(paths).getState()["statename"])
    except (OSError, Fault):
        return False


def start_part(paths: Paths, name: str) -> None:
    """Start one part; it is fine when it runs already."""
    try:
        rpc(paths).startProcess(name, False)
    except Fault as fault:
        if "ALREADY_STARTED" not in fault.faultString:
            raise SupervisorError(f"{name} did not start: {fault.faultString}; see {paths.log / (name + '.log')}") from fault


def replace_parts(paths: Paths, names: Collection[str]) -> None:
    """Stop parts and take their configuration from the file as it is now; they are started by ``start_part``."""
    supervisor = rpc(paths)
    supervisor.reloadConfig()
    known = {info["group"] for info in supervisor.getAllProcessInfo()}
    for name in sorted(names):
        if name in known:
            supervisor.stopProcessGroup(name)
            supervisor.removeProcessGroup(name)
        supervisor.addProcessGroup(name)


def stop_part(paths: Paths, name: str) -> None:
    """Stop one part until it is started again."""
    rpc(paths).stopProcess(name)


def kill_watcher(paths: Paths, name: str) -> None:
    """End the process of a part whose workers answer on without it; the supervisor starts it again. Returns when it has workers
    of its own that answer, and those before have ended.
    """
    watcher = psutil.Process(states(paths)[name]["pid"])
    workers = watcher.children()
    watcher.kill()
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in workers):
        time.sleep(0.2)


def stop_supervisord(paths: Paths) -> None:
    """Stop all parts at once, then the supervisor; nothing happens when it does not run."""
    if not is_running(paths):
        return
    rpc(paths).stopAllProcesses()
    rpc(paths).shutdown()


def states(paths: Paths) -> dict[str, dict[str, Any]]:
    """What the supervisor knows of each part (``statename``, ``pid``, ``description``); empty when it does not run."""
    if not is_running(paths):
        return {}
    return {info["name"]: info for info in rpc(paths).getAllProcessInfo()}
