"""Secrets of one installation, each a file that only the platform's user can read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from jishi.files import write_atomically


def secret_of(file: Path) -> bytes:
    """The secret in a file, 256 random bits in hex; it is made when it is first needed."""
    write_once(file, secrets.token_hex(32))
    return file.read_bytes()


def write_once(file: Path, text: str) -> None:
    """Write a secret that is not there yet, whole. Of processes that do it at once one is first, and the others take its."""
    if file.exists():
        return
    aside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    write_atomically(aside, text, mode=0o600)
    with suppress(FileExistsError):  # another process was first
        os.link(aside, file)
    aside.unlink()
