"""``jishi shops pause|resume|export|leave``: shops come out of the schedules, back into them, and go, with what is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop, WrongState
from ops.export_folder import FolderNotEmpty
from ops.shop_export import export_shop

ShopId = Annotated[str, typer.Argument(help="the shop")]
RESTATED_DAYS = 8  # that the DAG daily restates by itself (docs/operations/pipelines.md)


@contextmanager
def _registry() -> Iterator[Shops]:
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            yield registry
    except (UnknownShop, WrongState) as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None


def pause(shop_id: ShopId) -> None:
    """Leave a shop out of every schedule. It goes on sending, and its storefront is answered from what is released."""
    with _registry() as registry:
        registry.pause(shop_id, datetime.now(UTC))
    print(f"{shop_id} is paused: its events are kept and worked up once you say jishi shops resume {shop_id}")


def resume(shop_id: ShopId) -> None:
    """Take a shop that was paused, or had left, into the schedules again."""
    now = datetime.now(UTC)
    with _registry() as registry:
        before = registry.resume(shop_id, now)
    print(f"{shop_id} is active: every pipeline takes it up at its next run")
    if before.state == "left":
        print(f"its keys ended when it left; give it new ones: jishi keys create {shop_id} --right write (read, track)")
    elif before.state_since is not None and now - before.state_since > timedelta(days=RESTATED_DAYS - 1):
        # The day before the pause is worked up in the night to its first day, when the shop may have been paused already.
        days = f"--from {before.state_since.date() - timedelta(days=1)} --to {(now - timedelta(days=1)).date()}"
        print(f"daily catches up with {RESTATED_DAYS} days by itself; for all of it: jishi backfill {days} --shop {shop_id}")


def export(
    shop_id: ShopId,
    folder: Annotated[Path, typer.Argument(help="an empty folder, one that is made, or that of an interrupted export")],
) -> None:
    """Write all rows of a shop, of lake and marts, as Parquet, and its settings and rules, with a manifest of checksums."""
    settings = get_settings()
    try:
        Shops.load(Paths.of(settings).shops_file).get(shop_id)
        exported = export_shop(settings, shop_id, folder, datetime.now(UTC), print)
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="SHOP_ID") from None
    except (FolderNotEmpty, NotADirectoryError) as error:
        raise typer.BadParameter(str(error), param_hint="FOLDER") from None
    rows = sum(exported.values())
    print(f"{folder}: {rows:,} rows in {len(exported)} tables; manifest.json has the checksum of each file")


def leave(
    shop_id: ShopId,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Let a shop go: its keys end at once, and no schedule, page or answer has it any more. Export it before.

    What it sent and what was computed of it stays until it is deleted by the rules of retention.
    """
    if not yes:
        typer.confirm(f"End all keys of {shop_id} and close its pages?", abort=True)
    with _registry() as registry:
        keys = registry.leave(shop_id, datetime.now(UTC))
    print(f"{shop_id} has left: {keys} keys ended; jishi shops resume {shop_id} takes it back")
