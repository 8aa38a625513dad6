"""RFM, layers and transitions against plain Python, on made shops: ties, refunds after months, unknown amounts, exclusions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from jishi import tables
from jishi.customer_rules import CustomerRules, Exclusion
from jishi.marts import mart_rows
from jishi.paths import Paths
from tests.integration.dbt.conftest import at_home
from tests.integration.dbt.customer_oracle import Order, cohorts, shop_months, transitions
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.test_home_money import insert, order, refund, shop
from tests.lake import newest

pytestmark = pytest.mark.integration
START = date(2026, 1, 10)


@pytest.fixture(scope="module")
def project(built: Paths) -> Project:
    return Project.of(built.warehouse)


def orders_of(silver: Any, shop_id: str) -> list[Order]:
    refunds = silver.of(tables.SILVER_REFUNDS)
    orders = []
    for row in silver.of(tables.SILVER_ORDERS):
        if row["shop_id"] == shop_id:
            back = [r for r in refunds if (r["shop_id"], r["order_id"]) == (shop_id, row["order_id"])]
            amounts = [(r["refunded_date"], at_home(r, "counted_minor", row) or 0) for r in back]
            as_it_came = row["paid_minor"], [(r["refunded_date"], r["counted_minor"]) for r in back]
            orders.append(Order(row["person_id"], row["paid_date"], at_home(row, "paid_minor"), amounts, as_it_came))
    return orders


def made_orders(seed: int, persons: int, days: int) -> list[Order]:
    """Regulars, one-timers and those who give back, with many ties in day and amount."""
    luck = random.Random(seed)
    orders = []
    for number in range(persons):
        joined, pause = luck.randrange(days), luck.choice([3, 9, 9, 30, 80, 400])
        day = joined
        while day < days:
            paid = luck.choice([0, 500, 500, 1000, 1000, 90_000])
            one = Order(f"u:{number}", START + timedelta(days=day), paid)
            for _ in range(luck.choice([0, 0, 0, 1, 2])):
                left = paid - sum(amount for _, amount in one.refunds)
                amount = luck.choice([left, left // 2])
                one.refunds.append((one.day + timedelta(days=luck.choice([0, 5, 70])), amount))
            orders.append(one)
            day += 1 + int(luck.expovariate(1 / pause))
    return orders


def rows_of(shop_id: str, orders: list[Order]) -> str:
    sql: str = shop(shop_id, "CNY")
    for number, one in enumerate(orders):
        rows = order(shop_id, f"o{number}", one.day.isoformat(), "CNY", [one.paid or 0])
        sql += rows.replace(f"'p-o{number}'", f"'{one.person}'")
        for part, (day, amount) in enumerate(one.refunds):
            sql += refund(shop_id, f"r{number}-{part}", f"o{number}", day.isoformat(), "CNY", amount, "counted", amount)
    return sql


def expected_rows(orders: list[Order], as_of: date) -> set[tuple[Any, ...]]:
    return {
        (month, person, *state[:3], *(named.scores or (None,) * 3), *named[1:])
        for month, customers in shop_months(orders, as_of).items()
        for person, (state, named) in customers.items()
    }


MONTHS = """
select month, person_id, recency_days, orders, spent_minor, recency_score, frequency_score, monetary_score, segment,
    classic_segment, layer
from fct_customer_months where shop_id = ?
"""


def check(marts: duckdb.DuckDBPyConnection, shop_id: str, orders: list[Order]) -> set[str]:
    """Months, matrix and the newest state equal the oracle's; returns the segments that occur."""
    [(as_of,)] = marts.execute("select distinct as_of_date from dim_customers where shop_id = ?", [shop_id]).fetchall()
    rows = marts.execute(MONTHS, [shop_id]).fetchall()
    assert set(rows) == expected_rows(orders, as_of)
    assert len(rows) == len(set(rows))
    months = shop_months(orders, as_of)
    for scheme in ("rfm", "classic", "layer"):
        cells = marts.execute(
            "select month, from_segment, to_segment, customers, share_of_from from fct_segment_transitions "
            "where shop_id = ? and scheme = ?",
            [shop_id, scheme],
        ).fetchall()
        moves = transitions(months, scheme)
        assert {cell[:3]: cell[3] for cell in cells if cell[3]} == dict(moves)
        of_source: Counter[tuple[date, str]] = Counter()
        for (month, source, _), customers in moves.items():
            of_source[month, source] += customers
        for month, source, _, customers, share in cells:
            known = source != "not_a_customer" and of_source[month, source] > 0
            assert share == (pytest.approx(customers / of_source[month, source]) if known else None)
    check_cohorts(marts, shop_id, orders, as_of)
    current = {row[1]: row[8:] for row in rows if row[0] == max(months)}
    now = marts.execute(
        "select person_id, segment, classic_segment, layer from dim_customers where shop_id = ? and layer is not null",
        [shop_id],
    ).fetchall()
    assert {row[0]: row[1:] for row in now} == current
    return {row[8] for row in rows if row[8] is not None}


def check_cohorts(marts: duckdb.DuckDBPyConnection, shop_id: str, orders: list[Order], as_of: date) -> None:
    for period in ("week", "month"):
        rows = marts.execute(
            "select cohort_date, period_date, period_number, customers, active_customers, orders, paid_minor, refunded_minor, "
            "retention, net_minor, net_so_far_minor from fct_cohorts where shop_id = ? and period = ? order by 1, 2",
            [shop_id, period],
        ).fetchall()
        expected = cohorts(orders, period, as_of)
        assert {row[:2] for row in rows} == expected.keys()
        assert len(rows) == len(expected)
        so_far: Counter[date] = Counter()
        priced: set[date] = set()
        for cohort, start, _, customers, active, orders_of_period, paid, refunded, retention, net, net_so_far in rows:
            known = expected[cohort, start]
            if known is None:
                assert {active, orders_of_period, paid, refunded, retention, net, net_so_far} == {None}
                continue
            so_far[cohort] += known.net or 0
            if known.orders and known.paid is not None:
                priced.add(cohort)
            assert (customers, active, orders_of_period, paid, refunded, net) == known
            assert (retention, net_so_far) == (active / customers, so_far[cohort] if cohort in priced else None)


@pytest.fixture
def working_marts(built: Paths) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(built.warehouse / "build.duckdb"), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize("shop_id", ["a", "b"])
def test_few_customers_and_unknown_amounts(working_marts: duckdb.DuckDBPyConnection, silver: Any, shop_id: str) -> None:
    check(working_marts, shop_id, orders_of(silver, shop_id))


def test_many_customers_over_a_year_reach_every_segment(project: Project) -> None:
    seen: set[str] = set()
    shops = {f"s{seed}": made_orders(seed, 90, 330) for seed in range(3)}
    with project.built("".join(rows_of(*each) for each in shops.items())) as marts:
        for shop_id, orders in shops.items():
            seen |= check(marts, shop_id, orders)
        named = marts.execute("select segment, segment_zh from dim_segments where scheme = 'rfm'").fetchall()
        origins = marts.execute("select distinct origin from dim_customer_thresholds where shop_id = 's0'").fetchall()
    assert seen == {name for name, _ in named} - {"not_a_customer"}
    assert len(seen) >= 11
    assert len({chinese for _, chinese in named}) == len(named)
    assert ("computed",) in origins


def test_equals_score_alike_and_a_lone_or_best_customer_is_not_lost(project: Project) -> None:
    alike = [Order(f"u:{n}", START, 700) for n in range(40)]
    lone = [Order("u:1", START, 5)]
    best = [Order("u:best", START + timedelta(days=3), 900)] * 2 + [Order(f"u:{n}", START, 10) for n in range(9)]
    late = START + timedelta(days=200)
    sql = "".join(rows_of(name, orders) for name, orders in (("alike", alike), ("lone", lone), ("best", best)))
    for name in ("alike", "lone", "best"):  # nobody buys for half a year, while visits show that time passes
        event = {"shop_id": name, "event_id": f"e-{name}", "type": "search_performed", "occurred_date": late.isoformat()}
        at = {"occurred_at": f"{late} 10:00:00", "received_at": f"{late} 10:00:00"}
        sql += insert("events", [event | at | {"is_late": False, "person_id": "u:1"}])
    with project.built(sql) as marts:
        scores = "select distinct recency_score, frequency_score, monetary_score, month from fct_customer_months"
        rows = marts.execute(f"{scores} where shop_id = 'alike' order by month").fetchall()
        assert rows[0][:3] == (3, 3, 3)
        assert len(rows) == len({row[3] for row in rows}) > 6
        lost = "select shop_id, person_id from fct_customer_months where segment = 'lost' and shop_id in ('alike', 'lone')"
        assert marts.execute(lost).fetchall() == []
        lost = "select count(*) from fct_customer_months where segment = 'lost' and shop_id = 'best' and person_id = 'u:best'"
        assert marts.execute(lost).fetchall() == [(0,)]


def test_a_shop_whose_customers_all_gave_back_everything_is_not_held(project: Project) -> None:
    """The reconciliation took the newest month that had anybody for the running one, in which nobody is a customer any more."""
    [test] = [node for node in project.tests if node["name"] == "customers_equal_their_newest_months"]
    back = [Order("u:1", START, 500, [(START + timedelta(days=40), 500)])]
    kept = [*back, Order("u:2", START + timedelta(days=3), 700)]
    sql = rows_of("back", back) + rows_of("kept", kept)
    late = {"type": "search_performed", "occurred_date": "2026-04-05", "is_late": False, "person_id": "u:1"}
    late |= {"occurred_at": "2026-04-05 10:00:00", "received_at": "2026-04-05 10:00:00"}
    sql += insert("events", [late | {"shop_id": shop_id, "event_id": f"late-{shop_id}"} for shop_id in ("back", "kept")])
    with project.built(sql) as marts:
        months = "select shop_id, person_id, month from fct_customer_months where shop_id in ('back', 'kept') order by all"
        january, april = date(2026, 1, 1), date(2026, 4, 1)
        of_back = ("back", "u:1", january), ("kept", "u:1", january)
        of_kept = [("kept", "u:2", date(2026, month, 1)) for month in range(1, 5)]
        assert marts.execute(months).fetchall() == sorted([*of_back, *of_kept])
        assert marts.execute(test["compiled_code"]).fetchall() == []

        def failing_after(statement: str) -> list[Any]:
            marts.execute(f"begin; {statement}")
            rows = marts.execute(test["compiled_code"]).fetchall()
            marts.execute("rollback")
            return sorted(row[:2] for row in rows)

        assert failing_after(f"update fct_customer_months set month = '{april}' where shop_id = 'back'") == [("back", "u:1")]
        assert failing_after("update dim_customers set kept_orders = 1 where shop_id = 'back'") == [("back", "u:1")]
        assert failing_after(f"delete from fct_customer_months where shop_id = 'kept' and month = '{april}'") == [
            ("kept", "u:2")
        ]


def test_kept_thresholds_stay_when_an_old_order_arrives(project: Project, built: Paths) -> None:
    orders = made_orders(5, 60, 150)
    late = [Order(f"u:late{n}", START + timedelta(days=2), 5_000_000) for n in range(60)]
    kept = "select * from dim_customer_thresholds where shop_id = 's' and is_final and origin = 'computed' order by all"
    with project.built(rows_of("s", orders)) as marts:
        decided = marts.execute(kept).fetchall()
        columns = [column[0] for column in marts.execute(kept).description or []]
    assert {row[columns.index("measure")] for row in decided} >= {"recency", "frequency", "monetary", "active_days"}
    names = ("shop_id", "month", "measure", "score", "threshold", "currency")
    places = [columns.index(name) for name in names]
    rows = [{name: row[place] for name, place in zip(names, places, strict=True)} for row in decided]
    with project.built(rows_of("s", orders + late)) as marts:
        assert marts.execute(kept).fetchall() != decided
    sql = rows_of("s", orders + late) + insert(
        "customer_thresholds", [row | {"month": row["month"].isoformat()} for row in rows]
    )
    with project.built(sql) as marts:
        assert set(decided) <= set(marts.execute(kept).fetchall())
    # A build publishes what it decided, and the next one reads it.
    published = "select distinct month, measure, score, threshold from dim_customer_thresholds where origin = 'computed'"
    assert mart_rows(newest(built.var), f"{published} and is_final")
    assert newest(built.var).has(tables.CUSTOMER_THRESHOLDS.name)


def test_guests_staff_and_distributors_are_no_customers_by_the_shops_rules(project: Project) -> None:
    people = ["a:device", "u:clerk-1", "u:clerk-2", "u:partner", "u:partner-friend", "u:guest"]
    orders = [Order(person, START + timedelta(days=n), 100 * n) for n, person in enumerate(people, 1)]
    rules = CustomerRules(
        exclusions=(
            *CustomerRules().exclusions,
            Exclusion(reason="staff", person="u:clerk-", is_prefix=True),
            Exclusion(reason="distributor", person="u:partner"),
        )
    )
    rows = [{"shop_id": "s", "rule_number": n} | rule.model_dump() for n, rule in enumerate(rules.exclusions)]
    with project.built(rows_of("s", orders) + insert("customer_exclusions", rows)) as marts:
        reasons = marts.execute("select person_id, excluded_reason, segment from dim_customers where shop_id = 's'").fetchall()
        assert {row[:2] for row in reasons} == {
            ("a:device", "guest"),
            ("u:clerk-1", "staff"),
            ("u:clerk-2", "staff"),
            ("u:partner", "distributor"),
            ("u:partner-friend", None),
            ("u:guest", None),
        }
        assert all((segment is None) == (reason is not None) for _, reason, segment in reasons)
        check(marts, "s", [order for order in orders if order.person in ("u:partner-friend", "u:guest")])


def test_what_the_shop_sets_decides_scores_and_layers(project: Project) -> None:
    rules = CustomerRules(
        recency_days=(60, 30, 10, 3), spent_minor=(100, 200, 300, 400), active_days=5, silent_days=9, asleep_days=20
    )
    gaps = {"u:0": 4, "u:1": 7, "u:2": 15, "u:3": 61}
    orders = [Order(person, START + timedelta(days=61 - gap), 100 * (n + 1)) for n, (person, gap) in enumerate(gaps.items())]
    orders += [Order(order.person, order.day, 0) for order in orders] + [Order("u:4", START + timedelta(days=61), 1)]
    rows = [dict(zip(("shop_id", "measure", "score", "threshold"), ("s", *row), strict=True)) for row in rules.thresholds]
    with project.built(rows_of("s", orders) + insert("customer_settings", rows)) as marts:
        scored = marts.execute(
            "select person_id, recency_score, monetary_score, layer from dim_customers where shop_id = 's' order by person_id"
        ).fetchall()
    assert scored == [
        ("u:0", 4, 2, "active"),
        ("u:1", 4, 3, "silent"),
        ("u:2", 3, 4, "asleep"),
        ("u:3", 1, 5, "lost"),
        ("u:4", 5, 1, "new"),
    ]
