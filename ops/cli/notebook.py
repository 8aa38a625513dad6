"""``jishi notebook``: Jupyter on the notebooks, and their pages on the site."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.text_tables import text_console
from ops.cli.days import Day, refuse_reversed

app = typer.Typer(help="Notebooks: Jupyter on them, and their pages on the site.")
console = text_console()


@app.callback(invoke_without_command=True)
def notebook(context: typer.Context) -> None:
    """Start Jupyter Lab in notebooks/ on JISHI_JUPYTER_PORT; the first start fetches it. publish writes pages instead."""
    if context.invoked_subcommand is not None:
        return
    from ops import jupyter

    settings = get_settings()
    paths = Paths.of(settings)
    try:
        jupyter.install(paths)
    except jupyter.JupyterMissing as error:
        console.print(f"[red]{error}[/]", highlight=False)
        raise typer.Exit(1) from None
    command, environment = jupyter.server(settings, paths)
    console.print(f"Jupyter: {jupyter.address(settings, paths)}", highlight=False, soft_wrap=True)
    os.execve(command[0], command, environment)


@app.command()
def publish(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME…]", help="left out: all that are about a shop")] = None,
    shop: Annotated[list[str] | None, typer.Option(help="may repeat; left out: the shop in the notebook's own cell")] = None,
    since: Day = None,
    until: Day = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=TEXT", help="another parameter of the notebook; may repeat")
    ] = None,
) -> None:
    """Run notebooks on the published tables and write their pages; one that fails keeps its last page and ends with exit 1."""
    from jishi.shops import Shops
    from ops.notebook import NotebookFailed, open_kernel
    from ops.notebook import names as known_names
    from ops.notebook import publish as write_page
    from ops.site.home import write_home

    refuse_reversed(since, until)
    settings = get_settings()
    paths = Paths.of(settings)
    shops = Shops.load(paths.shops_file).shops
    for name in shop or ():
        if name not in shops:
            reason = f"{name!r} is not registered; known: {', '.join(sorted(shops)) or 'none'}"
            raise typer.BadParameter(reason, param_hint="--shop")
    common = dict(_parameter(text) for text in parameters or ())
    common |= {name: str(day.date()) for name, day in (("since", since), ("until", until)) if day is not None}
    failed = 0
    with open_kernel() as kernel:
        for about in [{"shop_id": name} for name in shop or ()] or [{}]:
            for name in names or known_names("shop_id"):
                try:
                    console.print(f"page written to {write_page(paths, name, common | about, kernel)}", soft_wrap=True)
                except NotebookFailed as error:
                    console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
                    failed += 1
    write_home(settings, paths)
    raise typer.Exit(1 if failed else 0)


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise typer.BadParameter(f"{text!r} is no NAME=TEXT", param_hint="--set")
    return name, value
