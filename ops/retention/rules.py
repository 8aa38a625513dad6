"""The kinds of rule that bound a place, and what each takes away now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

DAY_S = 86_400.0


@dataclass(frozen=True)
class PartKeeps:
    """The part that writes here bounds it itself. ``bound`` says how, ``shown_by`` names the test that shows it."""

    bound: str
    shown_by: str


@dataclass(frozen=True)
class Fixed:
    """Nothing is added with time: one file for each of something that people make, replaced in place."""

    bound: str


@dataclass(frozen=True)
class GrowsWithTraffic:
    """What shops sent: kept as long as the shop. It is compacted, and the disk has to be sized for it."""

    bound: str


@dataclass(frozen=True)
class OlderThan:
    """Files that were last written more than ``days`` ago go; the newest ``but_newest`` of each folder stay, however old."""

    days: float
    but_newest: int = 0

    @property
    def bound(self) -> str:
        """In words."""
        return f"{self.days:g} days" + (f", and the newest {self.but_newest} of a folder" if self.but_newest else "")

    def doomed(self, files: Sequence[Path], now_s: float) -> list[Path]:
        """The files, of those that lie at the place, that go."""
        spared = {file for group in _by_folder(files) for file in _newest_first(group)[: self.but_newest]}
        return [file for file in files if file not in spared and now_s - _written_at(file) > self.days * DAY_S]


@dataclass(frozen=True)
class FoldersOlderThan:
    """Whole folders in which nothing was written for ``days`` go, but the newest ``but_newest`` of those that lie together, and
    one whose name stands in the file ``but_named_in`` beside it.
    """

    days: float
    but_newest: int = 0
    but_named_in: str | None = None

    @property
    def bound(self) -> str:
        """In words."""
        return f"{self.days:g} days" + (f", and the newest {self.but_newest}" if self.but_newest else "")

    def doomed(self, folders: Sequence[Path], now_s: float) -> list[Path]:
        """The folders that go."""
        doomed = []
        for group in _by_folder(folders):
            spared = {_name_in(group[0].parent / self.but_named_in)} if self.but_named_in else set()
            spared |= {folder.name for folder in _newest_first(group)[: self.but_newest]}
            doomed += [f for f in group if f.name not in spared and now_s - _written_at(f) > self.days * DAY_S]
        return doomed


@dataclass(frozen=True)
class Rotated:
    """A file that is only added to: once it is larger than ``mib`` it takes the place of the one before, ``<name>.1``. Its
    writer opens it for each addition.
    """

    mib: int

    @property
    def bound(self) -> str:
        """In words."""
        return f"the newest {self.mib} MiB, and as much before"

    def doomed(self, files: Sequence[Path], now_s: float) -> list[Path]:
        """The files that are moved aside."""
        return [file for file in files if not file.name.endswith(".1") and size_of(file) > self.mib * 2**20]


@dataclass(frozen=True)
class RowsOlderThan:
    """Rows of a database go after ``days``; ``command`` does it: module and argument of a part's own entry.

    ``address`` is the setting that names a server which may hold the database instead of the file; ``needs`` the environment
    without which the command can do nothing.
    """

    days: int
    command: tuple[str, str]
    rows: str
    address: str = ""
    needs: str = "main"

    @property
    def bound(self) -> str:
        """In words."""
        return f"{self.rows}: {self.days} days"


Rule = PartKeeps | Fixed | GrowsWithTraffic | OlderThan | FoldersOlderThan | Rotated | RowsOlderThan


def _by_folder(entries: Iterable[Path]) -> list[list[Path]]:
    groups: dict[Path, list[Path]] = {}
    for entry in entries:
        groups.setdefault(entry.parent, []).append(entry)
    return list(groups.values())


def _newest_first(entries: Iterable[Path]) -> list[Path]:
    return sorted(entries, key=_written_at, reverse=True)


def _written_at(entry: Path) -> float:
    """When a file, or anything in a folder, was last written (epoch seconds); 0 for what is gone, so that it spares nothing."""
    if not entry.is_dir():
        return _mtime(entry)
    return max((_mtime(inner) for inner in entry.rglob("*") if not inner.is_dir()), default=_mtime(entry))


def _mtime(entry: Path) -> float:
    try:
        return entry.lstat().st_mtime
    except FileNotFoundError:
        return 0.0


def size_of(file: Path) -> int:
    """Its bytes; 0 when something else has taken it away."""
    try:
        return file.lstat().st_size
    except FileNotFoundError:
        return 0


def _name_in(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""
