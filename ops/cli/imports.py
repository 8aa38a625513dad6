"""``jishi import``: the part's own command, and with ``--work-up`` all that makes boards and recommendations of its files."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from jishi.command_line import KEY_VARIABLE
from jishi.paths import Paths
from jishi.settings import Settings, get_settings
from jishi.text_tables import text_console
from ops.cli.handover import part_command
from ops.order_sums import month_sums, print_sums
from ops.work_up import WorkUpFailed, shops_named, work_up

if TYPE_CHECKING:
    from rich.console import Console

WORK_UP = "--work-up"


def import_(context: typer.Context) -> None:
    """Bring data from elsewhere: journey, events, orders, items, rates and spend FILE…, history (--help lists the options).

    With --work-up it also publishes and works up what it imported, up to recommendations, and shows the sums by month.
    """

    arguments = [word for word in context.args if word != WORK_UP]
    wants_work = WORK_UP in context.args
    shops = shops_named(arguments)
    if wants_work and "--dry-run" in arguments:
        raise typer.BadParameter("a dry run writes nothing that could be worked up; leave one of both out", param_hint=WORK_UP)
    if wants_work and not shops:
        raise typer.BadParameter("name the shop with --shop, whose files are to be worked up", param_hint=WORK_UP)
    if not (wants_work and arguments[:1] == ["history"]):  # working up begins with that step
        command, environment = part_command("imports", arguments)
        code = subprocess.run(command, check=False, env=environment).returncode
        if code or not wants_work:
            sys.exit(code)
    settings, console = get_settings(), text_console()
    try:
        work_up(Paths.of(settings), shops, datetime.now(UTC), console)
    except WorkUpFailed as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    for shop_id in shops:
        print_sums(console, shop_id, month_sums(settings, shop_id))
        _name_refused(console, settings, shop_id)
    base = f"http://{settings.host}"
    password = Paths.of(settings).superset / "admin_password"
    board = f"board: {base}:{settings.superset_port}/superset/dashboard/jishi-today/ (user admin, password in {password})"
    console.print(board, highlight=False, soft_wrap=True)
    console.print(
        f"recommendations: {KEY_VARIABLE}=READ_KEY jishi recommend --shop {shops[0]}; counts: jishi reconcile", highlight=False
    )


def _name_refused(console: Console, settings: Settings, shop_id: str) -> None:
    """Say which rows count nowhere, and why."""
    from jishi.lake.quarantine import refusals

    refused = refusals(settings, shop_id)
    for count, reason, field in refused:
        console.print(f"[red]{count:,} in quarantine[/]: {reason} {field}", highlight=False, soft_wrap=True)
    if refused:
        console.print(f"rows and fixes: jishi quarantine list --shop {shop_id}", highlight=False, soft_wrap=True)
