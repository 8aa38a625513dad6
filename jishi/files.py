"""Small files, replaced in one step: a reader sees the old content or the new one, also after a crash."""

from __future__ import annotations

import json
import os
from pathlib import Path


def write_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace a small file in one step: a reader sees the old text or the new one, also after a crash.

    ``mode`` says who may read it, less what the process' umask takes away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def write_json(path: Path, value: object) -> None:
    """``write_atomically`` of readable JSON."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
