"""The funnels of visits and of categories against brute force over every choice of acts, on logs that hypothesis makes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jishi.lake.reading import open_version
from jishi.marts import mart_rows
from jishi.paths import Paths
from ops import marts
from ops.dbt import dbt_environment
from ops.dbt_process import run_dbt
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


class CategoryAct(NamedTuple):
    """An act of a visit, with the categories of its items; None is outside the catalogue."""

    at: int
    kind: str
    categories: tuple[str | None, ...]


def brute_force_of_categories(acts: list[CategoryAct], rule: FunnelRule) -> dict[str | None, tuple[bool, ...]]:
    """The steps of each category that was viewed, from the visit's acts that concern it: its items', and all checkouts."""
    viewed = {category for act in acts if act.kind == STEPS[0] for category in act.categories}
    of_category = {
        category: [(act.at, act.kind) for act in acts if category in act.categories or act.kind == "checkout_started"]
        for category in viewed
    }
    return {category: brute_force(chosen, rule).reached[1:] for category, chosen in of_category.items()}


@pytest.fixture(scope="module")
def compiled(built: Paths, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The models' SQL as dbt compiles it."""
    target = tmp_path_factory.mktemp("compiled")
    environment = dbt_environment(settings_in(built.var), marts.work_database(built))
    environment |= {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
    done = run_dbt(["compile", "--full-refresh", "--select", "int_visit_funnels", "int_category_funnels"], environment)
    assert done.returncode == 0, done.stdout[-2000:]
    return {file.stem: file.read_text() for file in target.glob("compiled/**/int_*_funnels.sql")}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as build; use build.main")
        session = "shop_id varchar, session_key varchar, orders bigint, person_id varchar"
        connection.execute(f"create table stg_lake__sessions ({session})")
        shops = "shop_id varchar, funnel_in_order boolean, funnel_window_minutes integer"
        connection.execute(f"create table stg_lake__shops ({shops})")
        act = "shop_id varchar, session_key varchar, type varchar, occurred_at timestamp"
        connection.execute(f"create table int_acts_in_visits ({act})")
        connection.execute(f"create table int_item_acts_in_visits ({act}, item_id varchar)")
        connection.execute("create table stg_lake__items (shop_id varchar, item_id varchar, category varchar)")
        yield connection


# One visit of each path and of each number of steps, which chance may leave out.
EACH_PATH: list[list[Act]] = [[(0, step) for step in STEPS[:depth]] for depth in range(1, 5)]
EACH_PATH += [[(0, "item_viewed"), (0, "order_paid")], [(0, "order_paid")], [(0, "search_performed")]]
acts_of_a_visit = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([*STEPS, "search_performed"])), min_size=1, max_size=8)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_funnel_is_what_brute_force_finds(
    rule: FunnelRule, compiled: dict[str, str], database: duckdb.DuckDBPyConnection
) -> None:
    seen: set[Any] = set()
    _set_rules(database, {"a": rule})

    @settings(max_examples=80, deadline=None)
    @example(EACH_PATH)
    @given(st.lists(acts_of_a_visit, min_size=1, max_size=12))
    def check(visits: list[list[Act]]) -> None:
        _insert_visits(database, "a", visits)
        outcomes = _outcomes(database, compiled)["a"]
        assert outcomes == {number: brute_force(acts, rule) for number, acts in enumerate(visits)}
        seen.update((outcome.paid_path, sum(outcome.reached)) for outcome in outcomes.values())

    check()
    assert {path for path, _ in seen} == {None, "cart", "without_cart", "other"}
    assert {depth for _, depth in seen} == {0, 1, 2, 3, 4}


def test_each_shop_has_the_funnel_that_it_set(compiled: dict[str, str], database: duckdb.DuckDBPyConnection) -> None:
    """One visit backwards and one that takes its time; a shop that the registry does not know has the usual rule."""
    backwards = [(0, "item_viewed"), (1, "order_paid"), (2, "checkout_started"), (3, "item_added_to_cart")]
    slow = [(0, "item_viewed"), (1, "item_added_to_cart"), (4, "checkout_started"), (5, "order_paid")]
    rules = {f"shop {number}": rule for number, rule in enumerate(RULES)}
    _set_rules(database, rules)
    for shop_id in (*rules, "unknown"):
        _insert_visits(database, shop_id, [backwards, slow], keep=shop_id != "shop 0")
    depths = {
        shop_id: [sum(outcome.reached) for _, outcome in sorted(outcomes.items())]
        for shop_id, outcomes in _outcomes(database, compiled).items()
    }
    assert depths == {"shop 0": [2, 4], "shop 1": [1, 2], "shop 2": [4, 4], "shop 3": [1, 2], "unknown": [2, 4]}


acts_of_categories = st.lists(
    st.builds(
        lambda at, kind, categories: CategoryAct(
            at, kind, () if kind == STEPS[2] else tuple(categories if kind == STEPS[3] else categories[:1])
        ),
        st.integers(0, 5),
        st.sampled_from(STEPS),
        st.lists(st.sampled_from(["dress", "shoe", "", None]), min_size=1, max_size=3, unique=True),
    ),
    min_size=1,
    max_size=10,
)


BOUGHT_TWO_OF_THREE = [
    *(CategoryAct(0, "item_viewed", (category,)) for category in ("dress", "shoe", None)),
    *(CategoryAct(1, "item_added_to_cart", (category,)) for category in ("dress", "shoe")),
    CategoryAct(1, "checkout_started", ()),
    CategoryAct(2, "order_paid", ("shoe", "dress", "")),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_funnel_of_a_category_is_what_brute_force_finds(
    rule: FunnelRule, compiled: dict[str, str], database: duckdb.DuckDBPyConnection
) -> None:
    """An order may hold lines of several categories, and two items of one; a checkout belongs to what the cart got before."""
    seen: set[Any] = set()
    _set_rules(database, {"a": rule})
    database.execute("delete from stg_lake__items")
    items = {"dress": ("d1", "d2"), "shoe": ("s1",), "": ("nameless",), None: ("unlisted",)}
    known = [["a", item, category] for category, of_category in items.items() for item in of_category if category is not None]
    database.executemany("insert into stg_lake__items values (?, ?, ?)", known)
    database.execute("insert into stg_lake__items values ('b', 'unlisted', 'of another shop')")

    @settings(max_examples=80, deadline=None)
    @given(st.lists(acts_of_categories, min_size=1, max_size=8))
    @example([BOUGHT_TWO_OF_THREE])
    def check(visits: list[list[CategoryAct]]) -> None:
        _insert_visits(database, "a", [[(act.at, act.kind) for act in acts] for acts in visits])
        database.execute("delete from int_item_acts_in_visits")
        rows = [
            ["a", str(number), act.kind, START + timedelta(minutes=act.at), item]
            for number, acts in enumerate(visits)
            for act in acts
            for category in act.categories
            for item in (items[category] if act.kind == STEPS[3] else items[category][act.at % 2 :][:1] or items[category])
        ]
        if rows:
            database.executemany("insert into int_item_acts_in_visits values (?, ?, ?, ?, ?)", rows)
        columns = "session_key, category, has_added, has_checked_out, has_paid"
        reached = database.execute(f"select {columns} from ({compiled['int_category_funnels']})").fetchall()
        assert len(reached) == len({row[:2] for row in reached})
        outcomes = {(int(key), category): tuple(steps) for key, category, *steps in reached}
        assert outcomes == {
            (number, category): steps
            for number, acts in enumerate(visits)
            for category, steps in brute_force_of_categories(acts, rule).items()
        }
        seen.update((category, sum(steps)) for (_, category), steps in outcomes.items())

    check()
    assert {category for category, _ in seen} == {*items}
    assert {depth for _, depth in seen} == {0, 1, 2, 3}


def _set_rules(database: duckdb.DuckDBPyConnection, rules: dict[str, FunnelRule]) -> None:
    database.execute("delete from stg_lake__shops")
    database.executemany("insert into stg_lake__shops values (?, ?, ?)", [[shop_id, *rule] for shop_id, rule in rules.items()])


def _insert_visits(database: duckdb.DuckDBPyConnection, shop_id: str, visits: list[list[Act]], *, keep: bool = False) -> None:
    """The visits by their numbers, in the place of all others or, with ``keep``, beside them."""
    if not keep:
        database.execute("delete from stg_lake__sessions; delete from int_acts_in_visits")
    for number, acts in enumerate(visits):
        orders = sum(kind == "order_paid" for _, kind in acts)
        database.execute("insert into stg_lake__sessions values (?, ?, ?, 'p')", [shop_id, str(number), orders])
        rows = [[shop_id, str(number), kind, START + timedelta(minutes=at)] for at, kind in acts]
        database.executemany("insert into int_acts_in_visits values (?, ?, ?, ?)", rows)


def _outcomes(database: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> dict[str, dict[int, Reached]]:
    """What the model says of each visit, by shop and number."""
    columns = "shop_id, session_key, is_visit, has_viewed, has_added, has_checked_out, has_paid, paid_path"
    outcomes: dict[str, dict[int, Reached]] = {}
    for shop_id, key, is_visit, *steps, path in database.execute(
        f"select {columns} from ({compiled['int_visit_funnels']})"
    ).fetchall():
        outcomes.setdefault(shop_id, {})[int(key)] = Reached(is_visit, tuple(steps), path)
    return outcomes


def test_bots_of_the_marts_are_those_of_the_label(built: Paths) -> None:
    marked = mart_rows(newest(built.var), "select distinct shop_id, person_id from fct_sessions where is_bot")
    labels = bot_labels(open_version(settings_in(built.var)))
    assert {(row["shop_id"], row["person_id"]) for row in marked} == {(label.shop_id, label.person_id) for label in labels}
    assert labels
