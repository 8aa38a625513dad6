"""Several processes behind one socket: all answer, a stop is no failure, and a death is made good while the others answer."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from serving.workers import TRIES, listen, take_over

PROGRAM = """
import os, signal, sys
from pathlib import Path
from serving import workers
from serving.workers import left_workers, listen, run_workers

note, port, quick_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
workers._FIRST_WAIT_S = 0.02
left = left_workers(note)
listener = listen("127.0.0.1", port, is_shared=True, beside=bool(left))
print(listener.getsockname()[1], flush=True)

def serve(worker):
    if note.with_name("broken").exists():
        return 7
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: (stopped.append(1), listener.close()))
    listener.listen()
    worker.tell_ready()
    try:
        while True:
            connection, _ = listener.accept()
            connection.sendall(str(os.getpid()).encode())
            connection.close()
    except OSError:
        return 0 if stopped else 1

sys.exit(run_workers(2, serve, note=note, left=left, quick_s=quick_s))
"""
Program = tuple[subprocess.Popen[str], int]
Start = Callable[..., Program]


def handles_sigterm(pid: int) -> bool:
    """Whether the process has set its handler, as the kernel says."""
    caught = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
    assert caught is not None
    return bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def is_running(pid: int) -> bool:
    """Whether it has not ended, be it or not that somebody has asked how: an orphan's new parent may never do so."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def program(folder: Path, port: int = 0, quick_s: float = 60) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(folder / "note.json"), str(port), str(quick_s)]


def are_two(process: subprocess.Popen[str]) -> bool:
    """Whether all have their handlers: of workers that is when they answer."""
    pids = workers_of(process)
    try:
        return len(pids) == 2 and all(map(handles_sigterm, (process.pid, *pids)))
    except (FileNotFoundError, ProcessLookupError):  # one that has just ended
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def start_program(port: int = 0, quick_s: float = 60) -> Program:
        with (tmp_path / "log").open("a") as log:
            process = subprocess.Popen(program(tmp_path, port, quick_s), stdout=subprocess.PIPE, stderr=log, text=True)
        started.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        while not are_two(process):
            time.sleep(0.01)
        return process, port

    yield start_program
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    return {child.pid for child in psutil.Process(process.pid).children()}


def pid_of_answer(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return int(connection.recv(20))


def test_a_stop_that_was_asked_for_stops_all_and_is_no_failure(start: Start) -> None:
    process, port = start()
    workers = workers_of(process)
    assert len(workers) == 2
    assert pid_of_answer(port) in workers
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert not any(psutil.pid_exists(pid) for pid in workers)


@pytest.mark.parametrize("quick_s", [0, 60])
def test_one_that_dies_is_replaced_however_young_while_the_other_answers(start: Start, quick_s: float) -> None:
    process, port = start(quick_s=quick_s)
    for _ in range(8):
        workers = workers_of(process)
        dead = pid_of_answer(port)
        os.kill(dead, signal.SIGKILL)
        while dead in workers_of(process):
            time.sleep(0.01)
        assert pid_of_answer(port) in workers | workers_of(process)
        while not are_two(process):
            time.sleep(0.01)
        assert workers_of(process) > workers - {dead}
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_one_that_cannot_start_is_tried_on_and_leaves_the_other_alone(start: Start, tmp_path: Path) -> None:
    process, port = start()
    (tmp_path / "broken").touch()
    dead = pid_of_answer(port)
    (other,) = workers_of(process) - {dead}
    os.kill(dead, signal.SIGKILL)
    while dead in workers_of(process):  # until then it may still take a connection
        time.sleep(0.01)
    while (tmp_path / "log").read_text().count("ended with 7 and is replaced") < TRIES + 2:
        assert pid_of_answer(port) == other
    (tmp_path / "broken").unlink()
    while not are_two(process):
        time.sleep(0.01)
    assert other in workers_of(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_when_none_can_start_it_is_a_failure_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    done = subprocess.run(program(tmp_path), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"no worker of serving starts: {TRIES} in a row ended within 60 s, the last with 7" in done.stderr
    assert done.stderr.count("is replaced") < 2 * TRIES


def test_a_stop_that_comes_while_one_cannot_start_is_no_failure(start: Start, tmp_path: Path) -> None:
    process, port = start()
    (tmp_path / "broken").touch()
    os.kill(pid_of_answer(port), signal.SIGKILL)
    while "ended with 7" not in (tmp_path / "log").read_text():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def test_workers_answer_on_without_their_parent_until_its_successor_does(start: Start) -> None:
    process, port = start()
    workers = workers_of(process)
    process.kill()
    process.wait()
    for _ in range(20):
        assert pid_of_answer(port) in workers
    successor, same = start(port)
    assert same == port
    while any(map(is_running, workers)):
        time.sleep(0.01)
    assert pid_of_answer(port) in workers_of(successor)


def test_a_successor_takes_every_new_connection_so_that_none_waits_where_it_is_reset() -> None:
    old = listen("127.0.0.1", 0, is_shared=True)
    address = old.getsockname()
    for _ in range(3):  # generations
        new = listen(*address, beside=True)
        new.listen()
        take_over(new)
        clients = [socket.create_connection(address, timeout=10) for _ in range(30)]
        for _ in clients:
            new.accept()[0].close()
        old.setblocking(False)
        with pytest.raises(BlockingIOError):
            old.accept()
        for client in clients:
            client.close()
        old.close()
        old = new
    old.close()


def test_a_port_is_not_shared_with_one_that_is_watched(start: Start) -> None:
    _, port = start()
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", port, is_shared=True)
