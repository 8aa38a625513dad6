"""Every process of a platform is found by its mark and ended, and nobody else's is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from ops.processes import holder_of_port, processes_of, stop_all
from ops.supervisor import marked

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def _start(command: list[str], var: Path | None, **environment: str) -> subprocess.Popen[bytes]:
    mark = marked(var) if var else {}
    process = subprocess.Popen(command, env=os.environ | mark | environment, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def _reap(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_marked_processes_are_found_and_others_are_not(tmp_path: Path) -> None:
    ours, neighbours, strangers = _start(SLEEP, tmp_path), _start(SLEEP, tmp_path / "other"), _start(SLEEP, None)
    try:
        assert [process.pid for process in processes_of(tmp_path)] == [ours.pid]
    finally:
        _reap(ours, neighbours, strangers)


def test_a_platform_is_found_by_another_path_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "link").symlink_to("var")
    by_folder, by_link = _start(SLEEP, tmp_path / "var"), _start(SLEEP, tmp_path / "link")
    try:
        for named in (tmp_path / "var", tmp_path / "link", tmp_path / "var" / ".." / "var"):
            assert {process.pid for process in processes_of(named)} == {by_folder.pid, by_link.pid}
    finally:
        _reap(by_folder, by_link)


def test_a_child_that_dropped_the_mark_goes_with_its_parent(tmp_path: Path) -> None:
    child = f"import os, subprocess, sys; subprocess.run({SLEEP!r}, env={{}})"
    parent = _start([sys.executable, "-c", child], tmp_path)
    try:
        both = processes_of(tmp_path)
        assert len(both) == 2
        assert stop_all(tmp_path, grace_s=5, report=lambda line: None) == 2
        assert processes_of(tmp_path) == []
        assert not any(process.is_running() and process.status() != "zombie" for process in both)
    finally:
        _reap(parent)


def test_who_ignores_the_polite_signal_is_killed_and_named(tmp_path: Path) -> None:
    deaf = _start(DEAF, tmp_path)
    messages: list[str] = []
    try:
        # The test is the parent, and a zombie would still count as a process: reap it as the system's init would.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        assert stop_all(tmp_path, grace_s=0.3, report=messages.append) == 1
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _reap(deaf)
    assert len(messages) == 1
    assert str(deaf.pid) in messages[0]


def test_nothing_running_is_no_error(tmp_path: Path) -> None:
    assert stop_all(tmp_path, grace_s=1, report=lambda line: None) == 0


def test_the_holder_of_a_port_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert holder_of_port(port).startswith(f"pid {os.getpid()}: ")  # type: ignore[union-attr]
    time.sleep(0)
    assert holder_of_port(port) is None
