"""``jishi features``: what is declared, what it comes to on given events in each engine, and why a value is what it is."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="Features: list and export definitions, compute them over events, prove that all engines agree.")
console = Console(width=None if sys.stdout.isatty() else 140)
AsJson = Annotated[bool, typer.Option("--json", help="print definitions as JSON")]


@app.callback(invoke_without_command=True)
def features(context: typer.Context, as_json: AsJson = False) -> None:
    """Features as they are declared; without a command they are listed."""
    if context.invoked_subcommand is None:
        list_(as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the features as they are declared."""
    from jishi.features import FEATURES
    from jishi.features.export import exported, window_words

    if as_json:
        print(json.dumps(exported(FEATURES), indent=2, ensure_ascii=False))
        return
    table = Table()
    for heading in ("feature", "entity", "aggregation", "window", "live", "meaning"):
        table.add_column(heading)
    for feature in FEATURES:
        live = "yes" if feature.is_live else ""
        table.add_row(feature.name, feature.entity, feature.aggregation, window_words(feature), live, feature.meaning)
    console.print(table)


@app.command()
def export(as_json: Annotated[bool, typer.Option("--json", help="as JSON (the only form there is)")] = True) -> None:
    """Print every definition, and the kinds of acts that definitions count, as JSON."""
    from jishi.features import FEATURES
    from jishi.features.export import exported, exported_acts

    print(json.dumps({"features": exported(FEATURES), "acts": exported_acts()}, indent=2, ensure_ascii=False))
