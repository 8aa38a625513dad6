"""Join the small files of published tables: a publish of its own, which changes files and no row.

It goes to a branch and becomes a version as every publish does, so the next one builds on it and readers of older versions keep
their files. As it changes no shop's rows, a publish that overlaps it puts its rows upon the joined files; if the other one
comes first, nothing is joined, and the next run finds the same files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath

from pyspark.sql import SparkSession

from jishi.lake.catalog import CATALOG, identifier
from jishi.lake.durability import sync_snapshots
from jishi.lake.object_store import reach
from jishi.lake.plans import Plan, plan_of, write_plan
from jishi.lake.query import relation
from jishi.lake.release import Publish, begin, release
from jishi.lake.versions import StaleWriter, TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE, BY_BATCH, SILVER
from spark_jobs.audits import AuditFailed
from spark_jobs.table_refs import SparkRefs

MIN_FILES = 5  # a partition with so many small files is joined
# Each group of shops adds a file to a batch's partition, and replaces it whole when it builds the batch again. Tables that
# every build replaces for its shops (sessions, items) do not grow in files, and joined ones would be written anew each time.
BY_DEFAULT = tuple(schema.name for schema in SILVER if schema.partition == BY_BATCH)


@dataclass(frozen=True)
class Joined:
    """Small files of one table, and what they became."""

    files: int
    became: int


def compact_branch(session: SparkSession, table: str, branch: str = "main") -> Joined:
    """Join the small files of each partition that has ``MIN_FILES``, in one commit of a branch of a table (Iceberg's name)."""
    options = f"map('min-input-files', '{MIN_FILES}', 'target-file-size-bytes', '134217728')"
    of_branch = f"branch => '{branch}', " if branch != "main" else ""  # the procedure writes to main by itself
    call = f"CALL {CATALOG}.system.rewrite_data_files(table => '{table}', {of_branch}options => {options})"
    [row] = session.sql(call).collect()
    return Joined(row["rewritten_data_files_count"], row["added_data_files_count"])


def compact_published(
    session: SparkSession, settings: Settings, wanted: Iterable[str], report: Callable[[str], None]
) -> dict[str, Joined]:
    """Publish some tables with joined files; those without small files are left out. Raises AuditFailed if a row changed."""

    def refs(name: str) -> SparkRefs:
        return SparkRefs(session, name)

    versions, paths = Versions.of(settings), Paths.of(settings)
    publish = begin(versions, "spark_jobs maintain", refs)
    base, joined = publish.base, dict[str, Joined]()
    try:
        for name in _with_small_files(settings, base, wanted):
            joined[name] = _join(session, settings, publish, name)
        if not joined:
            return {}
        release(
            versions,
            publish,
            refs,
            keep_plan=lambda name, snapshot_id: write_plan(paths, refs(name).plan(name, snapshot_id)),
            sync=lambda new, known: sync_snapshots(settings, new, known, refs),
        )
    except StaleWriter as error:
        report(f"no published table was compacted, the next run will: {error}")
        return {}
    finally:
        for name in publish.changes:
            refs(name).drop_branch(publish.branch)
    return joined


def _with_small_files(settings: Settings, base: TableVersion | None, wanted: Iterable[str]) -> list[str]:
    """Tables of which a partition has as many files as are joined; by their folders, which costs no plan."""
    names = []
    for name in wanted:
        if base is None or name not in base.snapshots or name == BRONZE_LIVE.name:
            continue
        folders = Counter(PurePath(file.path).parent for file in plan_of(settings, name, base.snapshots[name]).files)
        names += [name] if any(files >= MIN_FILES for files in folders.values()) else []
    return names


def _join(session: SparkSession, settings: Settings, publish: Publish, name: str) -> Joined:
    refs, start = SparkRefs(session, name), publish.base_snapshot(name)
    assert start is not None
    refs.set_branch(publish.branch, start)
    publish.changes[name] = []  # no shop's rows
    joined = compact_branch(session, identifier(name), publish.branch)
    head = refs.head(publish.branch)
    assert head is not None
    _audit_rows(settings, plan_of(settings, name, start), refs.plan(name, head))
    return joined


def _audit_rows(settings: Settings, before: Plan, after: Plan) -> None:
    """Raise AuditFailed unless the files that went and those that came hold the same rows."""
    import duckdb

    kept = {*before.files} & {*after.files}
    with duckdb.connect() as connection:
        reach(connection, settings)
        # Both are read by the table's columns of now: one that was added later is null in older files.
        sides = [replace(after, files=tuple(file for file in plan.files if file not in kept)) for plan in (before, after)]
        counted = []
        for side in sides:
            of_files = f"(select count(*), sum(hash(rows)) from {relation(side)} as rows)" if side.files else "(select 0, null)"
            counted.append(connection.execute(f"from {of_files}").fetchall())
    if counted[0] != counted[1]:
        raise AuditFailed(f"{after.table}: compaction changed rows; (rows, sum of their hashes) was and is {counted}")
