"""A power cut, as a disk sees it: of files and names only what was synced is there afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class Disk:
    """Notes every ``os.fsync`` of this process; what other processes sync (SQLite in C, a JVM) it does not see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._content: set[tuple[int, int]] = set()
        self._names: dict[Path, set[str]] = {}
        real = os.fsync

        def fsync(descriptor: int) -> None:
            real(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path.is_dir():
                self._names[path] = set(os.listdir(path))
            else:
                self._content.add(_state(path))

        monkeypatch.setattr(os, "fsync", fsync)

    def cut(self, folder: Path) -> list[str]:
        """Delete below a folder what was not synced, and what has no synced name; returns names of what is left."""
        lost = [path for path in folder.rglob("*") if path.is_file() and not self._is_kept(path, folder)]
        for path in lost:
            path.unlink()
        return sorted(path.name for path in folder.rglob("*") if path.is_file())

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
