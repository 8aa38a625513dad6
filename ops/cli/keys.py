"""``jishi keys``: the keys of shops. A running collector and serving follow a change within a second."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import BadKey, Shops, UnknownKey, UnknownShop, WrongState, right_named

_HELP = "Keys of shops: write sends events, read fetches recommendations, track sends events from a browser."
app = typer.Typer(no_args_is_help=True, help=_HELP)

ShopId = Annotated[str, typer.Argument(help="shop that the key is for")]
RightName = Annotated[str, typer.Option("--right", help="write, read or track")]


@app.callback(help=_HELP)
def keys() -> None:
    """Group of the commands on keys."""


@app.command()
def create(
    shop_id: ShopId,
    right: RightName = "write",
    origin: Annotated[
        list[str] | None, typer.Option(help="site that may use a track key, such as https://shop.example; may repeat")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="its events are checked and shown on the live page, and never counted")
    ] = False,
) -> None:
    """Issue a new key of a shop and print it once; only its hash is stored."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as shops:
            text = shops.issue_key(shop_id, right_named(right), now=datetime.now(UTC), origins=origin or [], is_test=test)
    except (UnknownShop, WrongState) as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    except BadKey as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.field}") from None
    print(text)


@app.command()
def rotate(
    shop_id: ShopId,
    right: RightName = "write",
    keep_old: Annotated[bool, typer.Option("--keep-old", help="let the old keys work until they are revoked")] = False,
) -> None:
    """Issue a new key in the place of the shop's keys with this right, which end at once; print it once."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as shops:
            text = shops.rotate_keys(shop_id, right_named(right), now=datetime.now(UTC), keep_old=keep_old)
    except (UnknownShop, WrongState) as error:
        raise typer.BadParameter(str(error), param_hint="SHOP_ID") from None
    except BadKey as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.field}") from None
    print(text)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="id of the key, as list shows it")]) -> None:
    """Take a key back: its next use is refused and counted as a wrong key."""
    try:
        with Shops.edit(Paths.of(get_settings()).shops_file) as shops:
            shop_id, key = shops.revoke_key(key_id)
    except UnknownKey as error:
        raise typer.BadParameter(str(error), param_hint="KEY_ID") from None
    print(f"revoked {key.right} key {key_id} of shop {shop_id}")


@app.command("list")
def list_(shop: Annotated[str | None, typer.Option(help="only this shop")] = None) -> None:
    """List keys: id, shop, right, when it was created, its sites. The key itself is stored nowhere."""
    from jishi.text_tables import TextTable, text_console

    table = TextTable("key id", "shop", "right", "created at (UTC)", "sites")
    for holder in Shops.load(Paths.of(get_settings()).shops_file).shops.values():
        for key in holder.keys:
            if shop in (None, holder.shop_id):
                created = f"{key.created_at:%Y-%m-%d %H:%M}" if key.created_at else "not noted"
                sites = ", ".join(key.origins) or ("all" if key.right == "track" else "")
                right = f"{key.right} (test)" if key.is_test else key.right
                table.add_row(key.key_id, holder.shop_id, right, created, sites)
    text_console().print(table)
