"""``jishi identity``: what made a person, and what is to be taken back of it."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import TextTable, text_console

app = typer.Typer(no_args_is_help=True, help="Persons: users and devices, and what linked them.")
console = text_console()


@app.command()
def why(
    person: Annotated[str, typer.Argument(help="u:USER_ID, a:ANONYMOUS_ID, or a user id")],
    shop: Annotated[str, typer.Option(help="shop id")],
    as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Show the links of a person, the event that made each, and the acts that came with it."""
    from jishi.lake import TableNotPublished
    from jishi.lake.reading import open_version
    from quality.identity import PersonNotFound, person_evidence

    try:
        evidence = person_evidence(open_version(get_settings()), shop, person)
    except (PersonNotFound, TableNotPublished) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(asdict(evidence), indent=2, default=str, ensure_ascii=False))
        return
    table = TextTable(
        title=f"{evidence.person_id} of {shop}: {evidence.events_with_user_id:,} events with a user id, "
        f"{evidence.events_of_devices:,} of devices alone",
        title_justify="left",
    )
    for heading in ("device", "user", "link", "known since (UTC)", "by event", "evidence", "acts joined", "active"):
        table.add_column(heading)
    for link in evidence.links:
        active = f"{link.valid_from:%Y-%m-%d} to {link.valid_to:%Y-%m-%d}"
        known = f"{link.known_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            *(link.anonymous_id, link.user_id, link.reason, known, link.first_event_id),
            *(f"{link.events:,}", f"{link.acts_joined:,}", active),
        )
    console.print(table)


@app.command()
def unlink(
    device: Annotated[str, typer.Argument(help="anonymous id of the device")],
    user: Annotated[str, typer.Argument(help="user id")],
    shop: Annotated[str, typer.Option(help="shop id")],
    reason: Annotated[str, typer.Option(help="why the two are not one person")] = "",
) -> None:
    """Take back what linked a device to a user so far; a later login links them again."""
    from jishi.unlinks import ShopUnlink, add_unlink

    paths = Paths.of(get_settings())
    try:
        Shops.load(paths.shops_file).get(shop)
    except UnknownShop as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    add_unlink(paths.unlinks, ShopUnlink(shop, device, user, int(time.time() * 1000), reason))
    print(
        f"device {device} and user {user} of {shop} are unlinked from the next build of silver on; to apply it now: "
        f"python -m spark_jobs silver --batch history --shop {shop}"
    )
