"""``jishi keys``: the bearer keys of shops."""

from __future__ import annotations

from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Right, Shops, UnknownShop

app = typer.Typer(no_args_is_help=True, help="Keys of shops: write sends events, read fetches recommendations.")
_RIGHTS: dict[str, Right] = {"write": "write", "read": "read"}


@app.callback()
def keys() -> None:
    """Keys of shops: write sends events, read fetches recommendations."""


@app.command()
def create(
    shop_id: Annotated[str, typer.Argument(help="shop that the key is for")],
    right: Annotated[str, typer.Option(help="write (send events) or read (fetch recommendations)")] = "write",
) -> None:
    """Issue a new key of a shop and print it once; only its hash is stored."""
    if right not in _RIGHTS:
        raise typer.BadParameter(f"{right!r} is no right; choose write or read", param_hint="--right")
    file = Paths.of(get_settings()).shops_file
    shops = Shops.load(file)
    try:
        text = shops.issue_key(shop_id, _RIGHTS[right])
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    shops.save(file)
    print(text)
