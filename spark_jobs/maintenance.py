"""Keep the lake's tables small: forget old versions, join small files, drop old snapshots, remove files that no snapshot knows.

Small files come from the stream alone, which commits every few seconds: ``bronze.events`` is compacted, beside its appends.
The other tables are written by publishes, which may only be changed by a publish. Snapshots that a recorded version names carry
a tag and stay, whatever their age.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from pyspark.sql import SparkSession

from jishi.lake.catalog import CATALOG, NAMESPACES, identifier, open_catalog
from jishi.lake.plans import drop_plans
from jishi.lake.publishing import PyicebergRefs
from jishi.lake.release import drop_old_versions
from jishi.lake.versions import Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE

# Commits of the stream that are kept whatever happens after them. Flink retains three checkpoints, each of at most one commit;
# a job that goes on from one of them looks for its commit in the table's history, however long it was down.
STREAM_COMMITS = 20
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
    session: SparkSession, settings: Settings, tables: Iterable[str], now: datetime, report: Callable[[Upkeep], None]
) -> list[Upkeep]:
    """Work through the tables (Iceberg's names; none: all of the lake) as of ``now`` (UTC, without zone)."""
    done = []
    for table in list(tables) or _all_tables(session):
        joined, became = compact(session, table) if table == LIVE else (0, 0)
        expired = expire(session, settings, table, now)
        orphans = remove_orphans(session, table, now - timedelta(hours=settings.lake_orphan_hours))
        done.append(Upkeep(table, joined, became, expired, orphans))
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


def compact(session: SparkSession, table: str) -> tuple[int, int]:
    """Join the small files of each partition that has five or more; returns how many, and what they became."""
    options = "map('min-input-files', '5', 'target-file-size-bytes', '134217728')"
    [row] = session.sql(f"CALL {CATALOG}.system.rewrite_data_files(table => '{table}', options => {options})").collect()
    return row["rewritten_data_files_count"], row["added_data_files_count"]


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
    That is why the age must exceed the longest time that it may be down.
    """
    rows = session.sql(
        f"CALL {CATALOG}.system.remove_orphan_files(table => '{table}', older_than => TIMESTAMP '{older_than}', "
        "prefix_listing => true)"
    ).collect()
    return len(rows)


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
