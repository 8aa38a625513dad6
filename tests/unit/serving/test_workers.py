"""Several processes behind one socket: both answer, a stop is no failure, and none is left alone when one dies."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import os, signal, sys
from serving.workers import listen, run_workers

listener = listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)

def serve(number):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: (stopped.append(1), listener.close()))
    try:
        while True:
            connection, _ = listener.accept()
            connection.sendall(str(os.getpid()).encode())
            connection.close()
    except OSError:
        return 0 if stopped else 1

sys.exit(run_workers(2, serve))
"""


def handles_sigterm(pid: int) -> bool:
    """Whether the process has set its handler, as the kernel says."""
    caught = re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
    assert caught is not None
    return bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.fixture
def program() -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    while len(handling := [process.pid, *(child.pid for child in psutil.Process(process.pid).children())]) < 3:
        time.sleep(0.01)
    while not all(map(handles_sigterm, handling)):
        time.sleep(0.01)
    yield process, port
    if process.poll() is None:
        process.kill()
    process.wait()


def pid_of_answer(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        return int(connection.recv(20))


def test_a_stop_that_was_asked_for_stops_all_and_is_no_failure(program: tuple[subprocess.Popen[str], int]) -> None:
    process, port = program
    workers = {child.pid for child in psutil.Process(process.pid).children()}
    assert len(workers) == 2
    assert pid_of_answer(port) in workers
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_when_one_dies_the_others_are_stopped_and_it_is_a_failure(program: tuple[subprocess.Popen[str], int]) -> None:
    process, port = program
    workers = {child.pid for child in psutil.Process(process.pid).children()}
    os.kill(pid_of_answer(port), signal.SIGKILL)
    assert process.wait(timeout=60) == 1
    assert not any(psutil.pid_exists(pid) for pid in workers)
