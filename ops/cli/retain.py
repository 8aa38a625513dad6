"""``jishi retain``: take away what has had its time, by the rules of ``ops.retention.places``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings


def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
) -> None:
    """Delete files and rows that are older than their rule (docs/operations/retention.md); exit 1 when a part refused."""
    from ops.retention.applying import RetentionFailed, retain_files, retain_rows

    settings = get_settings()
    removals = retain_files(Paths.of(settings).var, time.time(), dry_run=dry_run)
    verb = "would go" if dry_run else "gone"
    for removal in removals:
        print(f"{removal.place.pattern}: {len(removal.entries)} {verb}, {removal.bytes / 2**20:.1f} MiB ({removal.place.what})")
    if not removals:
        print("no file has had its time")
    try:
        retain_rows(settings, print, dry_run=dry_run)
    except RetentionFailed as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
