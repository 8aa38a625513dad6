"""``jishi upgrade``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from jishi.settings import get_settings


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")] = False,
    rollback: Annotated[
        bool,
        typer.Option("--rollback", help="take back what the newest upgrade changed on disk, for older code"),
    ] = False,
    drop_state: Annotated[
        bool, typer.Option("--drop-state", help="state of the stream that the new job has no operator for may be lost")
    ] = False,
) -> None:
    """Bring state and running parts to the code that is here, while intake goes on (docs/operations/upgrade.md)."""
    from jishi.java import JavaMissing
    from jishi.lake.going_back import PublishedSince
    from jishi.lake.release import REFUSED
    from jishi.lake.table_creation import TableConflict
    from jishi.lake.versions import VersionNotFound
    from ops.formats import WrongFormat
    from ops.lifecycle import PlatformError
    from ops.supervisor import SupervisorError
    from ops.upgrade import run
    from ops.upgrade.migrations import MigrationFailed

    if rollback and (dry_run or drop_state):
        raise typer.BadParameter("stands alone", param_hint="--rollback")
    settings = get_settings()
    try:
        if dry_run:
            print("\n".join(run.plan(settings)))
            run.check_stream(settings, may_drop_state=drop_state)
        elif rollback:
            changes = run.roll_back(settings, print)
            print("now put the older code here, scripts/setup, and: " + ("jishi up" if changes else "jishi upgrade"))
        else:
            run.upgrade(settings, datetime.now(UTC), print, may_drop_state=drop_state)
    except (
        *(run.PlatformNotUpgraded, WrongFormat, MigrationFailed, PlatformError, SupervisorError, JavaMissing, OSError),
        *(PublishedSince, TableConflict, VersionNotFound, *REFUSED),
    ) as error:
        typer.echo(f"error: {error.args[0] if isinstance(error, LookupError) else error}", err=True)
        raise typer.Exit(1) from None
