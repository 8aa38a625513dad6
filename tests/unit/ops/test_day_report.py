"""What a day's report says of runs and of published tables."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from jishi.paths import Paths
from jishi.shop_runs import ShopResult, ShopRuns
from jishi.tables import SILVER_ITEMS, SILVER_ORDERS
from ops.day_report import jobs_of, published_on
from tests.lake import record, settings_in


def test_jobs_of_the_day_are_counted_by_what_became_of_the_shops(tmp_path: Path) -> None:
    paths = Paths(var=tmp_path, envs=tmp_path)
    runs = ShopRuns(paths, "train", "daily.scheduled__2026-11-20")
    failed = ShopResult("b", "failed", "no orders table", 1.0)
    for result in (ShopResult("a", "done", "", 2.5), failed, ShopResult("c", "done", "", 4.0)):
        runs.record(result)
    ShopRuns(paths, "silver", "daily.scheduled__2026-11-20").record(ShopResult("a", "done"))
    before = datetime(2026, 11, 20, 23, 59, tzinfo=UTC).timestamp()
    os.utime(paths.runs / "daily.scheduled__2026-11-20" / "silver.jsonl", (before, before))
    at = before + 3600
    os.utime(paths.runs / "daily.scheduled__2026-11-20" / "train.jsonl", (at, at))
    [job] = jobs_of(paths, date(2026, 11, 21))
    assert (job.job, job.states, job.longest_s, job.sum_s) == ("train", {"done": 2, "failed": 1}, 4.0, 7.5)
    assert job.failures == {"b": "no orders table"}


def test_versions_of_the_day_show_the_rows_before_and_after(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var")
    orders = [{"shop_id": "a", "order_id": f"o{n}"} for n in range(3)]
    record(settings.var, {SILVER_ORDERS: orders[:1]})
    record(settings.var, {SILVER_ORDERS: orders, SILVER_ITEMS: []})
    today = datetime.now(UTC).date()
    versions = [*published_on(settings, today - timedelta(days=1)), *published_on(settings, today)]  # it may be midnight
    rows = [{change.table: (change.rows_before, change.rows) for change in version.changes} for version in versions]
    assert rows == [{SILVER_ORDERS.name: (None, 1)}, {SILVER_ITEMS.name: (0, 0), SILVER_ORDERS.name: (1, 3)}]
    assert published_on(settings, today - timedelta(days=2)) == []
