"""The state folder is ours: claimed by a mark before anything is written, and emptied only where the mark lies."""

from __future__ import annotations

import shutil
from pathlib import Path

MARK = ".jishi-state"
# What parts write when they are used one by one, before a platform was ever started.
_NAMES = {
    *(
        "shops.json",
        ".shops.json.lock",
        "fx_rates",
        "identity",
        "run",
        "beats",
        "log",
        "demo",
        "wal",
        "kafka",
        "flink",
        "lake",
        "landing",
        "warehouse",
        "features",
        "gates",
        "formats.json",
        "upgrade",
    ),
    *("models", "rules", "runs", "serving", "spark", "airflow", "jupyter", "superset", "portal", "digests", "alerts", "site"),
}
_TEXT = "All state of one Jishi platform. `jishi demo` empties this folder.\n"


class NotOurState(RuntimeError):
    """The folder holds files of somebody else; the message names the setting to change."""


def is_claimed(var: Path) -> bool:
    """Whether the folder carries the mark."""
    return (var / MARK).is_file()


def claim(var: Path) -> None:
    """Mark a folder as the platform's state. Raises NotOurState when it holds files of somebody else."""
    if is_claimed(var):
        return
    strange = sorted({entry.name for entry in var.iterdir()} - _NAMES) if var.exists() else []
    if strange:
        raise NotOurState(
            f"{var} (JISHI_VAR) holds files that Jishi did not make ({', '.join(strange[:3])}); name an empty folder"
        )
    var.mkdir(parents=True, exist_ok=True)
    (var / MARK).write_text(_TEXT, encoding="utf-8")


def empty(var: Path) -> None:
    """Remove everything in the folder but the mark. Raises NotOurState when it is not ours."""
    claim(var)
    for entry in var.iterdir():
        if entry.name == MARK:
            continue
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
