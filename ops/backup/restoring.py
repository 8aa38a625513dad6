"""``jishi restore``: a platform of a backup, in an empty folder of any name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from jishi.files import write_atomically
from jishi.lake.catalog import open_catalog
from jishi.lake.plans import local_path
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from ops.backup.copying import FILES, FORMAT, MANIFEST, BackupFailed, BackupManifest, CopiedFile
from ops.backup.moving_lake import move_lake
from ops.marts_file import link_newest
from ops.state import MARK, claim
from ops.supervisor import is_running

Say = Callable[[str], None]


def read_manifest(source: Path) -> BackupManifest:
    """What a backup is. Raises BackupFailed for a folder that is none, or not whole, or of a later format."""
    try:
        content = json.loads((source / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise BackupFailed(f"{source} holds no {MANIFEST}: it is no backup, or one that was cut off") from None
    if content["format"] != FORMAT:
        raise BackupFailed(f"{source} is of format {content['format']}; this code reads format {FORMAT}")
    content["files"] = {name: CopiedFile(**file) for name, file in content["files"].items()}
    return BackupManifest(**content)


def restore(settings: Settings, source: Path, say: Say) -> BackupManifest:
    """Make the platform that the settings name of a backup. Raises BackupFailed; then the folder is empty again."""
    paths, manifest = Paths.of(settings), read_manifest(source)
    _refuse(settings, paths)
    claim(paths.var)
    try:
        for name, expected in manifest.files.items():
            _copy(source / FILES / name, paths.var / name, expected)
        say(f"{len(manifest.files)} files, each with its checksum")
        changed = move_lake(paths.lake_catalog, paths.lake / "warehouse", manifest.warehouse)
        say(f"the lake names its new folder in {changed} files")
        rows = check_tables(settings)
        say(f"version {manifest.version} of the lake: {len(rows)} tables, {sum(rows.values()):,} rows, every file there")
        link_newest(settings)
    except BaseException:
        for entry in paths.var.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        raise
    if manifest.settings:
        text = "".join(f"{name}={value}\n" for name, value in sorted(manifest.settings.items()))
        write_atomically(paths.var / "settings.restored.env", text, mode=0o600)
        say(f"settings of the old platform: {paths.var / 'settings.restored.env'}; take over what should hold here, too")
    return manifest


def check_tables(settings: Settings) -> dict[str, int]:
    """Rows of every table in its current state, and of the newest version's; every file is there in its length.

    Raises BackupFailed naming the table and the file.
    """
    catalog, newest = open_catalog(settings), Versions.of(settings).latest()
    recorded = {name.replace("/", "."): snapshot for name, snapshot in newest.snapshots.items()} if newest else {}
    rows = {}
    for namespace in catalog.list_namespaces():
        for identifier in catalog.list_tables(namespace):
            name = ".".join(identifier)
            table = catalog.load_table(identifier)
            current = table.current_snapshot()
            needed = {recorded.get(name), current.snapshot_id if current else None} - {None}
            for snapshot_id in needed:
                files = [task.file for task in table.scan(snapshot_id=snapshot_id).plan_files()]
                for file in files:
                    path = Path(local_path(file.file_path))
                    if not path.exists() or path.stat().st_size != file.file_size_in_bytes:
                        raise BackupFailed(f"{name} needs {path}, which is not whole in this backup; make another one")
                rows[name] = sum(file.record_count for file in files)
    return rows


def _refuse(settings: Settings, paths: Paths) -> None:
    if is_running(paths):
        raise BackupFailed(f"a platform runs in {paths.var}; name an empty folder in JISHI_VAR")
    if paths.var.exists() and {entry.name for entry in paths.var.iterdir()} - {MARK}:
        raise BackupFailed(f"{paths.var} (JISHI_VAR) is not empty; name an absent or empty folder")
    if settings.lake_catalog_uri or settings.lake_warehouse:
        raise BackupFailed("leave JISHI_LAKE_CATALOG_URI and JISHI_LAKE_WAREHOUSE empty: the backup's lake lies in JISHI_VAR")


def _copy(source: Path, target: Path, expected: CopiedFile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with source.open("rb") as reading, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as writing:
            while chunk := reading.read(2**20):
                digest.update(chunk)
                writing.write(chunk)
    except FileNotFoundError:
        raise BackupFailed(f"{source} is missing; the backup is not whole") from None
    if digest.hexdigest() != expected.sha256:
        raise BackupFailed(f"{source} has another content than {MANIFEST} says (sha256); the backup is damaged")
    shutil.copystat(source, target)
    target.chmod(0o600)
