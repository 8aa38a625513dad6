"""Keep the lake's tables small: forget old versions, join small files, drop old snapshots, remove files that no snapshot knows.

``bronze.events`` gets a commit every few seconds and is compacted beside them; published tables are compacted by a publish
(``spark_jobs.compaction``). Snapshots that a recorded version names carry a tag and stay, whatever their age.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from jishi.lake.catalog import CATALOG, NAMESPACES, identifier, open_catalog
from jishi.lake.plans import drop_plans
from jishi.lake.publishing import PyicebergRefs
from jishi.lake.release import began_at, drop_old_versions
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE
from spark_jobs.compaction import BY_DEFAULT, compact_branch, compact_published
from spark_jobs.table_refs import SparkRefs

# Commits of the stream that are kept whatever happens after them. Flink retains three checkpoints, each of at most one commit;
# a job that goes on from one of them looks for its commit in the table's history, however long it was down.
STREAM_COMMITS = 20
LISTINGS = 20  # tries to list a table's folder beside a stream that commits
STRAY_AGE = timedelta(days=1)  # no publish runs so long
LIVE = identifier(BRONZE_LIVE.name)


@dataclass(frozen=True)
class Upkeep:
    """What was done to one table: data files joined and what they became, snapshots dropped, files removed."""

    table: str
    joined: int
    became: int
    expired: int
    orphans: int


def maintain(
    session: SparkSession,
    settings: Settings,
    tables: Iterable[str],
    now: datetime,
    report: Callable[[Upkeep], None],
    say: Callable[[str], None] = lambda _: None,
) -> list[Upkeep]:
    """Work through the tables (Iceberg's names; none: all of the lake) as of ``now`` (UTC, without zone)."""
    done, tables = [], list(tables)
    published = [table.replace(".", "/", 1) for table in tables] or BY_DEFAULT
    compacted = compact_published(session, settings, published, say)
    for table in tables or _all_tables(session):
        drop_stray_branches(session, table, now)
        joined = compact_branch(session, table) if table == LIVE else compacted.get(table.replace(".", "/", 1))
        expired = expire(session, settings, table, now)
        orphans = remove_orphans(session, table, now - timedelta(hours=settings.lake_orphan_hours))
        done.append(Upkeep(table, joined.files if joined else 0, joined.became if joined else 0, expired, orphans))
        report(done[-1])
    return done


def drop_versions(settings: Settings, now: datetime) -> list[int]:
    """Forget the lake's old versions and lists of files, so that expiry may take their snapshots; returns their numbers.

    The newest ``lake_versions`` stay, and all of the last ``lake_keep_hours``.
    """
    catalog = open_catalog(settings)
    refs = cache(lambda name: PyicebergRefs(catalog, name))
    since = now.replace(tzinfo=UTC) - timedelta(hours=settings.lake_keep_hours)
    versions = Versions.of(settings)
    dropped = drop_old_versions(versions, refs, lambda name: refs(name).tags(), keep=settings.lake_versions, since=since)
    planned: dict[str, set[int]] = defaultdict(set)
    for version in versions.after(0):
        for table, snapshot_id in version.snapshots.items():
            planned[table].add(snapshot_id)
    drop_plans(Paths.of(settings), planned)
    return dropped


def drop_stray_branches(session: SparkSession, table: str, now: datetime) -> list[str]:
    """Drop the branches of publishes that died: those that began ``STRAY_AGE`` ago; returns their names."""
    rows = session.sql(f"SELECT name FROM {CATALOG}.{table}.refs WHERE type = 'BRANCH'").collect()
    strays = [row["name"] for row in rows if is_stray(row["name"], now)]
    for branch in strays:
        SparkRefs(session, table).drop_branch(branch)
    return strays


def is_stray(branch: str, now: datetime) -> bool:
    """Whether a branch is of a publish that began so long ago that it cannot be running any more."""
    began = began_at(branch)
    return began is not None and began <= now.replace(tzinfo=UTC) - STRAY_AGE


def expire(session: SparkSession, settings: Settings, table: str, now: datetime) -> int:
    """Drop old snapshots and the files that only they know; returns how many snapshots.

    ``bronze.events`` gets a commit every few seconds and each commit writes the list of all snapshots, so there their number
    counts and not their age.
    """
    if table == LIVE:
        older_than, retain = now, kept_commits(_stream_commits(session, table), settings.lake_live_commits)
    else:
        older_than, retain = now - timedelta(hours=settings.lake_keep_hours), 1
    before = _snapshots(session, table)
    session.sql(
        f"CALL {CATALOG}.system.expire_snapshots(table => '{table}', older_than => TIMESTAMP '{older_than}', "
        f"retain_last => {retain}, stream_results => true)"
    ).collect()
    return before - _snapshots(session, table)


def kept_commits(is_of_stream: Iterable[bool], wanted: int) -> int:
    """How many of a table's commits to keep, newest first: ``wanted``, or more until STREAM_COMMITS of the stream are kept."""
    of_stream = 0
    needed = 0
    for number, streamed in enumerate(is_of_stream, start=1):
        of_stream += streamed
        if streamed and of_stream <= STREAM_COMMITS:
            needed = number
    return max(wanted, needed)


def remove_orphans(session: SparkSession, table: str, older_than: datetime) -> int:
    """Remove files below the table's folder that no snapshot knows and that are older; returns how many.

    Kills leave such files. So does a stream that is down: the files of its last checkpoint, which it commits when it is back.
    That is why the age must exceed the longest time that it may be down. A stream that commits meanwhile removes old metadata,
    and a listing of the folder that meets such a file fails; it is tried again.
    """
    call = (
        f"CALL {CATALOG}.system.remove_orphan_files(table => '{table}', older_than => TIMESTAMP '{older_than}', "
        "prefix_listing => true)"
    )
    for last in range(LISTINGS - 1, -1, -1):
        try:
            return len(session.sql(call).collect())
        except Py4JJavaError as error:
            if not last or not any(text in str(error) for text in ("No such file", "does not exist", "FileNotFound")):
                raise
    raise AssertionError("unreachable")


def _all_tables(session: SparkSession) -> list[str]:
    return [
        f"{namespace}.{row['tableName']}"
        for namespace in NAMESPACES
        for row in session.sql(f"SHOW TABLES IN {CATALOG}.{namespace}").collect()
    ]


def _snapshots(session: SparkSession, table: str) -> int:
    return session.table(f"{CATALOG}.{table}.snapshots").count()


def _stream_commits(session: SparkSession, table: str) -> list[bool]:
    """For each commit of the table's history, newest first, whether a stream made it."""
    main = session.sql(f"SELECT snapshot_id FROM {CATALOG}.{table}.refs WHERE name = 'main'").collect()
    job = "summary['flink.job-id'] IS NOT NULL AS is_of_stream"
    rows = session.sql(f"SELECT snapshot_id, parent_id, {job} FROM {CATALOG}.{table}.snapshots").collect()
    by_id = {row["snapshot_id"]: row for row in rows}
    commits = []
    at = main[0]["snapshot_id"] if main else None
    while at in by_id:
        commits.append(bool(by_id[at]["is_of_stream"]))
        at = by_id[at]["parent_id"]
    return commits
