"""Keep a second process out: a lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from collector.wal.segments import WalLocked


def lock(file: Path) -> IO[bytes]:
    """Hold ``file`` until the returned handle is closed. Raises WalLocked when another process holds it."""
    handle = file.open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise WalLocked(f"{file.parent} is used by another running process (it holds {file.name}); stop it first") from None
    return handle
