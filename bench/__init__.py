"""Every number that the documents claim, each a command: ``jishi bench NAME``."""

from __future__ import annotations

from pathlib import Path


def user_path(text: str) -> Path:
    """A path as the user meant it, whatever folder the processes that get it run in."""
    return Path(text).absolute()
