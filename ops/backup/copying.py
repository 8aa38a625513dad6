"""``jishi backup``: copy a platform's state to an empty folder while its parts go on."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jishi.files import write_json
from jishi.lake.catalog import is_in_object_store, warehouse
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.settings_sources import is_secret
from ops.backup.contents import STEPS, BackupStep, files_of_step

MANIFEST, FILES, FORMAT = "backup.json", "files", 1
Say = Callable[[str], None]


class BackupFailed(RuntimeError):
    """A backup could not be made or used; the message names what is wrong and the fix."""


@dataclass(frozen=True)
class CopiedFile:
    """A file of a backup: its bytes and their SHA-256."""

    bytes: int
    sha256: str


@dataclass
class BackupManifest:
    """What a backup is: when and from where, which version of the lake, and every file with its checksum."""

    created_at: str
    var: str
    warehouse: str
    version: int
    has_secrets: bool
    settings: dict[str, str]
    files: dict[str, CopiedFile] = field(default_factory=dict)
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write it, last of all: a folder without it is no backup."""
        write_json(folder / MANIFEST, asdict(self))


def backup(settings: Settings, target: Path, now: datetime, say: Say, *, with_secrets: bool = False) -> BackupManifest:
    """Copy to ``target``, an absent or empty folder. Raises BackupFailed, OSError."""
    paths = Paths.of(settings)
    _refuse(settings, paths, target)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.chmod(0o700)
    newest = Versions.of(settings).latest()
    manifest = BackupManifest(
        now.astimezone(UTC).isoformat(timespec="seconds"),
        str(paths.var.absolute()),
        warehouse(settings),
        newest.number if newest else 0,
        with_secrets,
        _chosen(settings, with_secrets=with_secrets),
    )
    for step in STEPS:
        if step.are_secrets and not with_secrets:
            continue
        copied = _copy_step(paths.var, step, target / FILES)
        manifest.files |= copied
        if copied:
            say(f"{step.what}: {len(copied)} files, {sum(file.bytes for file in copied.values()) / 2**20:.1f} MiB")
    manifest.write(target)
    return manifest


def _refuse(settings: Settings, paths: Paths, target: Path) -> None:
    if not paths.shops_file.exists():
        raise BackupFailed(f"{paths.var} (JISHI_VAR) holds no platform: there is no {paths.shops_file.name}")
    if is_in_object_store(settings) or settings.lake_catalog_uri:
        raise BackupFailed(
            "the lake is not in JISHI_VAR (JISHI_LAKE_WAREHOUSE, JISHI_LAKE_CATALOG_URI): copy its bucket and its database "
            "with their own tools, the database first"
        )
    if target.exists() and any(target.iterdir()):
        raise BackupFailed(f"{target} is not empty; name another folder")
    if target.absolute().is_relative_to(paths.var.absolute()):
        raise BackupFailed(f"{target} lies in the platform's own folder; name one outside, best on another disk")


def _copy_step(var: Path, step: BackupStep, target: Path) -> dict[str, CopiedFile]:
    copied = {}
    for source in files_of_step(var, step):
        name = str(source.relative_to(var))
        try:
            copied[name] = copy_database(source, target / name) if source.suffix == ".db" else copy_file(source, target / name)
        except FileNotFoundError:  # what its part deletes meanwhile it does not need; a restore looks whether all is there
            (target / name).unlink(missing_ok=True)
    return copied


def copy_file(source: Path, target: Path) -> CopiedFile:
    """Copy a file, of one that grows what it is now; nobody else may read the copy. Raises OSError."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as reading:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing:
            left = os.fstat(reading.fileno()).st_size
            while left and (chunk := reading.read(min(left, 2**20))):
                digest.update(chunk)
                writing.write(chunk)
                count, left = count + len(chunk), left - len(chunk)
    shutil.copystat(source, target)
    target.chmod(0o600)
    return CopiedFile(count, digest.hexdigest())


def copy_database(source: Path, target: Path) -> CopiedFile:
    """Copy a SQLite file as of one moment, whoever writes to it."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(source, timeout=60)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
        writing.execute("pragma journal_mode = delete")
    with target.open("rb") as written:
        return CopiedFile(target.stat().st_size, hashlib.file_digest(written, "sha256").hexdigest())


def _chosen(settings: Settings, *, with_secrets: bool) -> dict[str, str]:
    """Settings that are not the default ones, but where the platform lies, and without secrets unless they are wanted."""
    defaults: dict[str, Any] = {name: each.default for name, each in type(settings).model_fields.items()}
    return {
        f"JISHI_{name.upper()}": str(value)
        for name, value in settings.model_dump().items()
        if value != defaults[name] and name not in ("var", "envs") and (with_secrets or not is_secret(name))
    }
