"""One database for all requests: switched when a version is published, bounded in time, and of one shop in every answer."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest

import dashboard.portal.published_marts as published_marts
from dashboard.portal.published_marts import MetricQuestion, PublishedMarts, TooSlow, rows_within_time
from dashboard.portal.shop_marts import Among, Condition, ShopMarts, marts_of_shop
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.metrics import MetricQueryRefused, equals
from tests.unit.dashboard.portal.twins import CANARY, DAYS, NOW, PLAIN, TwinShops, canaries_in


@pytest.fixture
def marts(twins: TwinShops) -> Iterator[ShopMarts]:
    with marts_of_shop(twins.portal.marts, PLAIN) as plain:
        yield plain


def test_a_new_version_is_read_by_the_next_request_and_the_old_one_by_who_began_with_it(twins: TwinShops) -> None:
    published = PublishedMarts(twins.settings)
    latest = Versions.of(twins.settings).latest()
    assert latest is not None
    assert latest.marts is not None
    old = twins.paths.warehouse / latest.marts.file
    with marts_of_shop(published, PLAIN) as before:
        assert published.newest() is before.build
        new = old.with_name("2-twins.duckdb")
        shutil.copy(old, new)
        with duckdb.connect(str(new)) as connection:  # a writer of the next version waits for no reader
            connection.execute("update fct_orders set units = 7")
            connection.execute("update build set version = 2")
        record = MartsFile(str(new.relative_to(twins.paths.warehouse)), "", 1)
        Versions.of(twins.settings).commit(TableVersion(latest.number + 1, NOW, "a test", latest.number, {}, {}, record))
        with marts_of_shop(published, PLAIN) as after:
            assert after.version == 2
            assert {row["units"] for row in after.select("fct_orders", ["units"])} == {7}
        assert before.version == 1
        assert 7 not in {row["units"] for row in before.select("fct_orders", ["units"])}


def test_a_statement_that_takes_too_long_is_stopped(marts: ShopMarts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_marts, "STATEMENT_S", 0.2)
    with pytest.raises(TooSlow):
        rows_within_time(marts.cursor, "select sum(a.range * b.range) from range(1000000) as a, range(1000000) as b", [])
    assert len(marts.select("fct_orders", ["order_id"])) == DAYS


def test_a_slow_page_says_so(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> Any:
        raise TooSlow("select …")

    monkeypatch.setattr("dashboard.portal.shop_marts.rows_within_time", stopped)
    answer = twins.client().get(f"/shops/{PLAIN}/items")
    assert answer.status_code == 503
    assert "takes too long" in answer.text


def test_many_at_once_see_their_own_shop(twins: TwinShops) -> None:
    begin = threading.Barrier(8)

    def ask(shop_id: str) -> tuple[str, str]:
        begin.wait()
        with marts_of_shop(twins.portal.marts, shop_id) as marts:
            rows = [marts.metric_rows(MetricQuestion(("gmv", "buyers"), ("purchase__channel",))) for _ in range(5)]
            return shop_id, repr(rows) + repr(marts.select("dim_items", ["brand", "revenue_minor"]))

    with ThreadPoolExecutor(8) as pool:
        for shop_id, text in pool.map(ask, [PLAIN, CANARY] * 4):
            assert bool(canaries_in(text.encode())) == (shop_id == CANARY)


HOSTILE = (
    "x' or 1=1 --",
    "x') union all select * from published.fct_orders --",
    f"x' or shop = '{CANARY}",
    "{{ Dimension('purchase__channel') }}",
    "x\\' or 1=1 --",
    "x'; drop view fct_orders; --",
    "\0' or 1=1 --",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_of_a_filter_is_only_a_value(marts: ShopMarts, value: str) -> None:
    try:
        question = MetricQuestion(("orders",), ("purchase__channel",), (equals("purchase__channel", value),))
        rows = marts.metric_rows(question)
    except (MetricQueryRefused, duckdb.ParserException):
        rows = []
    assert rows == []
    assert len(marts.select("fct_orders", ["order_id"])) == DAYS


@pytest.mark.parametrize("name", ["purchase__channel') }} or 1=1 --", "published.fct_orders", "", "a b"])
def test_a_dimension_is_a_name(name: str) -> None:
    with pytest.raises(MetricQueryRefused):
        equals(name, "x")


def test_metrics_of_chosen_persons_are_those_of_these_alone(marts: ShopMarts) -> None:
    chosen = [Condition("person_id", "=", "u:nobody")]
    assert marts.metric_rows(MetricQuestion(("customer_orders",)), chosen) == []
    by_order = [
        (Among("fct_orders", "person_id", (Condition("order_id", "=", "o1"),)), DAYS),
        (Among("fct_orders", "person_id", (Condition("order_id", "=", "o2"),)), 0),
        (Among("fct_orders", "person_id", (Condition("no_such_column", "=", 1),)), 0),
        (Among("build", "version"), 0),
    ]
    for among, count in by_order:
        assert len(marts.select("dim_customers", ["person_id"], [Condition("person_id", "in", among)])) == count, among
    orders = [row["kept_orders"] for row in marts.select("dim_customers", ["kept_orders"])]
    assert len(marts.select("dim_customers", ["orders"], [Condition("kept_orders", "in", orders[:2])])) == 2
