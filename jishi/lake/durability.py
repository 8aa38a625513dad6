"""What a version names is on the disk before its record is: a power cut leaves the version before, or this one whole.

Engines write a table's files without syncing them, and those of a stream's appends too. An object store keeps what it has
acknowledged, so only a lake in a folder needs this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jishi.lake.catalog import is_in_object_store
from jishi.lake.plans import local_path, plan_of
from jishi.lake.release import TableRefs
from jishi.settings import Settings

AT_ONCE = 8  # syncs that come together share a commit of the file system's journal


def sync_snapshots(
    settings: Settings, snapshots: Mapping[str, int], known: Mapping[str, int], refs_of: Callable[[str], TableRefs]
) -> int:
    """Sync what the snapshots of some tables have and those that an earlier version names, ``known``, have not.

    Returns how many files were synced. Raises FileNotFoundError for a file that is gone.
    """
    if is_in_object_store(settings):
        return 0
    files: set[Path] = set()
    for table, snapshot_id in snapshots.items():
        refs = refs_of(table)
        before = _files(settings, table, known[table], refs) if table in known else set()
        files |= _files(settings, table, snapshot_id, refs) - before
        files.add(Path(local_path(refs.metadata())))
    # The checksums that Hadoop's file system keeps beside each file; one that is torn would make the file unreadable to it.
    checksums = {beside for beside in (file.with_name(f".{file.name}.crc") for file in files) if beside.exists()}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(sync, files | checksums))
        list(pool.map(sync, _folders(files)))
    return len(files)


def sync(path: Path) -> None:
    """Until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(settings: Settings, table: str, snapshot_id: int, refs: TableRefs) -> set[Path]:
    """Data files of a snapshot, and the manifests that lead to them."""
    manifests = {Path(local_path(location)) for location in refs.manifests(snapshot_id)}
    return manifests | {Path(file.path) for file in plan_of(settings, table, snapshot_id).files}


def _folders(files: Iterable[Path]) -> set[Path]:
    """Folders of the files, and those that these lie in, up to the lake's."""
    folders: set[Path] = set()
    for folder in {file.parent for file in files}:
        folders |= {folder, *folder.parents[:4]}  # a partition's fields, data, table, namespace
    return folders
