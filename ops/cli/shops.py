"""``jishi shops``: who is registered, and how fast each may send. A running collector follows a change at its next request."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from jishi.contract.sender import OrderSource
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop

_HELP = "Shops of this platform and their limits."
app = typer.Typer(no_args_is_help=True, help=_HELP)


@app.callback(help=_HELP)
def shops() -> None:
    """Group of the commands on shops."""


@app.command("list")
def list_() -> None:
    """List shops: name, time zone, currency, limit, keys by right."""
    from rich.console import Console
    from rich.table import Table

    settings = get_settings()
    table = Table("shop", "name", "time zone", "currency", "events a second", "keys")
    for shop in Shops.load(Paths.of(settings).shops_file).shops.values():
        limit = f"{shop.events_per_s:,}" if shop.events_per_s else f"{settings.collector_events_per_s:,} (common)"
        keys = ", ".join(f"{count} {right}" for right, count in sorted(Counter(key.right for key in shop.keys).items()))
        table.add_row(shop.shop_id, shop.name, shop.time_zone, shop.currency, limit, keys)
    Console().print(table)


@app.command()
def limit(
    shop_id: Annotated[str, typer.Argument(help="shop that the limit is for")],
    events_per_s: Annotated[int | None, typer.Option(min=1, help="events a second; left out: the common limit again")] = None,
) -> None:
    """Set how many events a second the collector takes from a shop before it answers 429."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.limit(shop_id, events_per_s)
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    print(f"{shop_id}: {events_per_s} events a second" if events_per_s else f"{shop_id}: the common limit")


@app.command()
def orders(
    shop_id: Annotated[str, typer.Argument(help="shop that the choice is for")],
    source: Annotated[str, typer.Argument(help="server or page: whose orders count from now on")],
) -> None:
    """Choose whose orders count. Those of the other are kept as claims; what was counted before stays."""
    chosen: OrderSource | None = "server" if source == "server" else "page" if source == "page" else None
    if chosen is None:
        raise typer.BadParameter(f"{source!r} sends no orders; choose server or page", param_hint="SOURCE")
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as registry:
            registry.choose_order_source(shop_id, chosen)
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    print(f"{shop_id}: orders of its {chosen} count")
