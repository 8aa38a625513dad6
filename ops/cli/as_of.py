"""The option ``--as-of`` of commands that read the lake: a version's number, or an instant."""

from __future__ import annotations

from typing import Annotated

import typer

from jishi.lake.reading import LakeVersion, open_version
from jishi.lake.versions import VersionNotFound
from jishi.settings import Settings

_HELP = "version of the lake: its number, or an instant such as 2026-11-20T00:00:00Z; left out: the newest"
AsOf = Annotated[str | None, typer.Option(metavar="12|ISO", help=_HELP)]


def version_as_of(settings: Settings, text: str | None) -> LakeVersion:
    """The version that a user names. Raises typer.BadParameter with what is wrong."""
    try:
        return open_version(settings, text)
    except VersionNotFound as error:
        raise typer.BadParameter(error.args[0], param_hint="--as-of") from None
