"""Tables are published, not overwritten: write aside, audit, then move one pointer.

A table is a folder ``<lake>/<name>/`` with ``versions/<version>/`` and a file ``CURRENT`` that names the published version. A
version holds partition folders (``shop=<shop_id>`` or ``shop=<shop_id>/batch=<batch>``) with Parquet files. The partition
folders are for carrying over only: every file holds all columns, so a reader takes ``<version>/**/*.parquet`` and nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jishi.files import write_atomically
from jishi.lake.versions import TableNotPublished

KEPT_VERSIONS = 3


@dataclass(frozen=True)
class Draft:
    """A version that is being written; nobody reads it before it is published. Write Parquet files below ``path``."""

    path: Path


@dataclass(frozen=True)
class Lake:
    """The lake below one folder."""

    root: Path

    def current(self, table: str) -> Path:
        """Folder of the published version. Raises TableNotPublished with the command that makes it."""
        pointer = self.root / table / "CURRENT"
        try:
            version = pointer.read_text().strip()
        except FileNotFoundError:
            raise TableNotPublished(f"table {table!r} has no published version in {self.root}; run the history DAG") from None
        return self.root / table / "versions" / version

    def has(self, table: str) -> bool:
        """Whether the table has a published version."""
        return (self.root / table / "CURRENT").exists()

    def files(self, table: str) -> list[Path]:
        """Parquet files of the published version, sorted; empty when the table has rows of no shop or none is published."""
        return sorted(self.current(table).rglob("*.parquet")) if self.has(table) else []

    @contextmanager
    def publish(self, table: str, replace: Iterable[str] | None = None) -> Iterator[Draft]:
        """Write a new version and publish it when the block ends without an error; an error leaves the old one in place.

        ``replace`` names the partitions (folders, such as ``shop=a``) that the block writes; all others are carried over from
        the published version. ``None`` means that the block writes the whole table.
        """
        folder = self.root / table
        version = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        draft = folder / "versions" / f".{version}"
        draft.mkdir(parents=True)
        try:
            if replace is not None and self.has(table):
                _carry_over(self.current(table), draft, frozenset(replace))
            yield Draft(draft)
            final = folder / "versions" / version
            draft.rename(final)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        write_atomically(folder / "CURRENT", version + "\n")
        self._drop_old_versions(folder)

    def _drop_old_versions(self, folder: Path) -> None:
        versions = sorted(p for p in (folder / "versions").iterdir() if not p.name.startswith("."))
        for old in versions[:-KEPT_VERSIONS]:
            shutil.rmtree(old, ignore_errors=True)


def _carry_over(source: Path, target: Path, replaced: frozenset[str]) -> None:
    """Link every file of ``source`` into ``target`` but those in a replaced partition; copies where links do not work."""
    for file in source.rglob("*.parquet"):
        relative = file.relative_to(source)
        parents = {str(p) for p in relative.parents}
        if parents & replaced:
            continue
        destination = target / relative
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, destination)
        except OSError:
            shutil.copy2(file, destination)
