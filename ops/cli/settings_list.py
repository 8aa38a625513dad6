"""``jishi settings``: every setting as it is in force, and where its value comes from."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from jishi.settings import get_settings
from jishi.settings_origins import effective


def settings(
    every: Annotated[bool, typer.Option("--all", help="also those that nothing has changed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, every setting")] = False,
) -> None:
    """Show the settings in force and what set each: the environment, a file, or the profile; secrets are hidden."""
    listed = effective(get_settings())
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in listed], ensure_ascii=False, indent=2))
        return
    for each in listed:
        if every or each.origin != "default":
            typer.echo(f"{each.variable}={each.value}  # {each.origin}")
    if not every:
        unchanged = sum(each.origin == "default" for each in listed)
        typer.echo(f"# {unchanged} more have their defaults: jishi settings --all")
