"""``jishi quarantine``: what was kept out of the good stream, and why."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Events that were accepted but are not good, with shop, reason, field and raw line."
)


@app.callback()
def quarantine() -> None:
    """Events that were accepted but are not good, with shop, reason, field and raw line."""


@app.command("list")
def list_(
    shop: Annotated[str | None, typer.Option(help="only this shop")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most rows")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="print whole lines as JSON")] = False,
) -> None:
    """List quarantined events, newest first."""
    from jishi.quarantine import run_list

    raise typer.Exit(run_list(shop=shop, limit=limit, as_json=as_json))
