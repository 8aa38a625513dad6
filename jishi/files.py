"""Small files, replaced in one step: a reader sees the old content or the new one, also after a crash."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from pathlib import Path


def write_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace a small file in one step: a reader sees the old text or the new one, also after a crash.

    ``mode`` says who may read it, less what the process' umask takes away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Containers that share a folder have the same numbers of processes, and only their hosts' names differ.
    aside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{threading.get_ident()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def file_uri(path: Path) -> str:
    """Where a file lies, as Hadoop, Flink and pyiceberg take it: they read the path of a ``file:`` URI as it stands, so that a
    space written as ``%20`` would be another folder. Raises ValueError for a name that none of them can take.
    """
    text = str(path.absolute())
    if signs := sorted(set(text) & set("?#'")):
        raise ValueError(f"{text} holds {' and '.join(signs)}, which a file's address cannot; use another folder (JISHI_VAR)")
    return f"file://{text}"


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new or renamed file survives a crash of the machine only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def readable_json(value: object) -> str:
    """JSON that people read, the same for the same value."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write_json(path: Path, value: object) -> None:
    """``write_atomically`` of readable JSON."""
    write_atomically(path, readable_json(value))


def append_line(path: Path, line: str) -> None:
    """Add one line to a file that several processes may add to; it is on the disk when this returns.

    What a crash left of a line without its end becomes a line of its own, which a reader of JSON lines can tell and leave out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if file.seek(0, os.SEEK_END) > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
