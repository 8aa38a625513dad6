"""``jishi lake``: the recorded versions of the lake, and what a table is in one of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from jishi.settings import get_settings
from ops.cli.as_of import AsOf, version_as_of

if TYPE_CHECKING:
    from jishi.lake.versions import TableVersion

_HELP = "Versions of the lake: each is one cut of all tables and of the marts (docs/lake.md)."
app = typer.Typer(no_args_is_help=True, help=_HELP)


@app.callback(help=_HELP)
def lake() -> None:
    """Group of the commands on the lake."""


@app.command()
def versions(
    limit: Annotated[int, typer.Option(min=1, help="most rows")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print as JSON, with the snapshot of every table")] = False,
) -> None:
    """List the versions that are kept, newest first: when, by whom, and which tables changed."""
    from jishi.lake.versions import Versions
    from jishi.text_tables import TextTable, text_console

    kept = Versions.of(get_settings()).list(limit)
    if as_json:
        print(json.dumps([asdict(version) for version in kept], indent=2, default=str))
        return
    table = TextTable(title="versions of the lake, newest first", title_justify="left")
    for heading in ("version", "since", "tables changed", "marts of", "writer"):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("version", "marts of") else "left")
    for version in kept:
        marts = "" if version.marts is None else str(version.marts.built_from)
        since = f"{version.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"  # as --as-of takes it
        table.add_row(str(version.number), since, _changes(version), marts, version.writer)
    text_console().print(table)


@app.command()
def show(
    table_name: Annotated[str, typer.Argument(metavar="TABLE", help="such as silver.events")],
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, help="most versions in the list")] = 20,
) -> None:
    """Show a table in one version: rows, files, columns, and the snapshots that it had in the versions before."""
    from jishi.lake import TableNotPublished
    from jishi.lake.versions import Versions
    from jishi.text_tables import TextTable, text_console

    name = table_name.replace(".", "/")
    lake_version = version_as_of(get_settings(), as_of)
    try:
        plan = lake_version.plan(name)
    except TableNotPublished as error:
        known = ", ".join(table.replace("/", ".") for table in lake_version.tables) or "none"
        raise typer.BadParameter(f"{error}; tables: {known}", param_hint="TABLE") from None
    size = sum(file.bytes for file in plan.files)
    console = text_console()
    console.print(f"{table_name} in version {lake_version.number}, snapshot {plan.snapshot_id}", highlight=False)
    console.print(f"{plan.rows:,} rows in {len(plan.files):,} files, {size / 2**20:,.1f} MiB", highlight=False)
    console.print(", ".join(f"{column.name} {column.type}" for column in plan.columns), highlight=False, markup=False)
    history = TextTable(title="snapshots by version, newest first", title_justify="left")
    for heading in ("version", "since", "snapshot", "shops", "writer"):
        history.add_column(heading, overflow="fold")
    for version in Versions.of(get_settings()).list(limit):
        if name in version.changes and name in version.snapshots:
            since = f"{version.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"
            shops = _shops(version.changes[name])
            history.add_row(str(version.number), since, str(version.snapshots[name]), shops, version.writer)
    console.print(history)


def _changes(version: TableVersion) -> str:
    """Changed tables by namespace: ``silver: events, orders; features: person_daily``."""
    by_namespace: dict[str, list[str]] = {}
    for name in sorted(version.changes):
        namespace, table = name.split("/", 1)
        by_namespace.setdefault(namespace, []).append(table)
    return "; ".join(f"{namespace}: {', '.join(tables)}" for namespace, tables in by_namespace.items())


def _shops(shops: list[str] | None, shown: int = 3) -> str:
    if shops is None:
        return "all"
    if not shops:
        return "none: files were joined"
    return ", ".join(shops[:shown]) + (f" and {len(shops) - shown} more" if len(shops) > shown else "")
