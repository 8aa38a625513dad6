"""The machine's faults for a process: ``shim.c`` compiled, and the file by which they begin and end."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_FORM = struct.Struct("=qqq")


class ShimFailed(RuntimeError):
    """The compiler refused the shim."""


@dataclass(frozen=True)
class Shim:
    """A compiled shim whose disk faults hit ``folder``; ``environment`` puts it into a process."""

    library: Path
    control: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that has the faults."""
        return {
            "LD_PRELOAD": str(self.library),
            "JISHI_CHAOS_CONTROL": str(self.control),
            "JISHI_CHAOS_FOLDER": str(self.folder),
        }

    def set(self, *, is_full: bool = False, sync_delay_ms: int = 0, clock_skew_ms: int = 0) -> None:
        """Let the faults be exactly these; without arguments none."""
        with self.control.open("r+b") as file:  # in place: processes have the file mapped
            file.write(_FORM.pack(is_full, sync_delay_ms, clock_skew_ms))


def compiled_shim(work: Path, folder: Path) -> Shim | None:
    """The shim, compiled into ``work``; None where there is no C compiler. Raises ShimFailed."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    work.mkdir(parents=True, exist_ok=True)
    shim = Shim(work / "shim.so", work / "control", folder)
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(shim.library), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ShimFailed(f"{' '.join(command)} failed: {done.stderr.strip()}")
    shim.control.write_bytes(_FORM.pack(0, 0, 0))
    return shim
