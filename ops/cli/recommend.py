"""``jishi recommend``: ask serving as a storefront would, and print the list with its reasons."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from jishi.command_line import KEY_VARIABLE
from jishi.money import shown
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.text_tables import TextTable, text_console


def recommend(
    shop: Annotated[str, typer.Option(help="shop to ask")],
    user: Annotated[str | None, typer.Option(help="user_id of the shopper")] = None,
    anonymous: Annotated[str | None, typer.Option(help="anonymous_id of the shopper")] = None,
    item: Annotated[str | None, typer.Option(help="item_id of the page, for placement item")] = None,
    cart: Annotated[list[str] | None, typer.Option(help="item_id in the cart; may repeat")] = None,
    paid: Annotated[list[str] | None, typer.Option(help="item_id just paid, for after_payment; may repeat")] = None,
    category: Annotated[list[str] | None, typer.Option(help="only items of this category; may repeat")] = None,
    why_not: Annotated[str | None, typer.Option(help="item_id: say why it is not in the list")] = None,
    channel: Annotated[str | None, typer.Option(help="channel of the visit, as its events say it")] = None,
    device: Annotated[str | None, typer.Option(help="device of the visit, as its events say it")] = None,
    region: Annotated[str | None, typer.Option(help="where the visit is from: only what is sold there")] = None,
    placement: Annotated[str, typer.Option(help="home, item, cart, after_payment or search_empty")] = "home",
    personalised: Annotated[bool, typer.Option(help="whether what is stored of the shopper may be used")] = True,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    key: Annotated[
        str | None, typer.Option(envvar=KEY_VARIABLE, help="read key; default: the key that the demo issued")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as it came")] = False,
) -> None:
    """Fetch a shopper's recommendations from the running platform."""
    import httpx

    settings = get_settings()
    key = key or _stored_key(Paths.of(settings), shop)
    parameters: dict[str, str | int | list[str] | None] = {"cart_item_id": cart or None, "order_item_id": paid or None}
    parameters |= {"user_id": user, "anonymous_id": anonymous, "item_id": item, "placement": placement, "limit": limit}
    parameters |= {"category": category or None, "why_not": why_not}
    parameters |= {"channel": channel, "device": device, "region": region}
    parameters["personalised"] = str(personalised).lower()
    url = f"{settings.serving_address}/v1/shops/{shop}/recommendations"
    try:
        answer = httpx.get(
            url,
            params={name: value for name, value in parameters.items() if value is not None},
            headers={"Authorization": f"Bearer {key}"},
            timeout=10,
        )
    except httpx.ConnectError:
        print(f"error: serving does not answer on {url}; start the platform with: jishi up", file=sys.stderr)
        raise typer.Exit(1) from None
    if answer.status_code != 200:
        error = answer.json().get("error", {})
        print(f"error: serving answered {answer.status_code}: {error.get('message', answer.text[:300])}", file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(answer.json(), indent=2, ensure_ascii=False))
        return
    payload = answer.json()
    request_id = answer.headers["X-Request-ID"]
    title = f"{payload['served_by']} by {payload['model']} of {payload['model_version']} · request {request_id}"
    table = TextTable(title=title)
    for heading in ("#", "item", "title", "category", "price", "score", "reason"):
        table.add_column(heading)
    for position, row in enumerate(payload["items"], 1):
        price = shown(row["unit_price_minor"], row["currency"])
        reason = f"{row['reason']['zh']} · {row['reason']['en']}"
        table.add_row(str(position), row["item_id"], row["title"], row["category"], price, f"{row['score']:.3f}", reason)
    text_console(markup=False).print(table)
    if "why_not" in payload:
        print(f"{payload['why_not']['item_id']}: {payload['why_not']['zh']} · {payload['why_not']['en']}")


def _stored_key(paths: Paths, shop_id: str) -> str:
    held = json.loads(paths.client_keys_file.read_text(encoding="utf-8")) if paths.client_keys_file.exists() else {}
    if shop_id not in held:
        raise typer.BadParameter(f"no read key of shop {shop_id!r} is stored here; give one as {KEY_VARIABLE}")
    return str(held[shop_id]["read"])
