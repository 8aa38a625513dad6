"""The folder of an export, which notes each file before it writes it: what a cut-off export left can be told from other files.

The note ``.unfinished`` has the shop in its first line and then a name a line. It goes when the export is whole.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from jishi.files import fsync_folder

NOTE = ".unfinished"


class FolderNotEmpty(ValueError):
    """The folder of an export has files that an interrupted export of the same shop did not leave; the message says which."""


class ExportFolder:
    """A folder to write into; ``replaced`` is the number of files of an interrupted export that were taken away."""

    def __init__(self, path: Path, note: IO[str], replaced: int) -> None:
        self.path, self.replaced = path, replaced
        self._note = note

    def file(self, name: str) -> Path:
        """Where to write a file, by its path in the folder; its folders are there."""
        self._note.write(f"{name}\n")
        self._note.flush()
        os.fsync(self._note.fileno())
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


@contextmanager
def opened_for_export(path: Path, shop_id: str) -> Iterator[ExportFolder]:
    """An empty folder, which nobody else may read; a whole export when the block ends without error. Raises FolderNotEmpty."""
    note = path / NOTE
    if path.exists() and any(path.iterdir()) and not (note.is_file() and not note.is_symlink()):
        raise FolderNotEmpty(f"{path} is not empty: name an empty folder, or one that is not there")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    with note.open("a+", encoding="utf-8") as content:
        try:
            fcntl.flock(content, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderNotEmpty(f"{path} is being written by another export") from None
        content.seek(0)
        replaced = _clear(path, shop_id, content.read())
        content.truncate(0)
        content.write(f"{shop_id}\n")
        content.flush()
        os.fsync(content.fileno())
        fsync_folder(path)
        yield ExportFolder(path, content, replaced)
        note.unlink()
        fsync_folder(path)


def _clear(path: Path, shop_id: str, note: str) -> int:
    """Take away what the note names, if nothing else is there; the number of files. Raises FolderNotEmpty."""
    shop, *names = note.split("\n")[:-1] or [shop_id]  # of a line that was cut off there is no file
    noted = {path / name for name in names}
    entries = [Path(folder) / name for folder, folders, files in os.walk(path) for name in (*folders, *files)]
    folders = {entry for entry in entries if entry.is_dir() and not entry.is_symlink()}
    files = {entry for entry in entries if entry not in folders} - {path / NOTE}
    if shop != shop_id:
        raise FolderNotEmpty(f"{path} holds an interrupted export of shop {shop!r}: name another folder")
    if others := sorted(str(file.relative_to(path)) for file in files - noted):
        raise FolderNotEmpty(
            f"{path} holds an interrupted export and other files ({', '.join(others[:3])}): move them, or name another folder"
        )
    for file in files:
        file.unlink()
    for folder in sorted(folders & {path / parent for name in names for parent in PurePosixPath(name).parents}, reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return len(files)
