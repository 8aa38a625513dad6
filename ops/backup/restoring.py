"""``jishi restore``: a platform of a backup, in an empty folder of any name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jishi.files import write_atomically
from jishi.lake.catalog import open_catalog
from jishi.lake.plans import local_path
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.topics import EVENTS
from ops.backup.contents import STEPS, files_of_step, step_of
from ops.backup.copying import FILES, FORMAT, MANIFEST, BackupFailed, BackupManifest, CopiedFile, copy_file
from ops.backup.moving_lake import move_lake
from ops.marts_file import link_newest
from ops.processes import processes_of
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


def restore(settings: Settings, source: Path, say: Say, *, log_of: Path | None = None) -> BackupManifest:
    """Make the platform that the settings name of a backup. Raises BackupFailed; then the folder is empty again.

    ``log_of`` is the state folder of the platform that the backup was of, stopped: its event log and write-ahead log, which go
    on past the backup, are taken in the place of the backup's.
    """
    paths, manifest = Paths.of(settings), read_manifest(source)
    _refuse(settings, paths)
    if log_of is not None:
        _refuse_log(source, manifest, log_of)
    claim(paths.var)
    try:
        names = [name for name in manifest.files if log_of is None or not _is_of_log(name)]
        for name in names:
            _copy(source / FILES / name, paths.var / name, manifest.files[name])
        say(f"{len(names)} files, each with its checksum")
        if log_of is not None:
            files = [file for step in STEPS if step.is_log for file in files_of_step(log_of, step)]
            for file in files:
                copy_file(file, paths.var / file.relative_to(log_of))
            say(f"event log and write-ahead log of {log_of}: {len(files)} files")
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


def unknown_since(manifest: BackupManifest, now: datetime, *, has_log: bool) -> str | None:
    """What a restored platform cannot know, as a sentence; None where it knows all that was acknowledged."""
    created = datetime.fromisoformat(manifest.created_at)
    kept_since = now - timedelta(milliseconds=int(EVENTS.config["retention.ms"]))
    if not has_log:
        unknown = f"after {manifest.created_at}; where the old state folder is still there, restore with --log FOLDER"
    elif kept_since > created:
        until = kept_since.astimezone(UTC).isoformat(timespec="seconds")
        unknown = f"between {manifest.created_at} and {until}, since when the event log is kept"
    else:
        return None
    return (
        f"NOT KNOWN: what was acknowledged {unknown}. Who forbade personalised answers in that time is answered personally "
        "again, until the shop sends the consent_changed once more."
    )


def _is_of_log(name: str) -> bool:
    step = step_of(name)
    return step is not None and step.is_log


def _refuse_log(source: Path, manifest: BackupManifest, log_of: Path) -> None:
    """Raise BackupFailed unless the folder's logs are those of the backup's platform, later on, and nobody writes to them."""
    ours, theirs = source / FILES / "wal" / "collector_id", log_of / "wal" / "collector_id"
    if not theirs.exists() or not any((log_of / "kafka" / "log").glob("*/*.log")):
        raise BackupFailed(f"{log_of} holds no write-ahead log and event log; name the old platform's state folder")
    if "wal/collector_id" not in manifest.files or ours.read_bytes() != theirs.read_bytes():
        raise BackupFailed(f"the log in {log_of} is not that of the platform that {source} was made of (wal/collector_id)")
    if processes_of(log_of.absolute()):
        raise BackupFailed(f"a platform runs in {log_of}; stop it: JISHI_VAR={log_of} jishi down")


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
