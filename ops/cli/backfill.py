"""``jishi backfill``: work up a range of days again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import text_console


class Only(StrEnum):
    """Where a backfill may end."""

    MARTS = "marts"


def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day (UTC)")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day")],
    shop: Annotated[list[str] | None, typer.Option(help="only this shop; may repeat")] = None,
    only: Annotated[Only | None, typer.Option(help="marts: end with them, no features and no models")] = None,
) -> None:
    """Build days again from bronze to models, as the DAG daily does; run again after a failure, it goes on where it was."""
    from ops.backfill import Backfill, BackfillFailed, run_backfill

    if last < first:
        raise typer.BadParameter(f"{last.date()} is before {first.date()}", param_hint="--to")
    paths = Paths.of(get_settings())
    shops = Shops.load(paths.shops_file)
    try:
        chosen = tuple(shops.get(shop_id).shop_id for shop_id in shop or ())
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="--shop") from None
    console = text_console()
    asked = Backfill(first.date(), last.date(), chosen, only is Only.MARTS)
    try:
        run_backfill(paths, asked, shops.active, console)
    except BackfillFailed as error:
        console.print(str(error), highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(1) from None
