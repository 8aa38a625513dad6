"""Secrets of one installation, each a file that only the platform's user can read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from jishi.files import write_atomically


def secret_of(file: Path) -> bytes:
    """The secret in a file, 256 random bits in hex; it is made when it is first needed."""
    if not file.exists():
        aside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        write_atomically(aside, secrets.token_hex(32), mode=0o600)
        with suppress(FileExistsError):  # another process was first
            os.link(aside, file)
        aside.unlink()
    return file.read_bytes()
