"""What followed recommendations, against brute force on logs that hypothesis makes, and over the rows of silver."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jishi import tables
from jishi.marts import mart_rows
from jishi.metrics import open_metrics
from jishi.paths import Paths
from tests.integration.dbt.rebuilt import Project
from tests.integration.dbt.test_home_money import insert, shop
from tests.lake import newest

pytestmark = pytest.mark.integration
START = datetime(2026, 9, 1)  # noqa: DTZ001 (the lake keeps UTC instants without a zone)
WINDOW = timedelta(hours=168)
CHAIN = (
    *("int_recommended_items_shown", "int_recommended_items_clicked"),
    *("int_recommendations_followed", "int_recommended_items_traced"),
)


class Shown(NamedTuple):
    person: str
    at: datetime
    request: str
    items: tuple[str, ...]


class Click(NamedTuple):
    at: datetime
    request: str
    item: str


class ItemAct(NamedTuple):
    """A payment, or an item put into the cart, of one item."""

    person: str
    at: datetime
    kind: str
    item: str
    net: int


Followed = tuple[bool, bool, int, int, int, int]


def brute_force(lists: list[Shown], clicks: list[Click], acts: list[ItemAct]) -> dict[tuple[str, str], Followed]:
    """By request and item: clicked, added, orders and net revenue after a click, and after showing alone; one act at a time."""
    first: dict[tuple[str, str], Shown] = {}
    for one in sorted(lists, key=lambda one: (one.at, lists.index(one))):
        if one.person != "bot":
            for item in one.items:
                first.setdefault((one.request, item), one)
    clicked = [
        (click, first[click.request, click.item])
        for click in clicks
        if (click.request, click.item) in first and click.at >= first[click.request, click.item].at
    ]
    result = {key: [False, False, 0, 0, 0, 0] for key in first}
    for click, _ in clicked:
        result[click.request, click.item][0] = True
    for act in acts:
        after = [
            c for c, shown in clicked if (shown.person, c.item) == (act.person, act.item) and c.at <= act.at <= c.at + WINDOW
        ]
        if after:
            last = max(after, key=lambda click: (click.at, click.request))
            cell = result[last.request, last.item]
            if act.kind == "add":
                cell[1] = True
            else:
                cell[2] += 1
                cell[3] += act.net
        elif act.kind == "pay":
            seen = [
                (one.at, request)
                for (request, item), one in first.items()
                if (one.person, item) == (act.person, act.item) and one.at <= act.at <= one.at + WINDOW
            ]
            if seen:
                cell = result[max(seen)[1], act.item]
                cell[4] += 1
                cell[5] += act.net
    return {key: tuple(cell) for key, cell in result.items()}  # type: ignore[misc]


@pytest.fixture(scope="module")
def chain(built: Paths) -> dict[str, str]:
    """The compiled SQL of the models from events to what followed."""
    project = Project.of(built.warehouse)
    return {model: project.sql_of(model) for model in CHAIN}


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as build; use build.main")
        for table, columns in {
            "stg_lake__recommendations_shown": "shop_id varchar, event_id varchar, person_id varchar, shown_at timestamp, "
            "shown_date date, request_id varchar, placement varchar, model_version varchar, is_person_known varchar, "
            "item_ids varchar[], reasons varchar[]",
            "stg_lake__recommendations_clicked": "shop_id varchar, event_id varchar, person_id varchar, clicked_at timestamp, "
            "request_id varchar, placement varchar, item_id varchar",
            "int_bots_labelled": "shop_id varchar, person_id varchar",
            "stg_lake__decisions": "shop_id varchar, request_id varchar, item_id varchar, served_by varchar, model varchar, "
            "rules_version bigint, arm varchar",
            "stg_lake__events": "shop_id varchar, event_id varchar, type varchar, person_id varchar, item_id varchar, "
            "occurred_at timestamp",
            "fct_orders": "shop_id varchar, order_id varchar, person_id varchar, paid_at timestamp",
            "fct_order_items": "shop_id varchar, order_id varchar, item_id varchar, units bigint, revenue_minor bigint, "
            "net_revenue_minor bigint",
        }.items():
            connection.execute(f"create table {table} ({columns})")
        connection.execute("insert into int_bots_labelled values ('a', 'bot')")
        connection.execute("insert into stg_lake__decisions values ('a', 'r1', 'x', 'popular', 'ladder', 1, 'ranked')")
        yield connection


def traced(
    database: duckdb.DuckDBPyConnection, chain: dict[str, str], lists: list[Shown], clicks: list[Click], acts: list[ItemAct]
) -> dict[tuple[str, str], Followed]:
    """What the models make of a log."""
    for table in ("recommendations_shown", "recommendations_clicked", "events"):
        database.execute(f"delete from stg_lake__{table}")
    database.execute("delete from fct_orders; delete from fct_order_items")

    def insert(table: str, rows: list[list[Any]]) -> None:
        if rows:
            database.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)

    insert(
        "stg_lake__recommendations_shown",
        [
            ["a", f"e{n:03}", one.person, one.at, one.at.date(), one.request, "home", None, None, list(one.items), ["popular"]]
            for n, one in enumerate(lists)
        ],
    )
    insert(
        "stg_lake__recommendations_clicked",
        [["a", f"c{n}", "whoever", click.at, click.request, "home", click.item] for n, click in enumerate(clicks)],
    )
    carts = [(n, act) for n, act in enumerate(acts) if act.kind == "add"]
    insert("stg_lake__events", [["a", f"b{n}", "item_added_to_cart", a.person, a.item, a.at] for n, a in carts])
    orders = [(n, act) for n, act in enumerate(acts) if act.kind == "pay"]
    insert("fct_orders", [["a", f"o{n}", act.person, act.at] for n, act in orders])
    insert("fct_order_items", [["a", f"o{n}", act.item, 1, act.net + 5, act.net] for n, act in orders])
    for model, sql in chain.items():
        database.execute(f"create or replace table {model} as {sql}")
    columns = "is_clicked, is_added, click_orders, click_net_revenue_minor, shown_orders, shown_net_revenue_minor"
    rows = database.execute(f"select request_id, item_id, {columns} from int_recommended_items_traced").fetchall()
    assert len({row[:2] for row in rows}) == len(rows)
    return {row[:2]: (row[2], row[3], *map(int, row[4:])) for row in rows}


# Times so that equal ones, both ends of the window and what lies one step outside of it come up.
times = st.sampled_from([START + timedelta(hours=hours) for hours in (0, 1, 168, 169, 170)])
persons, requests, items = st.sampled_from(["p", "p", "q", "bot"]), st.sampled_from(["r1", "r2"]), st.sampled_from("xy")
shown_lists = st.builds(Shown, persons, times, requests, st.lists(items, min_size=1, max_size=3).map(tuple))
all_clicks = st.builds(Click, times, requests, items)
all_acts = st.builds(ItemAct, persons, times, st.sampled_from(["add", "pay"]), items, st.integers(0, 900))


def test_what_followed_is_what_brute_force_finds(chain: dict[str, str], database: duckdb.DuckDBPyConnection) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=120, deadline=None)
    @given(
        st.lists(shown_lists, min_size=2, max_size=6),
        st.lists(all_clicks, min_size=2, max_size=6),
        st.lists(all_acts, min_size=3, max_size=8),
    )
    def check(lists: list[Shown], clicks: list[Click], acts: list[ItemAct]) -> None:
        expected = brute_force(lists, clicks, acts)
        assert traced(database, chain, lists, clicks, acts) == expected
        for clicked, added, after_click, _, after_showing, _ in expected.values():
            seen.update(clicked=clicked, added=added, after_click=after_click > 0, after_showing=after_showing > 0)

    check()
    assert all(seen[name] > 3 for name in ("clicked", "added", "after_click", "after_showing")), seen


# A list of 1 September that nobody clicked, and one that was clicked on the 7th at noon: what is paid up to the 14th follows.
@pytest.mark.parametrize(
    ("as_of", "settled"),
    [
        ("2026-09-08 23:59:59", {"cart": False, "home": False}),
        ("2026-09-09 00:00:00", {"cart": True, "home": False}),
        ("2026-09-14 11:59:59", {"cart": True, "home": False}),
        ("2026-09-14 12:00:00", {"cart": True, "home": True}),
    ],
)
def test_a_day_is_settled_when_nothing_can_follow_its_last_click(built: Paths, as_of: str, settled: dict[str, bool]) -> None:
    seen = {"shop_id": "late", "person_id": "u:1", "item_id": "x"}
    acts = {
        "2026-09-01 10:00:00": ("recommendation_shown", "e1"),
        "2026-09-07 12:00:00": ("recommendation_clicked", "e2"),
        as_of: ("search_performed", "e3"),
    }
    events = [
        seen | {"event_id": event_id, "type": kind, "occurred_at": at, "received_at": at, "occurred_date": at[:10]}
        for at, (kind, event_id) in acts.items()
    ]
    rows = shop("late", "CNY") + insert("events", events)
    rows += "".join(
        "insert into stg_lake__recommendations_shown by name select 'late' as shop_id, 'e1' as event_id, 'u:1' as person_id, "
        f"timestamp '2026-09-01 10:00:00' as shown_at, date '2026-09-01' as shown_date, 'q-{placement}' as request_id, "
        f"'{placement}' as placement, ['x'] as item_ids, ['new'] as reasons;"
        for placement in settled
    )
    rows += insert(
        "recommendations_clicked",
        [
            {"shop_id": "late", "event_id": "e2", "person_id": "u:1", "clicked_at": "2026-09-07 12:00:00", "item_id": "x"}
            | {"request_id": "q-home", "placement": "home"}
        ],
    )
    with Project.of(built.warehouse).built(rows, only="fct_recommendation_days") as marts:
        days = marts.execute("select placement, is_settled from fct_recommendation_days where shop_id = 'late'").fetchall()
    assert dict(days) == settled


def test_days_and_lists_are_what_silver_says(built: Paths, silver: Any) -> None:
    lake = newest(built.var)
    orders = {(row["shop_id"], row["order_id"]): row for row in mart_rows(lake, "select * from fct_orders")}
    expected: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    deciding = ("served_by", "model", "rules_version", "arm")
    decisions = {
        (row["shop_id"], row["request_id"], row["item_id"]): tuple(row[name] for name in deciding)
        for row in silver.of(tables.SILVER_DECISIONS)
    }
    for shop_id in ("a", "b"):
        lists, clicks, kinds = [], [], {}
        for event in silver.of(tables.SILVER_EVENTS):
            facts = json.loads(event["line"]).get("properties", {})
            if event["shop_id"] == shop_id and event["type"] == "recommendation_shown":
                request = f"{facts['placement']}/{facts['request_id']}"
                lists.append(Shown(event["person_id"], event["occurred_at"], request, tuple(facts["item_ids"])))
                known = {True: "known", False: "new", None: "unknown"}[facts.get("is_person_known")]
                reasons = facts.get("reasons") or [None] * 3
                for item, reason in zip(facts["item_ids"], reasons, strict=True):
                    day = event["occurred_date"]
                    decided = decisions.get((shop_id, facts["request_id"], item), (None,) * 4)
                    kinds[request, item] = day, facts["placement"], facts.get("model_version"), reason, known, *decided
            if event["shop_id"] == shop_id and event["type"] == "recommendation_clicked":
                clicks.append(Click(event["occurred_at"], f"{facts['placement']}/{facts['request_id']}", facts["item_id"]))
        acts = [
            ItemAct(event["person_id"], event["occurred_at"], "add", event["item_id"], 0)
            for event in silver.of(tables.SILVER_EVENTS)
            if event["type"] == "item_added_to_cart" and event["shop_id"] == shop_id
        ]
        priced: list[ItemAct] = []
        for row in mart_rows(lake, f"select * from fct_order_items where shop_id = '{shop_id}'"):
            order = orders[shop_id, row["order_id"]]
            acts.append(ItemAct(order["person_id"], order["paid_at"], "pay", row["item_id"], row["net_revenue_minor"] or 0))
            priced.append(acts[-1]._replace(net=int(row["net_revenue_minor"] is not None)))
        with_amount = brute_force(lists, clicks, priced)
        for key, (clicked, added, n_click, after_click, n_shown, after_showing) in brute_force(lists, clicks, acts).items():
            *_, click_priced, _, shown_priced = with_amount[key]
            expected[shop_id, *kinds[key]].update(
                click_priced_orders=click_priced, shown_priced_orders=shown_priced,
                impressions=1, clicks=clicked, clicks_added=added, click_orders=n_click, shown_orders=n_shown,
                click_net_revenue_minor=after_click, shown_net_revenue_minor=after_showing,
            )  # fmt: skip
    days = mart_rows(lake, "select * from fct_recommendation_days")
    names = ("shop_id", "shop_date", "placement", "model_version", "reason", "person_kind", *deciding)
    assert {row["arm"] for row in days} == {"explored", "ranked", None}
    assert {tuple(row[name] for name in names) for row in days} == expected.keys()
    totals: Counter[str] = Counter()
    for row in days:
        facts = expected[tuple(row[name] for name in names)]
        shown: dict[str, int | None] = dict(facts)
        for kind in ("click", "shown"):
            if facts[f"{kind}_orders"] and not facts[f"{kind}_priced_orders"]:
                shown[f"{kind}_net_revenue_minor"] = None
        assert {name: row[name] for name in shown} == shown
        assert row["click_through_rate"] == facts["clicks"] / facts["impressions"]
        assert row["add_rate"] == (facts["clicks_added"] / facts["clicks"] if facts["clicks"] else None)
        totals.update(facts)
    assert all(totals[name] > 3 for name in totals), totals
    assert {row["is_settled"] for row in days} == {True, False}
    [sums] = mart_rows(lake, f"select {', '.join(f'sum({name}) as {name}' for name in totals)} from fct_recommendation_lists")
    assert sums == dict(totals)
    rows = open_metrics(lake).rows(["recommendation_ctr", "recommendation_click_revenue"], ["recommendation__placement"])
    for row in rows:
        mine = [d for d in days if (d["shop_id"], d["placement"]) == (row["shop"], row["recommendation__placement"])]
        assert row["recommendation_ctr"] == sum(d["clicks"] for d in mine) / sum(d["impressions"] for d in mine)
        assert row["recommendation_click_revenue"] == sum(d["click_net_revenue_minor"] or 0 for d in mine)
    assert len(rows) == 4
