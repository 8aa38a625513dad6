"""What ran on a day, and what it changed: the ledgers of runs over shops, and the versions of the lake that were published.

A ledger has no clock of its own: its day is that of its last line. Rows are those of the table after the version and before it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime

from jishi.lake.plans import plan_of
from jishi.lake.versions import TableVersion, Versions
from jishi.paths import Paths
from jishi.settings import Settings
from jishi.shop_runs import read_run

_NEWEST = 10_000


@dataclass(frozen=True)
class JobOfDay:
    """One job of a run: shops by what became of them, the longest and the summed seconds, and why shops failed."""

    run_id: str
    job: str
    states: dict[str, int]
    longest_s: float
    sum_s: float
    failures: dict[str, str]


@dataclass(frozen=True)
class RowChange:
    """A table that a version changed: rows before and after it, None where they are not kept; shops, None: not by shop."""

    table: str
    shops: int | None
    rows_before: int | None
    rows: int | None


@dataclass(frozen=True)
class Published:
    """A version of the lake: when and by which command it was published, and what it changed."""

    number: int
    at: datetime
    writer: str
    changes: list[RowChange]


def jobs_of(paths: Paths, day: date) -> list[JobOfDay]:
    """Jobs whose last shop ended on the day (UTC), by run and in the order in which they ended."""
    jobs = []
    for folder in sorted(paths.runs.glob("*/")):
        results = read_run(paths, folder.name)
        for job, of_shops in results.items():
            ended = datetime.fromtimestamp((folder / f"{job}.jsonl").stat().st_mtime, UTC)
            if ended.date() == day:
                seconds = [result.seconds for result in of_shops.values()]
                failures = {shop: result.reason for shop, result in of_shops.items() if result.is_failed}
                states = dict(Counter(str(result.state) for result in of_shops.values()))
                jobs.append(JobOfDay(folder.name, job, states, max(seconds, default=0.0), round(sum(seconds), 1), failures))
    return jobs


def published_on(settings: Settings, day: date) -> list[Published]:
    """Versions of the lake that were published on the day (UTC), oldest first, as far as versions are kept."""
    versions = {version.number: version for version in Versions.of(settings).list(_NEWEST)}
    return [
        Published(number, version.created_at, version.writer, _changes(settings, version, versions.get(version.base or 0)))
        for number, version in sorted(versions.items())
        if version.created_at.astimezone(UTC).date() == day
    ]


def _changes(settings: Settings, version: TableVersion, base: TableVersion | None) -> list[RowChange]:
    return [
        RowChange(table, None if shops is None else len(shops), _rows(settings, base, table), _rows(settings, version, table))
        for table, shops in sorted(version.changes.items())
    ]


def _rows(settings: Settings, version: TableVersion | None, table: str) -> int | None:
    if version is None:
        return None
    if table not in version.snapshots:
        return 0
    return plan_of(settings, table, version.snapshots[table]).rows
