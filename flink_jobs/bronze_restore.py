"""Before the job goes on from a state, bronze is put back to what that state knows.

A job that goes on from its newest checkpoint finds in bronze all that the checkpoint covers, or commits what is missing. After
an older one it reads again what bronze has since got: without this those rows would be there twice. Iceberg's summary of
each snapshot says which job committed it with which checkpoint; the table goes back to the last one that the state covers, and
what was written later, compactions included, comes anew. So many commits are kept for this (``JISHI_LAKE_LIVE_COMMITS``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pyflink.java_gateway import get_gateway

from flink_jobs.checkpoints import Origin
from jishi.lake.catalog import CATALOG, flink_catalog_options, identifier
from jishi.settings import Settings
from jishi.tables import BRONZE_LIVE

_JOB, _CHECKPOINT = "flink.job-id", "flink.max-committed-checkpoint-id"


class BronzeUnusable(RuntimeError):
    """The lake's bronze table cannot be gone on with; the message says what to do."""


@dataclass(frozen=True)
class Commit:
    """One snapshot of the table: its id and its parent's, Iceberg's operation, and the job and checkpoint of a stream's."""

    snapshot_id: int
    parent_id: int | None
    operation: str = "append"
    job_id: str | None = None
    checkpoint: int = 0


def put_back(settings: Settings, origin: Origin | None) -> int:
    """Take out of bronze what the state ``origin`` does not cover; returns how many commits. Raises BronzeUnusable.

    Call it in the JVM of this process before the job starts and after every earlier job has ended. A job without a state reads
    the log from its start, which may begin later than bronze: nothing is taken out, and silver drops what comes twice.
    """
    table = _table(settings)
    if origin is None:
        return 0
    later = not_covered(_history(table), origin)
    for commit in later:
        if commit.job_id is None and commit.operation != "replace":
            raise BronzeUnusable(
                f"bronze's snapshot {commit.snapshot_id} ({commit.operation}) is of no stream and came after {origin.name}; "
                "start from a newer checkpoint, or take that snapshot back first"
            )
    if not later:
        return 0
    target = later[-1].parent_id
    if target is None:
        everything = get_gateway().jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()
        table.newDelete().deleteFromRowFilter(everything).commit()
    elif table.snapshot(target) is None:
        raise BronzeUnusable(
            f"bronze's snapshot {target}, to which {origin.name} belongs, has expired; start from a newer "
            "checkpoint, and keep more commits (JISHI_LAKE_LIVE_COMMITS)"
        )
    else:
        table.manageSnapshots().setCurrentSnapshot(target).commit()
    return len(later)


def not_covered(history: Iterable[Commit], origin: Origin) -> list[Commit]:
    """Of a table's commits, newest first, those from the newest back to the last that ``origin`` does not cover.

    Where no commit is covered, those of its own job and what came after them are not; what lies before is of earlier jobs.
    """
    walked: list[Commit] = []
    of_job = of_streams = 0
    for commit in history:
        if commit.job_id is not None and origin.covers(commit.job_id, commit.checkpoint):
            return walked[:of_streams]
        walked.append(commit)
        if commit.job_id is not None:
            of_streams = len(walked)
            if origin.is_of(commit.job_id):
                of_job = len(walked)
    return walked[:of_job]


def _table(settings: Settings) -> Any:
    jvm = get_gateway().jvm
    options = flink_catalog_options(settings)
    properties = jvm.java.util.HashMap()
    for key, value in options.items():
        properties.put(key, value)
    load = jvm.org.apache.iceberg.CatalogUtil.loadCatalog
    catalog = load(options["catalog-impl"], CATALOG, properties, jvm.org.apache.hadoop.conf.Configuration())
    name = jvm.org.apache.iceberg.catalog.TableIdentifier.parse(identifier(BRONZE_LIVE.name))
    if not catalog.tableExists(name):
        raise BronzeUnusable(
            f"the lake has no table {identifier(BRONZE_LIVE.name)}; make it in the main environment: python -m ops.lake_tables"
        )
    return catalog.loadTable(name)


def _history(table: Any) -> Iterator[Commit]:
    """Commits from the current one back, as far as they are kept."""
    snapshot = table.currentSnapshot()
    while snapshot is not None:
        summary = snapshot.summary()
        job_id, checkpoint = summary.get(_JOB), summary.get(_CHECKPOINT)
        parent = snapshot.parentId()
        yield Commit(snapshot.snapshotId(), parent, snapshot.operation(), job_id, int(checkpoint or 0))
        snapshot = None if parent is None else table.snapshot(parent)
