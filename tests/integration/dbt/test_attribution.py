"""Credits of orders against plain Python over orders and visits that hypothesis makes, late refunds, and the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jishi.marts import mart_rows
from jishi.metrics import open_metrics
from jishi.paths import Paths
from models.attribution.__main__ import fit
from tests.integration.dbt.rebuilt import Project
from tests.lake import newest

pytestmark = pytest.mark.integration
START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
LOOK_BACK, HALF_LIFE = timedelta(days=30), timedelta(days=7)
MODELS = ("fct_touchpoints", "int_touch_weights_set", "fct_attribution_credits")
CHANNELS = ["app", "search", "new", None]
HEURISTICS = {"first", "last", "last_non_direct", "linear", "position", "time_decay"}
EFFECTS = {"app": (0.6, 8), "direct": (0.3, 2), "search": (0.1, 1), "lost": (0.0, 0)}  # with the orders that had a part of it


class PersonVisit(NamedTuple):
    """A visit of one person: when it began (hours), how long it took, and its channel."""

    at: int
    hours: int
    channel: str | None
    is_bot: bool


class PersonOrder(NamedTuple):
    """An order of that person: when it was paid (hours) and its net, None without a rate."""

    at: int
    net_minor: int | None


def touches_of(orders: list[PersonOrder], visits: list[PersonVisit]) -> dict[int, list[tuple[int, str]]]:
    """The touches of each order as (hour, channel); visits are as good as their numbers where they begin at once."""
    in_time = sorted(range(len(orders)), key=lambda number: (orders[number].at, f"{number:02}"))
    touches: dict[int, list[tuple[int, str]]] = {}
    for place, number in enumerate(in_time):
        at = orders[number].at
        before = orders[in_time[place - 1]].at if place else None
        touches[number] = [
            (visit.at, visit.channel or "direct")
            for visit in sorted(visits, key=lambda visit: visit.at)
            if not visit.is_bot
            and visit.at <= at <= visit.at + LOOK_BACK / timedelta(hours=1)
            and (before is None or visit.at > before or visit.at + visit.hours >= at)
        ] or [(at, "unknown")]
    return touches


def weights_of(touches: list[tuple[int, str]]) -> dict[str, list[Fraction]]:
    """The part of the credit that each touch has by each model, as the definitions say it."""
    count, channels = len(touches), [channel for _, channel in touches]
    named = [n for n, channel in enumerate(channels) if channel not in ("direct", "unknown")]
    halves = [Fraction(round(10**6 * 0.5 ** ((touches[-1][0] - at) / (HALF_LIFE / timedelta(hours=1))))) for at, _ in touches]
    ends, middle = Fraction(2, 5), Fraction(1, 5)

    def only(chosen: int) -> list[Fraction]:
        return [Fraction(n == chosen) for n in range(count)]

    of_channel = {channel: effect / orders for channel, (effect, orders) in EFFECTS.items() if orders}
    effects = [Fraction(of_channel.get(channel, 0)) / channels.count(channel) for channel in channels]
    weights = {
        "first": only(0),
        "last": only(count - 1),
        "last_non_direct": only(named[-1] if named else count - 1),
        "linear": [Fraction(1)] * count,
        "position": [Fraction(1)] * count if count < 3 else [ends, *[middle / (count - 2)] * (count - 2), ends],
        "time_decay": halves,
        "markov": effects if sum(effects) else [Fraction(1)] * count,
    }
    return {model: [part / sum(parts) for part in parts] for model, parts in weights.items()}


def allotted(amount: int, parts: list[Fraction]) -> list[int]:
    """Whole units by the largest remainder, the earlier touch first where remainders are equal."""
    shares = [int(amount * part) for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda n: (-(amount * parts[n] - shares[n]), n))
    for n in by_remainder[: amount - sum(shares)]:
        shares[n] += 1
    return shares


@pytest.fixture(scope="module")
def compiled(built: Paths, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SQL of the models, as the build ran it."""
    project = Project.of(built.warehouse)
    return {model: project.sql_of(model) for model in MODELS}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as build; use build.main")
        connection.execute(
            "create table fct_orders (shop_id varchar, order_id varchar, person_id varchar, paid_at timestamp, paid_date date, "
            "net_minor bigint, channel varchar, campaign varchar, share_id varchar)"
        )
        connection.execute(
            "create table fct_sessions (shop_id varchar, session_key varchar, person_id varchar, started_at timestamp, "
            "ended_at timestamp, channel varchar, campaign varchar, referrer varchar, share_id varchar, is_visit boolean, "
            "is_bot boolean)"
        )
        connection.execute("create table int_share_links_named (shop_id varchar, share_id varchar, sharer_id varchar)")
        connection.execute("create table int_customers_acquired (shop_id varchar, order_id varchar)")
        connection.execute(
            "create table dim_channel_effects (shop_id varchar, model varchar, channel varchar, effect double, orders bigint)"
        )
        rows = [["a", "markov", channel, effect, orders] for channel, (effect, orders) in EFFECTS.items()]
        connection.executemany("insert into dim_channel_effects values (?, ?, ?, ?, ?)", rows)
        yield connection


visits_of_a_person = st.lists(
    st.builds(
        PersonVisit, st.integers(0, 1200), st.integers(0, 30), st.sampled_from(["app", "search", "new", None]), st.booleans()
    ),
    max_size=9,
    unique_by=lambda visit: visit.at,
)
orders_of_a_person = st.lists(
    st.builds(PersonOrder, st.integers(0, 1300), st.one_of(st.none(), st.integers(0, 10**6))), min_size=1, max_size=4
)


def test_credits_are_what_the_definitions_say_and_add_up_to_the_cent(
    compiled: dict[str, str], database: duckdb.DuckDBPyConnection
) -> None:
    seen: set[int] = set()

    @settings(max_examples=60, deadline=None)
    @given(orders_of_a_person, visits_of_a_person)
    @example([PersonOrder(300, 1001)], [])
    @example([PersonOrder(300, 1001)], [PersonVisit(100 + 50 * n, 1, "search", False) for n in range(2)])
    @example([PersonOrder(300, 1001)], [PersonVisit(100 + 50 * n, 1, "search", False) for n in range(4)])
    def check(orders: list[PersonOrder], visits: list[PersonVisit]) -> None:
        database.execute("delete from fct_orders; delete from fct_sessions")
        for number, order in enumerate(orders):
            at = START + timedelta(hours=order.at)
            values = ["a", f"{number:02}", "p", at, at.date(), order.net_minor]
            database.execute("insert into fct_orders values (?, ?, ?, ?, ?, ?, null, null, null)", values)
        for number, visit in enumerate(visits):
            at = START + timedelta(hours=visit.at)
            values = ["a", f"{number:02}", "p", at, at + timedelta(hours=visit.hours), visit.channel, visit.is_bot]
            database.execute("insert into fct_sessions values (?, ?, ?, ?, ?, ?, null, null, null, true, ?)", values)
        for model in MODELS:
            database.execute(f"create or replace table {model} as {compiled[model]}")
        credits = database.execute(
            "select order_id, model, touch_number, net_minor, credit_millionths from fct_attribution_credits"
        ).fetchall()
        touches = touches_of(orders, visits)
        seen.update(len(of_order) for of_order in touches.values())
        expected = {}
        for number, of_order in touches.items():
            for model, parts in weights_of(of_order).items():
                net = orders[number].net_minor
                minor = [None] * len(parts) if net is None else allotted(net, parts)
                for n, (part, share, millionths) in enumerate(zip(parts, minor, allotted(10**6, parts), strict=True), 1):
                    if part:
                        expected[f"{number:02}", model, n] = (share, millionths)
        assert {(order, model, n): (net, millionths) for order, model, n, net, millionths in credits} == expected
        for number, order in enumerate(orders):
            if order.net_minor is not None:
                of_order = [net for order_id, model, _, net, _ in credits if (order_id, model) == (f"{number:02}", "position")]
                assert sum(of_order) == order.net_minor

    check()
    assert {1, 2} <= seen
    assert max(seen) > 2


def test_a_refund_that_comes_late_restates_the_credits_of_its_order_alone(built: Paths) -> None:
    project = Project.of(built.warehouse)
    [order] = mart_rows(
        newest(built.var),
        "select order_id, net_minor, paid_in_currency_minor as paid from fct_orders join "
        "(select shop_id, order_id, max(touches) as touches from fct_touchpoints group by all) using (shop_id, order_id) "
        "where shop_id = 'a' and refunds = 0 and currency = 'CNY' order by touches desc, order_id limit 1",
    )
    credited = "select * exclude (net_minor), net_minor from fct_attribution_credits order by all"
    refund = (
        "insert into stg_lake__refunds by name select shop_id, 'late' as refund_id, order_id, paid_at + interval 90 day as "
        "refunded_at, paid_date + 90 as refunded_date, received_at, currency, 7 as amount_minor, 'counted' as outcome, "
        f"7 as counted_minor from stg_lake__orders where shop_id = 'a' and order_id = '{order['order_id']}'"
    )
    with project.built() as before:
        old = before.execute(credited).fetchall()
    with project.built(rows=refund) as after:
        new = after.execute(credited).fetchall()
    assert [row[:-1] for row in old] == [row[:-1] for row in new]
    changed = [(was, now) for was, now in zip(old, new, strict=True) if was != now]
    assert {was[1] for was, _ in changed} == {order["order_id"]}
    by_model: dict[str, int] = {}
    for row in new:
        if row[:2] == ("a", order["order_id"]):
            by_model[row[2]] = by_model.get(row[2], 0) + row[-1]
    assert by_model == dict.fromkeys([*HEURISTICS, "markov", "shapley"], order["net_minor"] - 7)


def test_metrics_of_a_model_and_of_none_are_of_the_same_orders(built: Paths) -> None:
    lake = newest(built.var)
    [orders] = mart_rows(lake, "select sum(net_minor) as net, count(*) as orders from fct_orders where shop_id = 'a'")
    spent = 45 * 500 + 999 * 7 + 500
    [whole] = open_metrics(lake).rows(["attributed_revenue", "attributed_orders", "channel_spend", "spend"], shop_id="a")
    assert (whole["attributed_revenue"], whole["channel_spend"], whole["spend"]) == (float(orders["net"]), spent, spent)
    assert whole["attributed_orders"] == pytest.approx(orders["orders"])
    asked = ["attributed_revenue", "attributed_customers", "channel_spend", "roas", "roi", "acquisition_cost"]
    rows = open_metrics(lake).rows(asked, ["credit__model", "credit__channel"], shop_id="a")
    by_key: dict[tuple[str, str], Any] = {(row["credit__model"], row["credit__channel"]): row for row in rows}
    assert {model for model, _ in by_key} == {*HEURISTICS, "markov", "shapley"}
    [net] = mart_rows(
        lake,
        "select sum(net_minor) as net from fct_attribution_credits where shop_id = 'a' and model = 'last' and channel = 'app'",
    )
    app, direct, tv = (by_key["last", channel] for channel in ("app", "direct", "tv"))
    assert app["attributed_revenue"] == float(net["net"])
    assert app["roas"] == pytest.approx(float(net["net"]) / (spent - 500))
    assert app["roi"] == pytest.approx(app["roas"] - 1)
    assert app["acquisition_cost"] == pytest.approx((spent - 500) / app["attributed_customers"])
    assert (direct["channel_spend"], direct["roas"], direct["roi"], direct["acquisition_cost"]) == (None, None, None, None)
    assert (tv["attributed_revenue"], tv["roas"], tv["acquisition_cost"]) == (0, 0, None)


def test_sharers_have_the_orders_of_others_and_not_their_own(built: Paths) -> None:
    lake = newest(built.var)
    rows = mart_rows(lake, "select person_id, sharer_id from fct_touchpoints where sharer_id is not null")
    assert rows
    assert all(row["person_id"] != row["sharer_id"] for row in rows)
    [of_sharers] = mart_rows(
        lake,
        "select count(*) as n from fct_touchpoints where sharer_id is null and "
        "(person_id, share_id) in (('p0', 'h0'), ('p1', 'h1'))",
    )
    assert of_sharers["n"] > 0
    assert {row["sharer_id"] for row in mart_rows(lake, "select sharer_id from dim_sharers")} == {"p0", "p1"}


def test_both_models_are_fitted_to_the_journeys_of_the_marts(built: Paths) -> None:
    rows, outcomes = fit(newest(built.var))
    assert set(outcomes) == {"a", "b"}
    for shop_id in outcomes:
        for model in ("markov", "shapley"):
            of_model = [row for row in rows if (row["shop_id"], row["model"]) == (shop_id, model)]
            assert sum(row["effect"] for row in of_model) == pytest.approx(1)
            assert {row["channel"] for row in of_model} == {"app", "share", "referral", "direct"}
