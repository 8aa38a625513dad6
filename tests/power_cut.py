"""A power cut, as a disk sees it: of files and names only what was synced is there afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


class PowerCutError(RuntimeError):
    """The machine is off from here on."""


class Disk:
    """Notes every ``os.fsync`` and ``os.fdatasync`` of this process; what other processes sync (SQLite in C, a JVM) it does
    not see. ``before_sync`` is called before each and may raise: the machine is off then.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, before_sync: Callable[[], None] = lambda: None) -> None:
        self._content: set[tuple[int, int]] = set()
        self._bytes: dict[int, bytes] = {}
        self._names: dict[Path, set[str]] = {}

        def noting(sync: Callable[[int], None]) -> Callable[[int], None]:
            def noted(descriptor: int) -> None:
                before_sync()
                sync(descriptor)
                path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
                if path.is_dir():
                    self._names[path] = set(os.listdir(path))
                else:
                    self._content.add(_state(path))
                    self._bytes[path.stat().st_ino] = path.read_bytes()

            return noted

        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, noting(getattr(os, name)))

    def cut(self, folder: Path) -> list[str]:
        """Delete below a folder what was not synced, and what has no synced name; returns names of what is left."""
        lost = [path for path in folder.rglob("*") if path.is_file() and not self._is_kept(path, folder)]
        for path in lost:
            path.unlink()
        return sorted(path.name for path in folder.rglob("*") if path.is_file())

    def cut_back(self, folder: Path) -> None:
        """Let each file of a folder be what it was when it was last synced, and be gone where its name was not."""
        for file in folder.iterdir():
            if file.name in self._names.get(folder, ()):
                file.write_bytes(self._bytes.get(file.stat().st_ino, b""))
            else:
                file.unlink()

    def _is_kept(self, file: Path, folder: Path) -> bool:
        if _state(file) not in self._content:
            return False
        path = file
        while path != folder:
            if path.name not in self._names.get(path.parent, ()):
                return False
            path = path.parent
        return True


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_ino, status.st_size
