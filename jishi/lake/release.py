"""How a publish ends, the same for every engine: under one lock, main of each table moves and then the record is written.

A publish writes to a branch of each table, ``audit_<time>_<run>``, which begins at the snapshot that the newest record names.
Nobody reads the branch but its audit. ``release`` then refuses a stale writer, moves main of each table to its branch with a
tag ``v<number>`` that keeps the snapshot from expiry, and writes the record: from then on readers see it. A kill before that
leaves readers on the version before; main of some tables may then be ahead, and the next publish moves it back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from jishi.lake.versions import MartsFile, StaleWriter, TableVersion, Unfinished, Versions, overlap

MAIN = "main"
CLOCK_TOLERANCE = timedelta(minutes=1)  # Iceberg's own: tables may be written by machines whose clocks are a little apart
Step = Callable[[str], None]
Sync = Callable[[Mapping[str, int], Mapping[str, int]], object]


def no_step(name: str) -> None:
    """What a publish does between its steps: nothing. Tests kill it there."""


class ClockBehind(RuntimeError):
    """A table was last written later than it is now by this machine's clock, which is behind or was ahead."""


REFUSED = (ClockBehind, StaleWriter)
"""What whoever publishes is refused by, with nothing published: each says in one sentence what to do."""


def refuse_earlier_clock(table: str, written_ms: int) -> None:
    """Raise ClockBehind for a table that was last written at ``written_ms`` (epoch milliseconds), more than a minute from now.

    Java's Iceberg refuses to write there, and to read a table whose history goes backwards in time, which pyiceberg would make.
    """
    written, now = datetime.fromtimestamp(written_ms / 1000, UTC), datetime.now(UTC)
    if written - now > CLOCK_TOLERANCE:
        raise ClockBehind(
            f"{table} was last written at {written:%Y-%m-%d %H:%M:%S} UTC and it is {now:%Y-%m-%d %H:%M:%S} by this machine's "
            "clock, which is behind or was ahead then. Set it right, or wait until it is later. Nothing was published"
        )


class TableRefs(Protocol):
    """Branches and tags of one Iceberg table, by whichever engine; each call is one commit."""

    def head(self, branch: str) -> int | None:
        """Snapshot of a branch, or None where there is none."""

    def set_branch(self, branch: str, snapshot_id: int) -> None:
        """Make a branch at a snapshot, or move it there. Raises ClockBehind."""

    def drop_branch(self, branch: str) -> None:
        """Drop a branch if it is there."""

    def release(self, snapshot_id: int, tag: str, branch: str) -> None:
        """Move main to a snapshot, tag it, and drop the branch that led to it."""

    def tag(self, snapshot_id: int, tag: str) -> None:
        """Tag a snapshot; a tag of that name moves."""

    def roll_back(self, snapshot_id: int | None, tag: str, branch: str) -> None:
        """Main back to a snapshot (None: to no rows) without a release's tag and branch."""

    def order(self, snapshot_id: int) -> int:
        """A number that grows with each snapshot of the table."""

    def metadata(self) -> str:
        """Location of the table's newest metadata."""

    def manifests(self, snapshot_id: int) -> list[str]:
        """Locations of the snapshot's list of manifests and of these."""


@dataclass
class Publish:
    """One publish: what it is based on, what it replaces, and what it read of tables that others append to."""

    writer: str
    base: TableVersion | None
    changes: dict[str, list[str] | None] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    run: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%d%H%M%S}_{uuid4().hex[:12]}")

    @property
    def branch(self) -> str:
        """The branch that it writes to, in each table."""
        return f"audit_{self.run}"

    @property
    def number(self) -> int:
        """Number of the version that it is based on; 0 before the first."""
        return self.base.number if self.base else 0

    def base_snapshot(self, table: str) -> int | None:
        """The snapshot of a table that it is based on; None where the table had no rows."""
        return self.base.snapshots.get(table) if self.base else None


def began_at(branch: str) -> datetime | None:
    """When the publish that writes to a branch began; None for a branch of anybody else."""
    began = re.fullmatch(r"audit_(\d{14})_[0-9a-f]+", branch)
    return datetime.strptime(began[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if began else None


class Rebase(StaleWriter):
    """The same tables were published meanwhile, for other shops: what was written stays right on the newest version."""


def begin(versions: Versions, writer: str, refs_of: Callable[[str], TableRefs]) -> Publish:
    """A publish on the newest version, after what a crash left has been moved back."""
    with versions.lock():
        _heal(versions, refs_of)
        return Publish(writer, versions.latest())


def release(
    versions: Versions,
    publish: Publish,
    refs_of: Callable[[str], TableRefs],
    *,
    marts: MartsFile | None = None,
    check: Callable[[TableVersion | None], None] | None = None,
    keep_plan: Callable[[str, int], None] | None = None,
    sync: Sync | None = None,
    step: Step = no_step,
) -> TableVersion:
    """Make the branches of a publish the newest version.

    ``check`` gets the newest version and may raise to refuse; ``keep_plan`` is called with each new snapshot before it can be
    read, then ``sync`` with all of them and what the newest version names. Raises Rebase or StaleWriter when others published
    what this publish changed, or its branch is gone; then nothing has moved.
    """
    step("lock")
    with versions.lock():
        _heal(versions, refs_of)
        latest = versions.latest()
        if check is not None:
            check(latest)
        _refuse_stale(versions, publish, latest)
        number = (latest.number if latest else 0) + 1
        tag = f"v{number}"
        heads = {table: refs_of(table).head(publish.branch) for table in publish.changes}
        if gone := sorted(table for table, head in heads.items() if head is None):
            raise StaleWriter(f"the branch {publish.branch} of {', '.join(gone)} is gone; nothing was published")
        moved = {table: head for table, head in heads.items() if head is not None}
        read = _newest_read(publish.read, latest, refs_of)
        versions.begin(Unfinished(number, publish.run, list(moved)))
        for table, head in moved.items():
            step(f"release {table}")
            refs_of(table).release(head, tag, publish.branch)
        for table, snapshot_id in read.items():
            step(f"tag {table}")
            refs_of(table).tag(snapshot_id, tag)
        if keep_plan is not None:
            for table, snapshot_id in (moved | read).items():
                step(f"plan {table}")
                keep_plan(table, snapshot_id)
        if sync is not None:
            step("sync")
            sync(moved | read, latest.snapshots if latest else {})
        version = TableVersion(
            number=number,
            created_at=datetime.now(UTC),
            writer=publish.writer,
            base=latest.number if latest else None,
            snapshots=(latest.snapshots if latest else {}) | read | moved,
            changes=publish.changes,
            marts=marts or (latest.marts if latest else None),
        )
        step("record")
        versions.commit(version)
    step("done")
    return version


def drop_old_versions(
    versions: Versions,
    refs_of: Callable[[str], TableRefs],
    tags_of: Callable[[str], Mapping[str, int]],
    *,
    keep: int,
    since: datetime,
) -> list[int]:
    """Forget versions that are neither among the newest ``keep`` nor newer than ``since``; returns their numbers.

    Tags of snapshots that no kept version names go with them, so that expiry may take the snapshots.
    """
    with versions.lock():
        every = versions.after(0)
        kept = [version for place, version in enumerate(reversed(every)) if place < keep or version.created_at >= since]
        if not kept or len(kept) == len(every):
            return []
        oldest = min(version.number for version in kept)
        versions.drop(before=oldest)
        kept = [version for version in every if version.number >= oldest]
        for table in {table for version in every for table in version.snapshots}:
            named = {version.snapshots.get(table) for version in kept}
            for tag, snapshot_id in tags_of(table).items():
                if tag.removeprefix("v").isdigit() and snapshot_id not in named:
                    refs_of(table).drop_branch(tag)
    return [version.number for version in every if version.number < oldest]


def _heal(versions: Versions, refs_of: Callable[[str], TableRefs]) -> None:
    """Move back what a publish that died had moved. Called under the lock."""
    unfinished = versions.unfinished()
    if unfinished is None:
        return
    latest = versions.latest()
    for table in unfinished.tables:
        snapshot_id = latest.snapshots.get(table) if latest else None
        refs_of(table).roll_back(snapshot_id, f"v{unfinished.number}", f"audit_{unfinished.run}")
    versions.settle()


def _refuse_stale(versions: Versions, publish: Publish, latest: TableVersion | None) -> None:
    newer = versions.after(publish.number)
    if newer and newer[0].number != publish.number + 1:
        raise StaleWriter(f"version {publish.number}, which this publish is based on, is not kept any more")
    for version in newer:
        both = overlap(publish.changes, version.changes)
        if both:
            concerned = "; ".join(f"{table} of {', '.join(shops) if shops else 'all'}" for table, shops in sorted(both.items()))
            raise StaleWriter(f"version {version.number} ({version.writer}) came first and changed {concerned}")
    snapshots = latest.snapshots if latest else {}
    moved = [table for table in publish.changes if snapshots.get(table) != publish.base_snapshot(table)]
    if moved:
        raise Rebase(f"{', '.join(sorted(moved))}: other shops were published since version {publish.number}")


def _newest_read(read: dict[str, int], latest: TableVersion | None, refs_of: Callable[[str], TableRefs]) -> dict[str, int]:
    """What was read of appended tables, where it is newer than what the newest version names."""
    newest = {}
    for table, snapshot_id in read.items():
        known = latest.snapshots.get(table) if latest else None
        if known is None or refs_of(table).order(snapshot_id) > refs_of(table).order(known):
            newest[table] = snapshot_id
    return newest
