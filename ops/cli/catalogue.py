"""``jishi catalogue``: what a shop sold, and for how much, at any instant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from jishi.contract.fields import parse_instant
from jishi.lake.reading import open_version
from jishi.money import shown
from jishi.settings import get_settings
from jishi.text_tables import TextTable, text_console

Instant = Annotated[str | None, typer.Option(help="ISO 8601 with an offset, such as 2026-11-24T08:00:00+08:00; left out: now")]


def catalogue(
    shop: Annotated[str, typer.Argument(help="shop id")],
    as_of: Instant = None,
    known_by: Annotated[str | None, typer.Option(help="only what was known by this instant")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most rows of the table")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="print all items as JSON lines")] = False,
) -> None:
    """Show a shop's catalogue as of an instant, rebuilt from the log."""
    from jishi.catalogue import catalogue_as_of

    at = datetime.now(UTC) if as_of is None else _instant(as_of, "--as-of")
    by = None if known_by is None else _instant(known_by, "--known-by")
    items = list(catalogue_as_of(open_version(get_settings()), shop, at, by))
    if as_json:
        for item in items:
            print(json.dumps({"changed_at": item.changed_at.isoformat(), **item.properties}, ensure_ascii=False))
        return
    table = TextTable(title=f"{shop} as of {at.isoformat()}: {len(items):,} items", title_justify="left")
    for heading in ("item", "title", "category", "price", "stock", "status", "since (UTC)"):
        table.add_column(heading, overflow="fold")
    for item in items[:limit]:
        properties = item.properties
        price = shown(properties["unit_price_minor"], properties["currency"])
        since = f"{item.changed_at:%Y-%m-%d %H:%M:%S}"
        status = properties.get("status", "active")
        stock = str(properties.get("stock", "–"))
        table.add_row(item.item_id, properties["title"], properties["category"], price, stock, status, since)
    text_console().print(table)


def _instant(text: str, option: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint=option) from None
