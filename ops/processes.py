"""Find every process of a platform by the variable that all inherit, and end all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from ops.supervisor import MARKER


def processes_of(var: Path) -> list[psutil.Process]:
    """Processes whose environment names this platform, by any path to its folder, and their descendants; never this process or
    its ancestors.
    """
    folder = var.resolve()
    ancestors = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    processes: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            named = process.environ().get(MARKER)
            if named is not None and Path(named).resolve() == folder:
                processes[process.pid] = process
                processes.update({child.pid: child for child in process.children(recursive=True)})
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # gone in between, or of another user and so not ours
    return [process for pid, process in processes.items() if pid not in ancestors]


def stop_all(var: Path, grace_s: float, report: Callable[[str], None]) -> int:
    """End every process of the platform: first politely, after ``grace_s`` by force. Returns how many there were."""
    processes = processes_of(var)
    deadline, asked = time.monotonic() + grace_s, set()
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < deadline:
        ours = {process.pid for process in alive}
        for process in alive:
            # Children are ended by their parents, who wait for them: Airflow's scheduler hangs when its workers go first.
            # A child whose parent is gone is asked itself.
            if process.pid not in asked and _parent(process) not in ours:
                _signal(process, force=False)
                asked.add(process.pid)
        psutil.wait_procs(alive, timeout=0.2)
    # Looked for again and not only remembered: a supervisor may have started one more before it heard of the end.
    while alive := _without_twins([*processes_of(var), *(process for process in processes if _is_alive(process))]):
        report(
            f"{len(alive)} processes did not stop within {grace_s:.0f} s and are killed: {', '.join(_name(p) for p in alive)}"
        )
        for process in alive:
            _signal(process, force=True)
        psutil.wait_procs(alive, timeout=5)
    return len(processes)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _without_twins(processes: list[psutil.Process]) -> list[psutil.Process]:
    return list({process.pid: process for process in processes}.values())


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        process.kill() if force else process.terminate()
    except psutil.NoSuchProcess:
        return  # it ended by itself


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.name()} ({process.pid})"
    except psutil.NoSuchProcess:
        return str(process.pid)


def holder_of_port(port: int) -> str | None:
    """Who listens on a TCP port, as ``pid command``; ``another user's process`` when it may not be seen; None when free."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "another user's process"
            try:
                return f"pid {connection.pid}: {' '.join(psutil.Process(connection.pid).cmdline())[:120]}"
            except psutil.NoSuchProcess:
                return None
    return None
