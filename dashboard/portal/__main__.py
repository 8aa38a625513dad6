"""``python -m dashboard.portal serve`` and ``users``; ``jishi portal`` runs it."""

from __future__ import annotations

import logging
import socket
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvicorn

from dashboard.portal.app import make_app, make_portal, people_of, utc_now
from dashboard.portal.database import PortalDatabase
from dashboard.portal.forgetting import forget as forget_rows
from dashboard.portal.people import LINK_HOURS, BadLogin, LastOwner
from dashboard.portal.roles import ROLES, Role, role_named
from dashboard.portal.warm_up import WarmUp
from jishi.json_logs import log_as_json
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.shops import Shops, UnknownShop
from jishi.text_tables import TextTable, text_console

log = logging.getLogger("portal")
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="The merchant's portal and who may enter it.")
users = typer.Typer(no_args_is_help=True, help="People of a shop. A one-time link lets them choose their password.")
app.add_typer(users, name="users")

Login = Annotated[str, typer.Argument(help="e-mail address or short name to log in with")]
ShopId = Annotated[str, typer.Option("--shop", help="shop that they belong to")]
RoleName = Annotated[str, typer.Option("--role", help=", ".join(ROLES))]


@app.command()
def serve() -> None:
    """Serve the pages until the process is stopped."""
    log_as_json("portal")
    settings = get_settings()
    if (problem := address_problem(settings)) is not None:
        log.error("%s", problem)
        raise typer.Exit(1)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.portal_port))
        except OSError as error:
            raise _taken(settings.host, settings.portal_port, "JISHI_PORTAL_PORT", error) from None
    portal = make_portal(settings, utc_now)
    try:
        portal.metrics.serve(settings.host, settings.portal_metrics_port)
    except OSError as error:
        raise _taken(settings.host, settings.portal_metrics_port, "JISHI_PORTAL_METRICS_PORT", error) from None
    application = make_app(portal)
    WarmUp(portal.marts).start()
    log.info("%s", settings.portal_address)
    uvicorn.run(
        application,
        host=settings.host,
        port=settings.portal_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,  # a stream would go on for minutes
    )


@app.command()
def forget(
    days: Annotated[int, typer.Option(min=100, help="how far people may look back; rules need up to 90 days")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count")] = False,
) -> None:
    """Delete what was noted longer ago: audit log, alerts, deliveries (``jishi retain`` runs it)."""
    database = PortalDatabase(Paths.of(get_settings()).portal_database)
    counts = forget_rows(database, utc_now(), days, dry_run=dry_run)
    typer.echo(", ".join(f"{rows} rows of {table}" for table, rows in counts.items()))


@users.command()
def add(login: Login, shop_id: ShopId, role: RoleName = "owner") -> None:
    """Invite somebody to a shop and print the one-time link."""
    settings = get_settings()
    try:
        Shops.load(Paths.of(settings).shops_file).get(shop_id)
        token = people_of(Paths.of(settings)).invite(login, shop_id, _role(role), utc_now())
    except UnknownShop as error:
        raise typer.BadParameter(str(error), param_hint="--shop") from None
    except BadLogin as error:
        raise typer.BadParameter(str(error), param_hint="LOGIN") from None
    _print_link(settings, token)


@users.command()
def reset(login: Login) -> None:
    """Print a one-time link by which somebody chooses a new password."""
    settings = get_settings()
    try:
        token = people_of(Paths.of(settings)).reset(login, utc_now())
    except LookupError as error:
        raise typer.BadParameter(str(error), param_hint="LOGIN") from None
    _print_link(settings, token)


@users.command("list")
def list_(shop_id: ShopId) -> None:
    """Members of a shop, and whom a link that was not used yet invites."""
    table, people = TextTable("login", "name", "role", "state"), people_of(Paths.of(get_settings()))
    for state, listed in (("member", people.members(shop_id)), ("invited", people.invited(shop_id, utc_now()))):
        for each in listed:
            table.add_row(each.login, each.name, each.role, state)
    text_console().print(table)


@users.command()
def remove(login: Login, shop_id: ShopId) -> None:
    """Take somebody out of a shop, at once."""
    try:
        people_of(Paths.of(get_settings())).set_role(login, shop_id, None)
    except (LookupError, LastOwner) as error:
        raise typer.BadParameter(str(error), param_hint="LOGIN") from None


def address_problem(settings: Settings) -> str | None:
    """Why no browser could follow the portal's links, or None. Its pages, cookies and links begin at a host's root."""
    if not urlsplit(settings.portal_address).path:
        return None
    return (
        f"JISHI_PORTAL_URL is {settings.portal_url}, but the portal is served at the root of a host alone: give it a host or "
        f"a port of its own, such as https://portal.example.org, and let the proxy hand on all paths to {settings.portal_port}"
    )


def _taken(host: str, port: int, setting: str, error: OSError) -> typer.Exit:
    log.error("cannot listen on %s:%d: %s; stop what uses the port or set %s", host, port, error.strerror, setting)
    return typer.Exit(1)


def _role(text: str) -> Role:
    try:
        return role_named(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--role") from None


def _print_link(settings: Settings, token: str) -> None:
    if (problem := address_problem(settings)) is not None:
        typer.echo(f"the link leads nowhere yet: {problem}", err=True)
    typer.echo(f"{settings.portal_address}/links/{token}")
    typer.echo(f"works once, for {LINK_HOURS} hours", err=True)


if __name__ == "__main__":
    app(prog_name="jishi portal")
