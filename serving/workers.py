"""Several processes that answer on one port: they share the listening socket, and each has an engine of its own.

One that dies is replaced while the others answer. When the process that watches them dies, they answer on until its successor
has workers of its own; the successor finds them by a note and shares their port.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from jishi.files import write_json

log = logging.getLogger(__name__)
LEFT_S = 180.0  # so long workers answer without a process that watches them
QUICK_S = 5.0  # a worker that dies so early would die again: whoever watches this process starts it anew
# Others answer while a worker is made ready, so it waits so long until it can, too, before it takes requests.
READY_S = 150.0


@dataclass(frozen=True)
class Worker:
    """What a worker is told: its number from 0 on, which one that replaces it gets too, and whether others answer meanwhile;
    ``tell_ready`` is called when this one does.
    """

    number: int
    others_answer: bool
    tell_ready: Callable[[], None]


Serve = Callable[[Worker], int]


def listen(host: str, port: int, *, is_shared: bool = False, beside: bool = False) -> socket.socket:
    """A socket that listens there. Raises OSError where the port is taken.

    ``is_shared``: a successor may listen beside it. ``beside``: it is such a successor; the socket is bound, and who accepts on
    it listens first.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if is_shared and not beside:
        listen(host, port).close()  # one that shares its port would not be refused
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared or beside:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        if not beside:
            listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def left_workers(note: Path) -> list[int]:
    """Processes of workers that go on without the one that watched them."""
    try:
        noted = json.loads(note.read_bytes())
        if _is_running(noted["watched_by"]):
            return []
        return [pid for pid, created in noted["workers"] if _is_running((pid, created))]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def run_workers(
    count: int, serve: Serve, *, note: Path | None = None, left: Sequence[int] = (), quick_s: float = QUICK_S
) -> int:
    """Run ``serve`` in so many processes until they are told to stop. One that ends by itself is replaced, unless it lived less
    than ``quick_s``: then the others are stopped, too. Returns 0 after a stop that was asked for.

    ``note`` is written for a successor; ``left`` are the workers of a predecessor, which end when the first of these answers.
    Nothing may have been started yet that a fork does not carry over, such as threads.
    """
    crew = _Crew(serve, note, list(left))
    # Until then a signal would find a handler of the parent in a worker.
    signal.signal(signal.SIGUSR1, lambda *_: crew.end_left())
    for number in range(count):
        crew.add(number, others_answer=bool(left))
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: crew.stop())
    failed = False
    while crew.began:
        pid, status = os.wait()
        number, began = crew.began.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if crew.is_stopped:
            failed |= code != 0
        elif time.monotonic() - began < quick_s:
            failed = True
            crew.stop()
        else:
            log.error("worker %d ended with %d and is replaced", pid, code)
            crew.add(number, others_answer=bool(crew.began))
    return int(failed)


@dataclass
class _Crew:
    """The workers of this process; ``began`` has number and monotonic second of each by its process."""

    serve: Serve
    note: Path | None
    left: list[int]
    began: dict[int, tuple[int, float]] = field(default_factory=dict)
    is_stopped: bool = False

    def add(self, number: int, *, others_answer: bool) -> None:
        pid = _fork(self.serve, number, others_answer=others_answer)
        self.began[pid] = (number, time.monotonic())
        if self.is_stopped:  # meanwhile
            os.kill(pid, signal.SIGTERM)
        if self.note is not None:
            write_json(self.note, {"watched_by": _identity(os.getpid()), "workers": [_identity(pid) for pid in self.began]})

    def stop(self) -> None:
        self.is_stopped = True
        self.end_left()
        for pid in list(self.began):
            with suppress(ProcessLookupError):  # it has just ended, and whoever waited for it has not noted that yet
                os.kill(pid, signal.SIGTERM)

    def end_left(self) -> None:
        while self.left:
            try:
                os.kill(self.left.pop(), signal.SIGTERM)
            except ProcessLookupError:
                continue


def _identity(pid: int) -> tuple[int, float]:
    """A process so that another one with its number is not taken for it."""
    try:
        return pid, psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return pid, 0.0


def _is_running(identity: Sequence[float]) -> bool:
    pid, created = identity
    try:
        process = psutil.Process(int(pid))
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _stop_when_alone(parent: int) -> None:
    """A worker whose parent was killed stops, too, when its successor had time enough."""
    while os.getppid() == parent:
        time.sleep(1)
    time.sleep(LEFT_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _report_to(parent: int) -> None:
    if os.getppid() == parent:
        os.kill(parent, signal.SIGUSR1)


def _fork(serve: Serve, number: int, *, others_answer: bool) -> int:
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    code = 1
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(name, signal.SIG_DFL)  # a replacement inherits the handlers of its parent
    threading.Thread(target=_stop_when_alone, args=(parent,), daemon=True).start()
    try:
        code = serve(Worker(number, others_answer, lambda: _report_to(parent)))
    except BaseException:  # nothing of the parent may run on in its child
        log.critical("a process of serving ends with an error", exc_info=True)
    finally:
        sys.stdout.flush()
        os._exit(code)
