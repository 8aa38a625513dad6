"""The benches of the portal's pages know its addresses, and their shop adds up; small, and without a server."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bench.big_shop import SHOP, add_day, make_big_shop
from bench.board import _slowest
from bench.one_shop import settings_of
from bench.portal_load import page_addresses, quantile
from dashboard.portal.datasets import DATASETS
from jishi.lake.query import open_lake
from jishi.lake.reading import open_version


def test_every_page_that_reads_is_measured_or_named() -> None:
    measured, left_out = page_addresses()
    assert f"/shops/{SHOP}/today" in measured
    assert {f"/shops/{SHOP}/rows/{name}" for name in DATASETS} <= set(measured)
    assert not [address for address in measured if "{" in address]
    assert [path for path in left_out if "{" not in path.replace("{shop_id}", "")] == ["/shops/{shop_id}/now/stream"]


def test_the_big_shop_is_one_that_silver_could_have_made(tmp_path: Path) -> None:
    count = make_big_shop(tmp_path, 4000, last=date(2026, 11, 29), days=20)
    assert count == pytest.approx(4000, rel=0.1)
    with open_lake(open_version(settings_of(tmp_path))) as lake:

        def one(sql: str) -> tuple[int, ...]:
            [row] = lake.execute(sql).fetchall()
            return row

        assert one("select count(*), count(distinct event_id) from silver_events") == (count, count)
        assert one("select sum(events), sum(orders) from silver_sessions") == one(
            "select count(*), count(*) filter (type = 'order_paid') from silver_events"
        )
        paid = "select sum(paid_minor - shipping_minor), count(*), sum(lines) from silver_orders"
        lines = "select sum(net_minor), count(distinct order_id), count(*) from silver_order_lines"
        assert one(paid) == one(lines)
        assert one("select count(*) from silver_orders semi join silver_events using (event_id)") == one(
            "select count(*) from silver_orders"
        )


def test_quantiles_are_of_what_was_measured() -> None:
    assert quantile([0.1] * 19 + [1.1], 0.95) == pytest.approx(0.15)


def test_the_day_after_adds_to_the_shop_and_reaches_back(tmp_path: Path) -> None:
    before = make_big_shop(tmp_path, 6000, last=date(2026, 11, 28), days=20)
    events = add_day(tmp_path, days=20)
    with open_lake(open_version(settings_of(tmp_path))) as lake:
        [(count, keys, late, newest)] = lake.execute(
            "select count(*), count(distinct event_id), count(*) filter (is_late), max(occurred_date) from silver_events"
        ).fetchall()
        assert late > 0
        assert count == keys == before + events + late
        assert newest == date(2026, 11, 29)
        assert lake.execute("select sum(events) from silver_sessions").fetchall() == [(count,)]
        [(misplaced,)] = lake.execute(
            "select count(*) from silver_refunds r left join silver_orders o using (shop_id, order_id) "
            "where o.order_id is null or r.refunded_at < o.paid_at"
        ).fetchall()
        assert misplaced == 0


def test_the_slowest_has_the_greatest_p95_and_not_the_greatest_single_time() -> None:
    taken = [{"steady": 0.3, "once": 0.1} for _ in range(39)] + [{"steady": 0.3, "once": 9.0}]
    measured = _slowest("chart", taken)
    assert (measured["slowest_chart"], measured["slowest_chart_p95_s"]) == ("steady", 0.3)
    assert measured["charts"]["once"][0] == 0.1
