"""``jishi shops create``: a shop of its own, with its keys, in every schedule from now on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from jishi.contract.sender import OrderSource
from jishi.money import MINOR_DIGITS
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Right, Shop, ShopExists, Shops

KEYS: dict[str, tuple[Right, bool]] = {
    "write": ("write", False),
    "read": ("read", False),
    "page": ("track", False),
    "test": ("write", True),
}
_OPTIONS = {"shop_id": "SHOP_ID", "name": "--name", "time_zone": "--time-zone", "currency": "--currency"}


def create(
    shop_id: Annotated[str, typer.Argument(help="id of the new shop: lower-case letters, digits, - and _")],
    currency: Annotated[str, typer.Option(help="home currency, ISO 4217, such as CNY or EUR")],
    time_zone: Annotated[str, typer.Option(help="IANA time zone that decides the shop's days, such as Asia/Shanghai")],
    name: Annotated[str | None, typer.Option(help="name for people; the id if left out")] = None,
    orders_from: Annotated[str, typer.Option(help="whose orders count: server, or page for a shop without one")] = "server",
    as_json: Annotated[bool, typer.Option("--json", help="print shop and keys as JSON")] = False,
) -> None:
    """Register a new shop and print its keys, once; only their hashes are stored.

    It needs no history: the running collector takes its events at once, and every pipeline takes it up at its next run.
    """
    settings = get_settings()
    shop = _shop(shop_id, name if name is not None else shop_id, time_zone, currency, orders_from)
    now = datetime.now(UTC)
    try:
        with Shops.edit(Paths.of(settings).shops_file) as registry:
            registry.create(shop)
            keys = {
                word: registry.issue_key(shop.shop_id, right, now=now, is_test=is_test)
                for word, (right, is_test) in KEYS.items()
            }
    except ShopExists as error:
        raise typer.BadParameter(f"{error}, or make it a key: jishi keys create {shop_id}", param_hint="SHOP_ID") from None
    if as_json:
        print(json.dumps(shop.model_dump(mode="json", exclude={"keys"}) | {"keys": keys}, ensure_ascii=False, indent=2))
        return
    _show(settings, shop, keys)


def _shop(shop_id: str, name: str, time_zone: str, currency: str, orders_from: str) -> Shop:
    """The shop, or BadParameter that names the option and the fix."""
    if currency not in MINOR_DIGITS:  # a withdrawn one may stand in history; no new shop keeps its books in it
        fix = f"is {currency.upper()} meant?" if currency.upper() in MINOR_DIGITS else "write a code such as CNY, EUR or JPY"
        raise typer.BadParameter(f"{currency!r} is no active ISO 4217 currency; {fix}", param_hint="--currency")
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise typer.BadParameter("a name has 1 to 200 printable characters", param_hint="--name")
    source: OrderSource | None = "server" if orders_from == "server" else "page" if orders_from == "page" else None
    if source is None:
        raise typer.BadParameter(f"{orders_from!r} sends no orders; choose server or page", param_hint="--orders-from")
    try:
        return Shop(shop_id=shop_id, name=name.strip(), time_zone=time_zone, currency=currency, orders_from=source)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        message = first["msg"].removeprefix("Value error, ")
        if field == "shop_id":
            message = f"{shop_id!r} is no shop id; use 1 to 64 lower-case letters, digits, - and _, such as my-shop"
        raise typer.BadParameter(message, param_hint=_OPTIONS.get(field, field)) from None


def _show(settings: Settings, shop: Shop, keys: dict[str, str]) -> None:
    collector, serving = settings.collector_address, settings.serving_address
    print(f"created shop {shop.shop_id}: {shop.name}, {shop.currency}, {shop.time_zone}; its keys, shown this once:")
    uses = {
        "write": f"secret, your server: POST {collector}/v1/events",
        "read": f"secret, your server: GET {serving}/v1/shops/{shop.shop_id}/recommendations",
        "page": f"public, your pages: {collector}/v1/tracker.js",
        "test": "secret, in the place of write: events are checked and shown, none is counted",
    }
    for word, text in keys.items():
        print(f"  {word:5} {text:62}  {uses[word]}")
    print(f"what arrives, with reasons and fixes: {collector}/v1/live")
    print(f"next: jishi import orders FILE --shop {shop.shop_id} …, jishi import items FILE --shop {shop.shop_id} … --work-up")
