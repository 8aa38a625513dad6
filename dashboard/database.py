"""Superset's own database: migrated once per version and kept as a template, because a copy is faster than a migration.

The template holds the schema, roles and permissions, and no user, no secret and no board.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from jishi.files import write_atomically
from jishi.paths import Paths


def database_file(paths: Paths) -> Path:
    """The platform's Superset database."""
    return paths.superset / "superset.db"


def template_file(envs: Path) -> Path:
    """Where the template of the installed version is kept."""
    return envs / "templates" / f"superset-{version('apache-superset')}.db"


def copy_template(paths: Paths) -> None:
    """Start a platform's database from the template, where there is a template and no database yet."""
    template, database = template_file(paths.envs), database_file(paths)
    if template.exists() and not database.exists():
        copy(template, database)
        note_version(paths)


def copy(source: Path, target: Path) -> None:
    """Copy in one step, so that a half-written database is never taken for a whole one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, aside)
    os.replace(aside, target)


def is_migrated(paths: Paths) -> bool:
    """Whether the database is that of the installed version."""
    noted = _noted(paths)
    return (
        database_file(paths).exists()
        and noted.exists()
        and noted.read_text(encoding="utf-8").strip() == version("apache-superset")
    )


def note_version(paths: Paths) -> None:
    """Remember the version for which the database was migrated."""
    write_atomically(_noted(paths), version("apache-superset") + "\n")


def forget_views(database: Path, now: datetime, days: int, *, dry_run: bool = False) -> int:
    """Delete the notes of who looked at what that are older than so many days; returns how many there are."""
    oldest = (now - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        [count] = connection.execute("select count(*) from logs where dttm < ?", [oldest]).fetchone()
        if not dry_run:
            connection.execute("delete from logs where dttm < ?", [oldest])
    return int(count)


def _noted(paths: Paths) -> Path:
    return paths.superset / "database_version"
