"""``jishi gates``: shops whose newest build was refused, why, and that a finding is true after all."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from jishi.held_back import accept, all_held_back
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop

_HELP = "Shops that keep their older tables because a gate refused the newer ones."
app = typer.Typer(no_args_is_help=True, help=_HELP)


class AcceptableCheck(StrEnum):
    """What a person can say is true; the other checks are about tables that contradict each other."""

    VOLUME = "volume"
    MIX = "mix"
    REPEATS = "repeats"
    CURRENCY = "currency"
    PRICES = "prices"


@app.callback(help=_HELP)
def gates() -> None:
    """Group of the commands on gates."""


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="print it as JSON")] = False) -> None:
    """Name each shop that is held back, the check, some rows and the repair; exit 1 when there is one."""
    held = list(all_held_back(Paths.of(get_settings())))
    if as_json:
        print(json.dumps([asdict(each) for each in held], default=str, indent=2, ensure_ascii=False))
    else:
        for each in held:
            print(f"{each.shop_id}, since {each.since:%Y-%m-%dT%H:%M:%SZ}:")
            for finding in each.findings:
                print(f"  {finding}")
        if not held:
            print("no shop is held back")
    raise typer.Exit(1 if held else 0)


@app.command("accept")
def accept_(
    shop: Annotated[str, typer.Option(help="the shop")],
    date: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the day (UTC) that was refused")],
    check: Annotated[AcceptableCheck, typer.Option(help="the check that refused it")],
    reason: Annotated[str, typer.Option(help="why the day is true, for whoever asks later")],
) -> None:
    """Say that a day is as the check found it, such as a sale: the next build of the shop takes it."""
    paths = Paths.of(get_settings())
    try:
        Shops.load(paths.shops_file).get(shop)
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="--shop") from None
    batch = f"live-{date.date()}"
    accept(paths, shop, batch, check.value, reason, datetime.now(UTC))
    print(f"accepted; now run python -m spark_jobs silver --batch {batch} --shop {shop}, or wait for the next run of daily")
