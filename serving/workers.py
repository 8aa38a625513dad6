"""Several processes that answer on one port: they share the listening socket, and each has an engine of its own.

One that dies is replaced while the others answer, however young it was. When the process that watches them dies, they answer on
until its successor has workers of its own; the successor finds them by a note and shares their port.
"""

from __future__ import annotations

import ctypes
import json
import logging
import mmap
import os
import signal
import socket
import struct
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
QUICK_S = 5.0  # a worker that dies so early may die again: the more often in a row, the later its next try
TRIES = 5  # so many quick deaths in a row, while no other answers, are a start that failed
_CHOOSE_BY, _RETURN_CONSTANT = 51, 0x06  # SO_ATTACH_REUSEPORT_CBPF, BPF_RET | BPF_K
_FIRST_WAIT_S, _LONGEST_WAIT_S, _LOOK_S = 0.5, 30.0, 0.05
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


def take_over(listener: socket.socket) -> None:
    """Let every new connection come to this socket, which listens beside a predecessor's, so that none waits at that one when
    its workers leave: the kernel would reset it. Where the kernel cannot, connections go to both.
    """
    # The kernel's choice among sockets of a port is a program that returns a place; one without a socket leaves it to chance.
    second = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN_CONSTANT, 0, 0, 1))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _CHOOSE_BY, struct.pack("HL", 1, ctypes.addressof(second)))


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
    """Run ``serve`` in so many processes until they are told to stop, each replaced when it ends by itself. Returns 0 after a
    stop that was asked for.

    One that lived less than ``quick_s`` is tried again at once, then after pauses that double. When one has died so ``TRIES``
    times in a row and none answers, the start has failed: the rest are stopped.

    ``note`` is written for a successor; ``left`` are the workers of a predecessor, which end when the first of these answers.
    Nothing may have been started yet that a fork does not carry over, such as threads.
    """
    crew = _Crew(serve, note, mmap.mmap(-1, count), list(left))
    # Until then a signal would find a handler of the parent in a worker.
    signal.signal(signal.SIGUSR1, lambda *_: crew.end_left())
    for number in range(count):
        crew.add(number)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: crew.stop())
    failed = False
    while crew.began or (crew.due and not crew.is_stopped):
        ended = crew.wait()
        if ended is None:
            crew.add_due()
            continue
        pid, code = ended
        number, began = crew.began.pop(pid)
        if crew.is_stopped:
            failed |= code not in (0, -signal.SIGTERM)  # one that was told before it could listen to it
            continue
        quick = crew.note_death(number, is_quick=time.monotonic() - began < quick_s)
        if quick >= TRIES and not crew.answers():
            log.critical("no worker of serving starts: %d in a row ended within %g s, the last with %d", quick, quick_s, code)
            failed = True
            crew.stop()
        else:
            log.error("worker %d ended with %d and is replaced", pid, code)
    return int(failed)


@dataclass
class _Crew:
    """The workers of this process; ``began`` has number and monotonic second of each by its process, ``due`` when a number
    gets its next process, ``quick`` how often in a row its last ones died quickly, and ``ready``, which all share, a byte by
    number: whether its process has said that it answers.
    """

    serve: Serve
    note: Path | None
    ready: mmap.mmap
    left: list[int]
    began: dict[int, tuple[int, float]] = field(default_factory=dict)
    due: dict[int, float] = field(default_factory=dict)
    quick: dict[int, int] = field(default_factory=dict)
    is_stopped: bool = False

    def add(self, number: int) -> None:
        self.ready[number] = 0
        pid = _fork(self.serve, number, self.ready, others_answer=self.answers())
        self.began[pid] = (number, time.monotonic())
        if self.is_stopped:  # meanwhile
            os.kill(pid, signal.SIGTERM)
        if self.note is not None:
            workers = [_identity(pid) for pid in (*self.left, *self.began)]
            write_json(self.note, {"watched_by": _identity(os.getpid()), "workers": workers})

    def add_due(self) -> None:
        for number in [number for number, at in self.due.items() if at <= time.monotonic() and not self.is_stopped]:
            del self.due[number]
            self.add(number)

    def wait(self) -> tuple[int, int] | None:
        """The next worker that has ended with its exit code; None when one is due to be started, or to look again."""
        if self.began and (self.is_stopped or not self.due):
            pid, status = os.wait()
            return pid, os.waitstatus_to_exitcode(status)
        if self.began:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                return pid, os.waitstatus_to_exitcode(status)
        time.sleep(max(0.0, min(_LOOK_S, min(self.due.values(), default=0.0) - time.monotonic())))
        return None

    def note_death(self, number: int, *, is_quick: bool) -> int:
        """Says when the worker's number is due again. Returns its quick deaths in a row."""
        quick = self.quick[number] = self.quick.get(number, 0) + 1 if is_quick else 0
        wait_s = min(_FIRST_WAIT_S * 2 ** (quick - 2), _LONGEST_WAIT_S) if quick > 1 else 0.0
        self.due[number] = time.monotonic() + wait_s
        return quick

    def answers(self) -> bool:
        """Whether one is there that answers, be it a predecessor's."""
        return any(self.ready[number] for number, _ in self.began.values()) or any(map(_is_there, self.left))

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


def _is_there(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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


def _report_to(parent: int, ready: mmap.mmap, number: int) -> None:
    ready[number] = 1
    if os.getppid() == parent:
        os.kill(parent, signal.SIGUSR1)


def _fork(serve: Serve, number: int, ready: mmap.mmap, *, others_answer: bool) -> int:
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    code = 1
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(name, signal.SIG_DFL)  # a replacement inherits the handlers of its parent
    threading.Thread(target=_stop_when_alone, args=(parent,), daemon=True).start()
    try:
        code = serve(Worker(number, others_answer, lambda: _report_to(parent, ready, number)))
    except BaseException:  # nothing of the parent may run on in its child
        log.critical("a process of serving ends with an error", exc_info=True)
    finally:
        sys.stdout.flush()
        os._exit(code)
