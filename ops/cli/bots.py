"""``jishi bots``: persons that behave like programs, with the reason."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from jishi.lake.reading import open_version
from jishi.settings import get_settings
from jishi.text_tables import TextTable, text_console


def bots(
    shop: Annotated[str | None, typer.Option(help="only this shop")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """List persons labelled as bots; their events stay in every table."""
    from quality.bots import bot_labels

    labels = bot_labels(open_version(get_settings()), shop)
    if as_json:
        print(json.dumps([asdict(label) for label in labels], indent=2, default=str))
        return
    table = TextTable(title=f"{len(labels):,} persons labelled as bots", title_justify="left")
    for heading in ("shop", "person", "reason", "visits", "views", "s/view", "last (UTC)"):
        table.add_column(heading)
    for label in labels:
        numbers = (f"{label.visits:,}", f"{label.views:,}", f"{label.s_per_view:.2f}", f"{label.last_at:%Y-%m-%d %H:%M}")
        table.add_row(label.shop_id, label.person_id, label.reason, *numbers)
    text_console().print(table)
