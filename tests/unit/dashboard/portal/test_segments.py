"""Segments against a count by hand over the same rows, their files against HMAC by hand, and saved ones of each shop alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.portal.formats import Formats
from dashboard.portal.pages.segments import values_of
from dashboard.portal.published_marts import MartsBuild
from dashboard.portal.segment_rules import SegmentRule
from dashboard.portal.shop_marts import ShopMarts
from jishi.pseudonyms import Pseudonyms
from tests.marts import create_marts
from tests.unit.dashboard.portal.twins import CANARY, DAYS, PLAIN, TwinShops, post

TODAY = date(2026, 11, 30)
SEGMENTS, LAYERS, CHANNELS = ("champions", "lost"), ("new", "asleep"), ("wechat", "app", None)
# Every combination of what can be told apart; ids and segments are the same in both shops, spend is not.
PEOPLE: list[dict[str, Any]] = [
    {
        "person_id": f"u:{number}",
        "excluded_reason": "staff" if number % 11 == 0 else None,
        "segment": SEGMENTS[number % 2],
        "layer": LAYERS[number // 2 % 2],
        "recency_days": None if number % 7 == 0 else number,
        "orders": 1 + number % 4,
        "spent_minor": None if number % 13 == 0 else 100 * number,
        "expected_value_minor": 10.5 * number if number % 3 else None,
        "category": ("dress", "shoes")[number % 5 == 0],
        "first_channel": CHANNELS[number % 3],
    }
    for number in range(1, 61)
]


@pytest.fixture(scope="module")
def marts(semantic_manifest: dict[str, Any]) -> ShopMarts:
    """One shop's marts of these people, beside another shop with the same ids who spent a thousand times as much."""
    database = duckdb.connect()
    database.execute("attach ':memory:' as published")
    database.execute("use published")
    create_marts(database, semantic_manifest)
    for shop_id, factor in ((PLAIN, 1), (CANARY, 1000)):
        for name in ("dress", "shoes"):
            insert(database, "dim_items", shop_id, item_id=name, category=name)
        for person in PEOPLE:
            insert_person(database, shop_id, person, factor)
    database.execute("use memory")
    columns: dict[str, list[str]] = {}
    names = "select table_name, column_name from duckdb_columns() where database_name = 'published'"
    for mart, column in database.execute(names).fetchall():
        columns.setdefault(mart, []).append(column)
    build = MartsBuild(None, database, columns, 1, None, json.dumps(semantic_manifest))  # type: ignore[arg-type]
    return ShopMarts(database.cursor(), build, PLAIN)


def insert_person(database: duckdb.DuckDBPyConnection, shop_id: str, person: dict[str, Any], factor: int) -> None:
    """A customer with forecast and orders; amounts times a factor."""
    person_id, spent, expected = (person[name] for name in ("person_id", "spent_minor", "expected_value_minor"))
    customer = {name: person[name] for name in ("person_id", "excluded_reason", "segment", "layer", "recency_days", "orders")}
    amount = None if spent is None else spent * factor
    insert(database, "dim_customers", shop_id, **customer, spent_minor=amount, first_paid_date=TODAY)
    if expected is not None and person["excluded_reason"] is None:
        forecast = {"expected_value_minor": expected * factor, "as_of_date": TODAY}
        insert(database, "fct_customer_values", shop_id, person_id=person_id, **forecast)
    for number in range(1, person["orders"] + 1):
        order = {"order_id": f"{person_id}-{number}", "person_id": person_id, "order_number": number}
        channel, item = (person["first_channel"], person["category"]) if number == 1 else ("app", "hat")
        insert(database, "fct_orders", shop_id, **order, channel=channel, paid_date=TODAY)
        insert(database, "fct_order_items", shop_id, order_id=order["order_id"], item_id=item)


def insert(database: duckdb.DuckDBPyConnection, mart: str, shop_id: str, **row: Any) -> None:
    """A row of a mart; what it does not name is null."""
    row |= {"shop_id": shop_id}
    database.execute(f"insert into {mart} ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))


def chosen_by_hand(rule: SegmentRule) -> list[dict[str, Any]]:
    """The same choice, person by person."""

    def within(value: int | None, low: int | None, high: int | None) -> bool:
        if low is None and high is None:
            return True
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    return [
        person
        for person in PEOPLE
        if person["excluded_reason"] is None
        and (not rule.segments or person["segment"] in rule.segments)
        and (not rule.layers or person["layer"] in rule.layers)
        and within(person["recency_days"], rule.days_at_least, rule.days_at_most)
        and within(person["orders"], rule.orders_at_least, rule.orders_at_most)
        and (rule.category is None or person["category"] == rule.category)
        and (rule.first_channel is None or person["first_channel"] == rule.first_channel)
    ]


def bounds(most: int) -> st.SearchStrategy[tuple[int | None, int | None]]:
    number = st.none() | st.integers(0, most)
    return st.tuples(number, number).filter(lambda pair: None in pair or pair[0] <= pair[1])  # type: ignore[operator]


@st.composite
def rules(draw: Callable[[Any], Any]) -> SegmentRule:
    days, orders = draw(bounds(60)), draw(bounds(5))
    return SegmentRule(
        segments=tuple(draw(st.sets(st.sampled_from([*SEGMENTS, "x' or 1=1 --"])))),
        layers=tuple(draw(st.sets(st.sampled_from(LAYERS)))),
        days_at_least=days[0],
        days_at_most=days[1],
        orders_at_least=orders[0],
        orders_at_most=orders[1],
        category=draw(st.sampled_from([None, None, "dress", "shoes", "boots"])),
        first_channel=draw(st.sampled_from([None, None, "wechat", "app", "search"])),
    )


def half_up(value: float) -> Decimal:
    """As amounts are rounded on pages and in files."""
    return Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=rules())
def test_a_segments_numbers_are_those_of_its_people(marts: ShopMarts, rule: SegmentRule) -> None:
    people = chosen_by_hand(rule)
    spent = [person["spent_minor"] for person in people if person["spent_minor"] is not None]
    forecasts = [person["expected_value_minor"] for person in people if person["expected_value_minor"] is not None]
    shown = {column.metric: f"{value}" for column, value in values_of(marts, Formats("en", "JPY", "UTC"), rule.conditions())}
    assert shown == {
        "customers": f"{len(people):,} people",
        "customer_orders": f"{sum(person['orders'] for person in people):,} orders" if people else "–",
        "customer_spend": f"{sum(spent):,} JPY" if spent else "–",
        "expected_customer_value": f"{half_up(sum(forecasts)):,} JPY" if forecasts else "–",
    }
    persons = {row["person_id"] for row in marts.select("dim_customers", ["person_id"], rule.conditions())}
    assert persons == {person["person_id"] for person in people}
    assert SegmentRule.model_validate_json(rule.model_dump_json()) == rule


def test_a_file_holds_keys_that_are_stable_of_the_shop_and_nobodys_id(twins: TwinShops) -> None:
    files = [twins.client(shop_id=shop_id).get(f"/shops/{shop_id}/segments/export.csv") for shop_id in (PLAIN, PLAIN, CANARY)]
    first, again, other = (file.content.decode("utf-8-sig").split()[2:] for file in files)
    assert first == again
    assert first == sorted(first)
    assert set(first) == {Pseudonyms.of(twins.paths, PLAIN).person("u:mei")}
    assert not set(first) & set(other)
    assert b"mei" not in files[0].content
    assert twins.client().get(f"/shops/{PLAIN}/segments/export.pdf").status_code == 404
    assert '<span class="chip">Rows: Segment</span>' in twins.client().get(f"/shops/{PLAIN}/audit").text


def test_a_saved_segment_is_the_shops_own_and_shows_the_overlap(twins: TwinShops) -> None:
    rule = SegmentRule(segments=("champions",), orders_at_least=1)
    owner, other = twins.client(), twins.client(shop_id=CANARY)
    answer = post(owner, f"/shops/{PLAIN}/segments/save", name="Best <b>", rule=rule.model_dump_json())
    assert answer.headers["location"] == f"/shops/{PLAIN}/segments?segments=champions&orders_at_least=1"
    page = owner.get(f"/shops/{PLAIN}/segments?orders_at_least=9999999").text
    assert "is not understood" in page
    page = owner.get(f"/shops/{PLAIN}/segments?layers=lost").text
    [cells] = re.findall(r"Best &lt;b&gt;</a></td>(.*?)</tr>", page, re.S)
    assert [re.sub(r"\D", "", cell) for cell in re.findall(r'class="number">(.*?)</td>', cells, re.S)] == [f"{DAYS}", "0"]
    [saved] = twins.portal.segments.all(PLAIN)
    assert saved.rule == rule
    assert twins.portal.segments.all(CANARY) == []
    assert post(other, f"/shops/{CANARY}/segments/delete", segment_id=f"{saved.segment_id}").status_code == 404
    assert post(owner, f"/shops/{PLAIN}/segments/delete", segment_id="²").status_code == 404
    assert post(owner, f"/shops/{PLAIN}/segments/delete", segment_id=f"{saved.segment_id}").status_code == 303
    assert twins.portal.segments.all(PLAIN) == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("days_at_least=x", "days_at_least is not understood"),
        ("days_at_least=-1", "days_at_least is not understood"),
        ("days_at_least=9&days_at_most=3", "At least is more than at most"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(twins: TwinShops, query: str, complaint: str) -> None:
    answer = twins.client().get(f"/shops/{PLAIN}/segments?{query}")
    assert answer.status_code == 400
    assert complaint in answer.text
    assert post(twins.client(), f"/shops/{PLAIN}/segments/save", name="x", rule='{"sql": "1=1"}').status_code == 404
    assert post(twins.client(), f"/shops/{PLAIN}/segments/save", name=" ", rule="{}").status_code == 400
