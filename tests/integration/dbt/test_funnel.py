"""The funnel of visits against brute force over every choice of acts, on logs that hypothesis makes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi.lake.reading import open_version
from jishi.marts import mart_rows
from jishi.paths import Paths
from ops import marts
from ops.dbt import dbt_environment, run_dbt
from quality.bots import bot_labels
from tests.lake import newest, settings_in

pytestmark = pytest.mark.integration
START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
STEPS = ("item_viewed", "item_added_to_cart", "checkout_started", "order_paid")
Act = tuple[int, str]


class FunnelRule(NamedTuple):
    """Whether steps count in order only, and for how many minutes after the first view (None: all of the visit)."""

    in_order: bool
    window_minutes: int | None


RULES = (FunnelRule(True, None), FunnelRule(True, 2), FunnelRule(False, None), FunnelRule(False, 2))


class Reached(NamedTuple):
    """What a visit reached."""

    is_visit: bool
    reached: tuple[bool, ...]
    paid_path: str | None


def brute_force(acts: list[Act], rule: FunnelRule) -> Reached:
    """Every choice of one act a step is tried."""
    views = [at for at, kind in acts if kind == STEPS[0]]
    last = min(views) + rule.window_minutes if views and rule.window_minutes is not None else 10**9
    of_step = [[at for at, kind in acts if kind == step and at <= last] for step in STEPS]

    def is_reached(depth: int) -> bool:
        return any(not rule.in_order or list(chain) == sorted(chain) for chain in itertools.product(*of_step[: depth + 1]))

    reached = tuple(is_reached(depth) for depth in range(len(STEPS)))
    is_visit = any(kind != "order_paid" for _, kind in acts)
    if not any(kind == "order_paid" for _, kind in acts):
        return Reached(is_visit, reached, None)
    if reached[-1]:
        return Reached(is_visit, reached, "cart")
    adds = [at for at, kind in acts if kind == "item_added_to_cart"]
    paid_after_view = [paid for paid in of_step[3] if any(view <= paid for view in views) or (views and not rule.in_order)]
    without_cart = any(all(add > paid for add in adds) for paid in paid_after_view)
    return Reached(is_visit, reached, "without_cart" if without_cart else "other")


@pytest.fixture(scope="module")
def compiled(built: Paths, tmp_path_factory: pytest.TempPathFactory) -> dict[FunnelRule, str]:
    """The model's SQL as dbt compiles it with each rule."""
    sql = {}
    for rule in RULES:
        environment = dbt_environment(settings_in(built.var), marts.work_database(built))
        target = tmp_path_factory.mktemp("compiled")
        environment |= {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
        chosen = json.dumps({"funnel_in_order": rule.in_order, "funnel_window_minutes": rule.window_minutes})
        done = run_dbt(["compile", "--full-refresh", "--select", "int_visit_funnels", "--vars", chosen], environment)
        assert done.returncode == 0, done.stdout[-2000:]
        [file] = target.glob("compiled/**/int_visit_funnels.sql")
        sql[rule] = file.read_text()
    return sql


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as build; use build.main")
        connection.execute(
            "create table stg_lake__sessions (shop_id varchar, session_key varchar, orders bigint, person_id varchar)"
        )
        connection.execute(
            "create table int_acts_in_visits (shop_id varchar, session_key varchar, type varchar, occurred_at timestamp)"
        )
        yield connection


acts_of_a_visit = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([*STEPS, "search_performed"])), min_size=1, max_size=8)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_funnel_is_what_brute_force_finds(
    rule: FunnelRule, compiled: dict[FunnelRule, str], database: duckdb.DuckDBPyConnection
) -> None:
    seen: set[Any] = set()

    @settings(max_examples=80, deadline=None)
    @given(st.lists(acts_of_a_visit, min_size=1, max_size=12))
    def check(visits: list[list[Act]]) -> None:
        database.execute("delete from stg_lake__sessions; delete from int_acts_in_visits")
        for number, acts in enumerate(visits):
            orders = sum(kind == "order_paid" for _, kind in acts)
            database.execute("insert into stg_lake__sessions values ('a', ?, ?, 'p')", [str(number), orders])
            rows = [["a", str(number), kind, START + timedelta(minutes=at)] for at, kind in acts]
            database.executemany("insert into int_acts_in_visits values (?, ?, ?, ?)", rows)
        columns = "is_visit, has_viewed, has_added, has_checked_out, has_paid, paid_path"
        reached_rows = database.execute(f"select session_key, {columns} from ({compiled[rule]})").fetchall()
        outcomes = {int(key): Reached(is_visit, tuple(steps), path) for key, is_visit, *steps, path in reached_rows}
        assert outcomes == {number: brute_force(acts, rule) for number, acts in enumerate(visits)}
        seen.update((outcome.paid_path, sum(outcome.reached)) for outcome in outcomes.values())

    check()
    assert {path for path, _ in seen} == {None, "cart", "without_cart", "other"}
    assert {depth for _, depth in seen} == {0, 1, 2, 3, 4}


def test_bots_of_the_marts_are_those_of_the_label(built: Paths) -> None:
    marked = mart_rows(newest(built.var), "select distinct shop_id, person_id from fct_sessions where is_bot")
    labels = bot_labels(open_version(settings_in(built.var)))
    assert {(row["shop_id"], row["person_id"]) for row in marked} == {(label.shop_id, label.person_id) for label in labels}
    assert labels
