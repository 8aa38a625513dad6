"""Published tables are compacted by a publish: files change and no row, older versions stay, nobody's publish is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jishi.lake.catalog import open_catalog
from jishi.lake.plans import local_path
from jishi.lake.publishing import PyicebergRefs, Replacement, publish
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version
from jishi.lake.release import MAIN
from jishi.lake.rows import Rows
from jishi.paths import Paths
from jishi.tables import SILVER_ORDERS
from spark_jobs import compaction
from spark_jobs.audits import AuditFailed
from spark_jobs.compaction import Joined, compact_published
from spark_jobs.maintenance import drop_stray_branches, expire, maintain
from spark_jobs.publication import Publication
from spark_jobs.table_refs import SparkRefs
from tests.lake import table_of

pytestmark = pytest.mark.integration
ORDERS = SILVER_ORDERS.name


def add_order(platform: Any, order_id: str) -> int:
    """One order in a file of its own; returns the version's number."""
    rows = table_of(SILVER_ORDERS, [{"batch": "history", "shop_id": "a", "order_id": order_id, "paid_minor": 7}])
    where = Rows.of(shop_id=["a"], order_id=[order_id])
    return publish(platform.settings, "a test", lambda base: [Replacement(SILVER_ORDERS, where, rows)]).number


@pytest.fixture
def small_files(platform: Any) -> int:
    """Six orders in as many files of one partition; the number of the version."""
    return [add_order(platform, f"o{n}") for n in range(6)][-1]


def orders(platform: Any, version: int | None = None) -> list[str]:
    with open_lake(open_version(platform.settings, version)) as lake:
        return [order for (order,) in lake.execute("select order_id from silver_orders order by 1").fetchall()]


def files(platform: Any) -> int:
    return len(open_version(platform.settings).files(ORDERS))


def reachable(platform: Any) -> set[Path]:
    """Files that some snapshot of the table leads to, by pyiceberg."""
    loaded = open_catalog(platform.settings).load_table("silver.orders")
    locations = {loaded.metadata_location}
    for snapshot in loaded.snapshots():
        manifests = snapshot.manifests(loaded.io)
        locations |= {snapshot.manifest_list, *(manifest.manifest_path for manifest in manifests)}
        locations |= {task.file.file_path for task in loaded.scan(snapshot_id=snapshot.snapshot_id).plan_files()}
    return {Path(local_path(location)) for location in locations}


def compact(platform: Any, report: Callable[[str], None] = lambda line: None) -> dict[str, Joined]:
    return compact_published(platform.session, platform.settings, compaction.BY_DEFAULT, report)


def test_rows_stay_files_are_fewer_and_the_version_before_is_read_after_expiry(platform: Any, small_files: int) -> None:
    before = platform.rows(SILVER_ORDERS)
    assert len(before) == files(platform) == 6
    now, table = datetime.now(UTC).replace(tzinfo=None), Paths.of(platform.settings).lake / "warehouse" / "silver" / "orders"
    (table / "data" / "stray.parquet").write_bytes(b"of a publish that died")
    for file in table.rglob("*.*"):
        os.utime(file, (0, 0))  # old enough to be removed, if no snapshot knows it
    known, there = reachable(platform), set(table.rglob("*.*"))
    [done] = maintain(platform.session, platform.settings, ["silver.orders"], now, lambda line: None)
    assert (done.joined, done.became, done.expired) == (6, 1, 0)
    removed = there - set(table.rglob("*.*"))
    assert table / "data" / "stray.parquet" in removed
    assert removed & known == set(), "only what no snapshot knows"
    assert platform.rows(SILVER_ORDERS) == before
    assert files(platform) == 1
    version = open_version(platform.settings)
    assert version.number == small_files + 1
    assert version.record is not None
    assert version.record.changes == {ORDERS: []}
    assert expire(platform.session, platform.settings, "silver.orders", now + timedelta(days=30)) > 0
    assert orders(platform, small_files) == [f"o{n}" for n in range(6)]
    assert compact(platform) == {}, "nothing is left to join"
    add_order(platform, "next")
    assert orders(platform) == ["next", *(f"o{n}" for n in range(6))]
    assert files(platform) == 2, "the next publish builds on the joined file"


def test_a_publish_that_began_before_is_put_upon_the_joined_files(platform: Any, small_files: int) -> None:
    publication = Publication(platform.session, platform.settings, "a test", (SILVER_ORDERS,))
    frame = platform.frame(SILVER_ORDERS, [{"batch": "history", "shop_id": "a", "order_id": "new"}])
    publication.replace(SILVER_ORDERS, frame, Rows.of(shop_id=["a"], order_id=["o0", "new"]))
    assert compact(platform) == {ORDERS: Joined(6, 1)}
    publication.finish()
    assert orders(platform) == ["new", *(f"o{n}" for n in range(1, 6))]
    assert files(platform) == 2


def test_a_publish_that_came_first_is_kept_and_compaction_waits(
    platform: Any, small_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = compaction._audit_rows
    lines: list[str] = []

    def publish_between(*arguments: Any) -> None:
        audit(*arguments)
        add_order(platform, "between")

    monkeypatch.setattr(compaction, "_audit_rows", publish_between)
    assert compact(platform, lines.append) == {}
    assert "the next run will" in lines[0]
    assert orders(platform) == ["between", *(f"o{n}" for n in range(6))]
    assert branches(platform) == {MAIN}


def test_rows_that_differ_are_not_published(platform: Any, small_files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(session: Any, table: str, branch: str) -> Joined:
        catalog = open_catalog(platform.settings)
        catalog.load_table(table).delete("order_id == 'o3'", branch=branch)
        return Joined(6, 1)

    monkeypatch.setattr(compaction, "compact_branch", lossy)
    with pytest.raises(AuditFailed, match="silver/orders: compaction changed rows"):
        compact(platform)
    assert open_version(platform.settings).number == small_files
    assert branches(platform) == {MAIN}


def branches(platform: Any) -> set[str]:
    references = open_catalog(platform.settings).load_table("silver.orders").refs()
    return {name for name, reference in references.items() if reference.snapshot_ref_type.value == "branch"}


def test_branches_of_dead_publishes_go_after_a_day_and_those_of_running_ones_stay(platform: Any) -> None:
    add_order(platform, "o")
    by_spark, by_pyiceberg = SparkRefs(platform.session, ORDERS), PyicebergRefs(open_catalog(platform.settings), ORDERS)
    snapshot = by_spark.head(MAIN)
    assert snapshot is not None
    by_spark.set_branch("audit_20261101000000_0a", snapshot)
    by_pyiceberg.set_branch("audit_20261101000000_0b", snapshot)
    by_spark.set_branch("audit_20261102120000_0c", snapshot)
    by_pyiceberg.set_branch("of_somebody", snapshot)
    # Iceberg counts a branch's age from its snapshot, which may be old when a publish begins: none may have a limit there.
    assert by_spark.table.refs().get("audit_20261102120000_0c").maxRefAgeMs() is None
    dropped = drop_stray_branches(platform.session, "silver.orders", datetime(2026, 11, 2, 12, 0, 1))  # noqa: DTZ001
    assert sorted(dropped) == ["audit_20261101000000_0a", "audit_20261101000000_0b"]
    assert branches(platform) == {MAIN, "audit_20261102120000_0c", "of_somebody"}
