"""One database for all requests: switched when a version is published, bounded in time, and of one shop in every answer."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import pytest

import dashboard.portal.published_marts as published_marts
from dashboard.portal.kept_answers import KeptAnswer, KeptAnswers
from dashboard.portal.published_marts import MetricQuestion, PublishedMarts, TooSlow, answer_within_time
from dashboard.portal.shop_marts import Among, Condition, ShopMarts, marts_of_shop
from jishi.lake.versions import MartsFile, TableVersion, Versions
from jishi.metrics import STAND_IN, MetricQueryRefused, MetricSql, TimeRange, equals, stand_in_for, with_days
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
            assert after.build.metric_sql is before.build.metric_sql, "the same definitions, whose SQL is there"
        assert before.version == 1
        assert 7 not in {row["units"] for row in before.select("fct_orders", ["units"])}


def test_a_build_with_other_definitions_is_asked_by_its_own(twins: TwinShops) -> None:
    build = PublishedMarts(twins.settings).newest()
    definitions = json.loads(str(build.semantic_manifest))
    [gmv] = [each for each in definitions["metrics"] if each["name"] == "gmv"]
    definitions["metrics"].append(gmv | {"name": "gmv_again"})
    other = replace(build, semantic_manifest=json.dumps(definitions))
    with pytest.raises(MetricQueryRefused, match="gmv_again"):
        build.metric_sql(MetricQuestion(("gmv_again",)))
    assert "gmv_again" in other.metric_sql(MetricQuestion(("gmv_again",)))


def test_a_statement_that_takes_too_long_is_stopped(marts: ShopMarts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_marts, "STATEMENT_S", 0.2)
    with pytest.raises(TooSlow):
        answer_within_time(marts.cursor, "select sum(a.range * b.range) from range(1000000) as a, range(1000000) as b", [])
    assert len(marts.select("fct_orders", ["order_id"])) == DAYS


def test_what_was_answered_is_kept_for_those_who_ask_the_same_of_the_same_shop(
    twins: TwinShops, marts: ShopMarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = MetricQuestion(("gmv",), ("purchase__channel",))
    first = (marts.select("fct_orders", ["order_id", "units"]), marts.metric_rows(question))
    first[0][0]["units"] = first[1][0]["gmv"] = None  # what one page does to its rows is its own

    def unasked(*_: Any) -> Any:
        raise AssertionError("the marts were asked again")

    of_others = {shop_id: _units_and_gmv(twins, shop_id, question) for shop_id in (PLAIN, CANARY)}
    monkeypatch.setattr("dashboard.portal.shop_marts.answer_within_time", unasked)
    again = (marts.select("fct_orders", ["order_id", "units"]), marts.metric_rows(question))
    assert None not in [again[0][0]["units"], again[1][0]["gmv"]]
    assert {shop_id: _units_and_gmv(twins, shop_id, question) for shop_id in (PLAIN, CANARY)} == of_others
    with pytest.raises(AssertionError, match="asked again"):
        marts.select("fct_orders", ["units"], [Condition("units", ">=", 2)])


def test_kept_answers_are_bounded_and_asked_once_by_many() -> None:
    asked: list[int] = []
    begin, kept = threading.Barrier(8), KeptAnswers(cells=100)

    def read(number: int) -> KeptAnswer:
        asked.append(number)
        return KeptAnswer(("a",), [(number,)] * 60)

    def ask(number: int) -> KeptAnswer:
        begin.wait()
        return kept.get(number, lambda: read(number))

    with ThreadPoolExecutor(8) as threads:
        assert {answer.rows[0] for answer in threads.map(ask, [1] * 8)} == {(1,)}
    assert asked == [1]
    kept.get(2, lambda: read(2))  # 61 cells more than fit: the first goes
    kept.get(1, lambda: read(1))
    assert asked == [1, 2, 1]


def test_sql_that_is_generated_once_for_any_days_is_that_of_these_days(marts: ShopMarts) -> None:
    generator = MetricSql(json.loads(marts.build.semantic_manifest or ""), "temp")
    names = sorted(marts.build.metrics)
    closed, since, until = TimeRange(date(2025, 12, 31), date(2026, 3, 1)), date(2026, 2, 28), date(2026, 11, 3)
    asked = [MetricQuestion(tuple(names[n::9]), ("metric_time__day",)[: n % 2], days=closed) for n in range(9)]
    asked += [MetricQuestion(("gmv", "buyers"), days=days) for days in (TimeRange(since=since), TimeRange(until=until))]
    for question in asked:
        expected = generator.select(question.metrics, question.by, days=question.days)
        assert _without_numbers(marts.build.metric_sql(question)) == _without_numbers(expected)


def _without_numbers(sql: str) -> str:
    """MetricFlow counts the names of its subqueries on from question to question."""
    return re.sub(r"_\d+\b", "_n", sql)


def test_days_that_follow_from_the_days_asked_for_are_not_replaced() -> None:
    asked = TimeRange(date(2026, 11, 1), date(2026, 11, 30))
    place = stand_in_for(asked)
    assert with_days(f"a between '{place.since}' and '{place.until}'", asked) == "a between '2026-11-01' and '2026-11-30'"
    assert with_days(f"a between '2001-01-04' and '{place.until}'", asked) is None
    as_places = TimeRange(STAND_IN.until, STAND_IN.since)
    assert with_days(f"a between '{place.since}' and '{place.until}'", as_places) == "a between '2004-05-06' and '2001-02-03'"


def test_a_value_that_looks_like_a_stand_in_is_left_as_it_is(marts: ShopMarts) -> None:
    where = (equals("purchase__channel", str(STAND_IN.since)),)
    sql = marts.build.metric_sql(MetricQuestion(("gmv",), where=where, days=TimeRange(since=date(2026, 11, 1))))
    assert f"= '{STAND_IN.since}'" in sql


def _units_and_gmv(twins: TwinShops, shop_id: str, question: MetricQuestion) -> str:
    with marts_of_shop(twins.portal.marts, shop_id) as marts:
        return repr((marts.select("fct_orders", ["order_id", "units"]), marts.metric_rows(question)))


def test_a_slow_page_says_so(twins: TwinShops, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> Any:
        raise TooSlow("select …")

    monkeypatch.setattr(KeptAnswers, "get", stopped)
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
