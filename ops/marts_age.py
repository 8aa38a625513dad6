"""When the newest marts were published, however many versions of the lake have come since."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from jishi.lake.reading import open_version
from jishi.lake.versions import Versions
from jishi.marts import open_marts
from jishi.settings import Settings


def marts_published_at(settings: Settings) -> datetime | None:
    """None before there are any. Raises jishi.lake.versions.VersionsUnreachable.

    It is the time of the first version that has them; where that one is no longer kept, of the build that their file names.
    """
    first = Versions.of(settings).first_of_newest_marts()
    if first is None:
        return None
    version, is_oldest_kept = first
    return (_built_at(settings) if is_oldest_kept and version.base is not None else None) or version.created_at


def _built_at(settings: Settings) -> datetime | None:
    """When the file of the newest marts was written, if it lies where it can be read from here."""
    try:
        with open_marts(open_version(settings)) as marts:
            [(built_at,)] = marts.execute("select built_at from build").fetchall()
    except (OSError, duckdb.Error):
        return None
    assert isinstance(built_at, datetime)
    return built_at.replace(tzinfo=UTC)
