"""Several processes that answer on one port: they share the listening socket, and each has an engine of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def run_workers(count: int, serve: Callable[[int], int]) -> int:
    """Run ``serve`` in so many processes, each told its number from 0 on, until they are told to stop. When one ends by itself,
    the others are stopped: whoever watches this process starts all of them anew. Returns 0 after a stop that was asked for.

    Nothing may have been started yet that a fork does not carry over, such as threads.
    """
    workers = [_fork(serve, number) for number in range(count)]
    asked = False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True
        _terminate(workers)

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    failed = False
    while workers:
        pid, status = os.wait()
        workers.remove(pid)
        failed |= os.waitstatus_to_exitcode(status) != 0 or not asked
        if failed:
            _terminate(workers)
    return int(failed)


def _terminate(workers: list[int]) -> None:
    for pid in workers:
        os.kill(pid, signal.SIGTERM)


def _stop_when_alone(parent: int) -> None:
    """A worker whose parent was killed stops, too."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _fork(serve: Callable[[int], int], number: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    threading.Thread(target=_stop_when_alone, args=(os.getppid(),), daemon=True).start()
    try:
        code = serve(number)
    except BaseException:  # noqa: BLE001 (nothing of the parent may run on in its child)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)
