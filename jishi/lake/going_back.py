"""Take back what one writer has published: readers open a new version in which its tables are as they were before."""

from __future__ import annotations

from jishi.lake.catalog import identifier
from jishi.lake.durability import sync_snapshots
from jishi.lake.publishing import plan_keeper, refs_in, until_alone
from jishi.lake.release import Publish, begin, release
from jishi.lake.table_creation import create_tables
from jishi.lake.versions import TableVersion, VersionNotFound, Versions
from jishi.settings import Settings


class PublishedSince(RuntimeError):
    """Others have published the same tables since; the message names table, version and writer."""


def go_back(settings: Settings, number: int, writer: str) -> TableVersion | None:
    """Publish the tables that ``writer`` changed after version ``number`` as they were in it (0: before the first); every other
    table stays as it is. None where it published nothing. A second call changes no row.

    Raises VersionNotFound when the version is not kept any more, and PublishedSince.
    """
    versions = Versions.of(settings)
    before, later = versions.get(number) if number else None, versions.after(number)
    if not later:
        return None
    if later[0].number != number + 1:
        raise VersionNotFound(f"the versions after {number} are not kept any more: what {writer} changed is not known")
    back = f"{writer}, taken back"
    tables = {table for version in later if version.writer == writer for table in version.changes}
    for version in later:
        if version.writer not in (writer, back) and (both := tables & version.changes.keys()):
            raise PublishedSince(
                f"{', '.join(sorted(both))}: version {version.number} ({version.writer}) was built on what {writer} changed"
            )
    if not tables:
        return None
    catalog = create_tables(settings, ())
    refs_of = refs_in(catalog)
    running = begin(versions, back, refs_of)
    running.changes = dict.fromkeys(sorted(tables))
    try:
        for table in running.changes:
            snapshot_id = before.snapshots.get(table) if before else None
            refs_of(table).set_branch(running.branch, snapshot_id or refs_of(table).first_snapshot())
            if snapshot_id is None:
                _empty(settings, table, running)
        return release(
            versions,
            running,
            refs_of,
            keep_plan=plan_keeper(settings, catalog),
            sync=lambda new, known: sync_snapshots(settings, new, known, refs_of),
        )
    finally:
        for table in running.changes:
            refs_of(table).drop_branch(running.branch)


def _empty(settings: Settings, table: str, running: Publish) -> None:
    from pyiceberg.expressions import AlwaysTrue

    catalog = create_tables(settings, ())
    until_alone(lambda: catalog.load_table(identifier(table)).delete(AlwaysTrue(), branch=running.branch))
