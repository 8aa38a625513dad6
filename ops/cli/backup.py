"""``jishi backup`` and ``jishi restore``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from jishi.settings import get_settings


def backup(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="absent or empty folder, best on another disk")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="keys and passwords of the platform, and Superset's database, too")
    ] = False,
) -> None:
    """Copy the platform's state while it runs (docs/operations/backup.md)."""
    from ops.backup.copying import BackupFailed
    from ops.backup.copying import backup as copy_platform

    try:
        manifest = copy_platform(get_settings(), target, datetime.now(UTC), print, with_secrets=with_secrets)
    except (BackupFailed, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    size = sum(file.bytes for file in manifest.files.values())
    print(f"backup of version {manifest.version} in {target}: {len(manifest.files)} files, {size / 2**20:.1f} MiB")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="a backup")],
    log: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="old platform's state folder: its logs know what came later"),
    ] = None,
) -> None:
    """Make a platform of a backup in the empty folder JISHI_VAR; then jishi up (docs/operations/backup.md)."""
    from ops.backup.copying import BackupFailed
    from ops.backup.restoring import restore as restore_platform
    from ops.backup.restoring import unknown_since

    try:
        manifest = restore_platform(get_settings(), source, print, log_of=log)
    except (BackupFailed, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    if unknown := unknown_since(manifest, datetime.now(UTC), has_log=log is not None):
        typer.echo(unknown, err=True)
    print(f"restored what {manifest.var} was at {manifest.created_at}; start it with: jishi up")
