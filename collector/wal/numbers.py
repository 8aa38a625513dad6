"""Which numbers were given away, as others have noted beside the log: the forwarder, and the ledger of deleted segments.

When segments are gone with a disk, these files may be all that says so. A file that cannot be read says nothing.
"""

from __future__ import annotations

import json
from pathlib import Path


def numbers_used(folder: Path) -> int:
    """Below which seq numbers were given away."""
    return max(numbers_counted(folder), _noted(folder / "forwarded.json", "seq"))


def numbers_counted(folder: Path) -> int:
    """Below which seq the ledger has counted entries."""
    return _noted(folder / "deleted.counts", "upto")


def _noted(file: Path, field: str) -> int:
    try:
        noted, _ = json.JSONDecoder().raw_decode(file.read_text(encoding="utf-8"))
        return int(noted[field])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0
