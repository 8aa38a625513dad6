"""Kill or hold a process at the n-th of its writes, whichever library makes it: ``crash.c`` compiled, and a server of works.

The server has imported what the work needs. It answers lines of JSON on its standard input, ``[name, arguments]``, with a line
each: the exit code of ``works[name](*arguments)``. It forks for each, so that a process costs no start, or does the work itself
where a fork would lose threads (a JVM); then it dies with the work and the next one starts it anew.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from chaos.shim import Shim, ShimFailed, compiled_shim

SOURCE = Path(__file__).with_name("crash.c")
NEVER = 2**62
KILLED, REFUSED = -9, 75
How = Literal["before", "torn", "held", "traced", "full"]
_MODES: tuple[How, ...] = get_args(How)  # in the order of crash.c
_FORM = struct.Struct("=qqq")


@dataclass(frozen=True)
class CrashPoint:
    """The ``at``-th write (from 1) of some work, and what happens there.

    The process dies ``before`` it or in the middle of it (``torn``); or nothing dies: the work waits before it until it is
    released (``held``), or the disk is ``full`` from there on.
    """

    at: int
    how: How = "before"

    def __str__(self) -> str:
        return f"{self.how} at write {self.at}"


class CrashServer:
    """Runs works in processes of which it counts the writes and may end one."""

    def __init__(self, command: list[str], environment: Mapping[str, str], control: Path, trace: Path, shim: Shim) -> None:
        self._command, self._environment = command, environment
        self._control, self._trace, self._shim = control, trace, shim
        self._process: subprocess.Popen[str] | None = None

    def run(self, name: str, *arguments: Any, point: CrashPoint | None = None) -> int:
        """Call a work; returns its exit code: KILLED when it died at the point, REFUSED when it gave way to another."""
        self._set(0, point.at if point else NEVER, point.how if point else "before")
        return self._call(name, *arguments)

    def traced(self, name: str, *arguments: Any) -> tuple[int, list[str]]:
        """Call a work; returns its exit code and all of its writes in order, ``call path`` each."""
        self._trace.write_bytes(b"")  # in place: processes have it open
        self._set(0, NEVER, "traced")
        code = self._call(name, *arguments)
        return code, self._trace.read_text().splitlines()

    @property
    def writes(self) -> int:
        """How many writes the last work made, or has made so far."""
        return int(_FORM.unpack(self._control.read_bytes())[0])

    def set_clock(self, ahead_s: float) -> None:
        """Let the wall clock of works be so many seconds ahead."""
        self._shim.set(clock_skew_ms=round(1000 * ahead_s))

    def release(self) -> None:
        """Let a work go on that is held, and not hold it again."""
        self._set(self.writes, NEVER, "before")

    def close(self) -> None:
        """End the server; the next work starts one."""
        if self._process is None:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # a JVM ends later than its driver
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process = None

    def _set(self, count: int, at: int, how: How) -> None:
        with self._control.open("r+b") as file:  # in place: processes have the file mapped
            file.write(_FORM.pack(count, at, _MODES.index(how)))

    def _call(self, name: str, *arguments: Any) -> int:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([name, arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if answer:
            return int(answer)
        code = self._process.wait()
        self.close()
        if code != -signal.SIGKILL:
            raise ShimFailed(f"the server of {name} has ended with {code}")
        return KILLED


def compiled_crash(work: Path) -> Path:
    """The library of the crash points, compiled into a folder. Raises ShimFailed."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ShimFailed("there is no C compiler; install one (Debian: apt-get install gcc)")
    library = work / "crash.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ShimFailed(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return library


@contextmanager
def crash_server(work: Path, folder: Path, module: str, *, is_group: bool = False) -> Iterator[CrashServer]:
    """A server of ``module``, which calls ``serve``; writes below ``folder`` count. ``work`` is a folder of its own.

    ``is_group``: a point ends all processes of the server, such as its JVM. Raises ShimFailed.
    """
    library, control, trace = compiled_crash(work), work / "crash-control", work / "crash-trace"
    shim = compiled_shim(work / "shim", folder)
    assert shim is not None  # it is compiled by the same compiler
    control.write_bytes(_FORM.pack(0, NEVER, 0))
    environment = os.environ | {"JISHI_CRASH_CONTROL": str(control), "JISHI_CRASH_FOLDER": str(folder)}
    environment |= {"JISHI_CRASH_TRACE": str(trace)} | shim.environment
    environment["LD_PRELOAD"] = f"{library}:{shim.library}"
    environment |= {"JISHI_CRASH_GROUP": "1"} if is_group else {}
    server = CrashServer([sys.executable, "-m", module], environment, control, trace, shim)
    try:
        yield server
    finally:
        server.release()
        server.close()


def serve(works: Mapping[str, Callable[..., None]], refusals: tuple[type[Exception], ...] = (), *, forks: bool = True) -> None:
    """Be the server: do each line of the standard input. ``refusals`` are what a work raises when another came first."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what works print is no answer
    for line in sys.stdin:
        name, arguments = json.loads(line)
        done = _forked if forks else _done
        print(done(works[name], arguments, refusals), file=answers, flush=True)
    os._exit(0)  # what works have imported needs seconds to end in order


def _forked(work: Callable[..., None], arguments: list[Any], refusals: tuple[type[Exception], ...]) -> int:
    """The exit code of a process that did the work. What it had to import is imported here too, for those after it."""
    reading, writing = os.pipe()
    child, before = os.fork(), set(sys.modules)
    if child == 0:
        code = _done(work, arguments, refusals)
        os.write(writing, " ".join(set(sys.modules) - before).encode()[:60_000])  # what fits into a pipe
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as imported:
        names = imported.read().split()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for name in names:
        with suppress(Exception):  # made at run time, or the half of a name: the next work does without
            importlib.import_module(name)
    return code


def _done(work: Callable[..., None], arguments: list[Any], refusals: tuple[type[Exception], ...]) -> int:
    try:
        work(*arguments)
    except refusals as error:
        print(f"gave way: {error}", file=sys.stderr)
        return REFUSED
    except Exception:  # noqa: BLE001 (whatever it is, the caller sees that the work failed)
        traceback.print_exc()
        return 1
    return 0
