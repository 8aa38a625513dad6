"""``jishi complete``: whether a day has arrived in bronze whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from jishi.contract.fields import parse_instant
from jishi.paths import Paths
from jishi.settings import get_settings
from jishi.shops import Shops, UnknownShop

if TYPE_CHECKING:
    from quality.archive import PartitionArchive


def complete(
    date: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the day, of the UTC clock")],
    shop: Annotated[str | None, typer.Option(help="take the day on this shop's clock")] = None,
    at: Annotated[
        str | None,
        typer.Option(help="ISO instant at which a run began; of a day that was not over then, what was known by then counts"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the partitions as JSON")] = False,
) -> None:
    """Compare bronze with the event log: exit 0 when it has all of the day, 1 when not, 3 when the log does not answer."""
    from quality.archive import LogUnreachable, archive_of, end_of_day

    settings = get_settings()
    try:
        zone = Shops.load(Paths.of(settings).shops_file).get(shop).time_zone if shop else "UTC"
    except UnknownShop as error:
        raise typer.BadParameter(error.args[0], param_hint="--shop") from None
    until, day = end_of_day(date.date(), zone, settings.allowed_lateness_s), date.date()
    began = _instant(at) if at else None
    if began is not None and began < end_of_day(day, zone, 0):
        until = began
    if datetime.now(UTC) < until:
        print(f"{day} is open until {until:%Y-%m-%dT%H:%M:%SZ}, its end and the allowed lateness")
        raise typer.Exit(1)
    try:
        archives = archive_of(settings, until)
    except LogUnreachable as error:
        print(error)
        raise typer.Exit(3) from None
    lacking = [each for each in archives if not each.is_complete]
    if as_json:
        print(json.dumps({"date": str(day), "until": until, "partitions": [asdict(a) for a in archives]}, default=str))
    else:
        print("; ".join(map(_shown, lacking)) or f"bronze has all that was known of {day} at {until:%Y-%m-%dT%H:%M:%SZ}")
    raise typer.Exit(1 if lacking else 0)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}", param_hint="--at") from None


def _shown(archive: PartitionArchive) -> str:
    return (
        f"partition {archive.partition} of the log: bronze lacks events from offset {archive.missing_from} on "
        f"(known since {archive.missing_since:%Y-%m-%dT%H:%M:%SZ}), its end was {archive.end}"
    )
