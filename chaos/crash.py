"""Kill a process at the n-th of its writes, whichever library makes it: ``crash.c`` compiled, and a server that forks the work.

The server has imported what the work needs, so that a process costs no start. It answers lines of JSON on its standard input,
``[name, arguments]``, with a line each: the status of the process that called ``works[name](*arguments)``.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.shim import ShimFailed

SOURCE = Path(__file__).with_name("crash.c")
NEVER = 2**62
_FORM = struct.Struct("=qqq")


@dataclass(frozen=True)
class CrashPoint:
    """The ``at``-th write (from 1) of some work; ``is_torn``: in the middle of it instead of before it."""

    at: int
    is_torn: bool = False

    def __str__(self) -> str:
        return f"{'in' if self.is_torn else 'before'} write {self.at}"


class CrashServer:
    """Runs works in processes of which it counts the writes and may end one."""

    def __init__(self, process: subprocess.Popen[str], control: Path) -> None:
        self._process, self._control = process, control

    def run(self, name: str, *arguments: Any, point: CrashPoint | None = None) -> int:
        """Call a work; returns the exit code of its process, -9 when it died at the point."""
        with self._control.open("r+b") as file:  # in place: the server has the file mapped
            file.write(_FORM.pack(0, point.at if point else NEVER, bool(point and point.is_torn)))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([name, arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise ShimFailed(f"the server of {name} has ended with {self._process.wait()}")
        return os.waitstatus_to_exitcode(int(answer))

    @property
    def writes(self) -> int:
        """How many writes the last work made."""
        return int(_FORM.unpack(self._control.read_bytes())[0])


@contextmanager
def crash_server(work: Path, folder: Path, module: str) -> Iterator[CrashServer]:
    """A server of ``module``, which calls ``serve``; writes below ``folder`` count. Raises ShimFailed."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise ShimFailed("there is no C compiler; install one (Debian: apt-get install gcc)")
    library, control = work / "crash.so", work / "crash-control"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ShimFailed(f"{' '.join(command)} failed: {done.stderr.strip()}")
    control.write_bytes(_FORM.pack(0, NEVER, 0))
    environment = os.environ | {"JISHI_CRASH_CONTROL": str(control), "JISHI_CRASH_FOLDER": str(folder)}
    environment["LD_PRELOAD"] = str(library)
    server = [sys.executable, "-m", module]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield CrashServer(process, control)
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(30)


def serve(works: Mapping[str, Callable[..., None]]) -> None:
    """Be the server: fork for each line of the standard input."""
    for line in sys.stdin:
        name, arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            works[name](*arguments)  # what it raises ends this process, with 1 and its traceback
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)
