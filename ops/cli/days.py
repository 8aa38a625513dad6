"""The options ``--since`` and ``--until`` of commands that ask for days of a shop."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="a day of the shop, included")]


def refuse_reversed(since: datetime | None, until: datetime | None) -> None:
    """Raises BadParameter for a first day after the last one: their answer would be the one of a shop that sold nothing."""
    if since is not None and until is not None and since > until:
        raise typer.BadParameter(f"{since:%Y-%m-%d} lies after {until:%Y-%m-%d}; swap them", param_hint="--since")
